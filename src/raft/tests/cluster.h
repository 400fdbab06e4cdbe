// tests/cluster.h: replicas, their disks and the network between them, in one process.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "raft/node.h"

namespace tidal::raft {

std::uint64_t mix(std::uint64_t a, std::uint64_t b);

/// The state machine: a hash over everything applied, in order.
struct Machine {
    LogIndex index;
    std::uint64_t chain = 0;
    void apply(const Entry& entry);
};

/// Bytes of a snapshot of `machine`: its two numbers and padding of a length that depends on them.
std::string snapshot_bytes(const Machine& machine);
Machine machine_of(const std::string& snapshot);

/// What survives a crash.
struct Disk {
    HardState hard;
    LogIndex base;
    Term base_term;
    Configuration base_configuration;
    std::vector<Entry> entries;  // behind base
    Machine checkpoint;
    std::optional<SnapshotMeta> partial;
    std::string partial_bytes;
    std::map<std::uint64_t, std::string> snapshots;  // that can be sent

    LogIndex last() const { return plus(base, entries.size()); }
    Term term_at(LogIndex index) const;  ///< 0 outside.
    void write(const Entry& entry);
};

struct Write {
    std::uint64_t number = 0;
    std::optional<HardState> hard;
    std::vector<Entry> entries;
    std::vector<ChunkToStore> chunks;
};

struct Replica final : LogStore {
    Options options;
    std::unique_ptr<Node> node;  // null while down
    Disk disk;
    std::deque<Write> writes;  // under way
    Machine machine;
    std::optional<SnapshotMeta> install;
    std::uint64_t starts = 0;
    bool disk_slow = false;  // writes wait for Cluster::sync()

    Result<std::vector<Entry>> read(LogIndex from, LogIndex last, std::size_t bytes_max) override;
};

/// Told of everything, to check or to print.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void on_send(const Message&) {}
    virtual void on_ready(PeerId, const Ready&) {}
    virtual void on_apply(PeerId, const Entry&, const Machine&) {}
    virtual void on_install(PeerId, const Machine&) {}
    virtual void on_read(PeerId, const ReadState&) {}
    /// After each call into a node and its Ready.
    virtual void on_step(PeerId) {}
};

class Cluster {
public:
    explicit Cluster(Observer& observer) : observer_(observer) {}

    /// A replica that has never run; `configuration` is empty for one that joins later.
    void add(const Options& options, const Configuration& configuration);
    void start(PeerId id);
    /// Of what is being written, `writes_kept` and a part of the next survive.
    void crash(PeerId id, std::size_t writes_kept = 0, std::size_t entries_kept = 0);

    Replica& at(PeerId id) { return replicas_.at(id); }
    Node& node(PeerId id) { return *at(id).node; }
    bool up(PeerId id) { return at(id).node != nullptr; }
    const std::map<PeerId, Replica>& replicas() const { return replicas_; }

    /// Does what the node wants done. With a slow disk writes wait.
    void turn(PeerId id);
    /// The oldest write of a slow disk is done. False when there is none.
    bool sync(PeerId id);
    /// Carries out a snapshot's installation that turn() put off (slow disk).
    bool install(PeerId id);
    /// The state machine's checkpoint becomes the applied state, and the log before `index` goes.
    void compact(PeerId id, LogIndex index);

    std::deque<Message>& network() { return network_; }
    bool connected(PeerId a, PeerId b) const { return !cut_.contains({a, b}); }
    void cut(PeerId from, PeerId to) { cut_.insert({from, to}); }
    void heal() { cut_.clear(); }
    /// Gives the message to its receiver, if that is up and not cut off.
    Result<void> deliver(const Message& message);

    bool forget_votes = false;  // a planted bug of the caller: term and vote are not restored
    bool report_early = false;  // likewise: persisted() before the disk is done

private:
    void submit(Replica& replica, Ready& ready);
    void finish(Disk& disk, const Write& write, std::size_t entries_max);
    void apply(Replica& replica, const Ready& ready);
    void offer(Replica& replica);
    void post(Replica& replica, Message message);

    Observer& observer_;
    std::map<PeerId, Replica> replicas_;
    std::deque<Message> network_;
    std::set<std::pair<PeerId, PeerId>> cut_;
};

}  // namespace tidal::raft
