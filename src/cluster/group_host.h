// cluster/group_host.h: all Raft groups of a node: their clock, their log, their messages.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "cluster/group_log.h"
#include "cluster/group_sink.h"
#include "cluster/internal/snapshot_files.h"

namespace tidal::cluster {

/// Times in milliseconds. An election begins after a silence drawn from [min, max).
struct GroupTiming {
    std::uint32_t tick_ms = 25;
    std::uint32_t heartbeat_ms = 100;
    std::uint32_t election_ms_min = 1000;
    std::uint32_t election_ms_max = 2000;
};
/// Fills in the ticks of `core`. kInvalidArgument names the time that is out of range: each is a
/// multiple of tick_ms, and tick <= heartbeat < election min < election max <= 60 s.
Result<void> set_timing(const GroupTiming& timing, raft::Options* core);

struct Proposal {
    Term stamped_for;  ///< Refused unless this replica leads in this very term.
    std::vector<raft::Payload> records;
    /// Where the records stand, before any of them is committed; or why they stand nowhere:
    /// kUnavailable "not_leader" (context leader=ID when known) or "transfer_under_way",
    /// kOverloaded, kTooLarge. May be null.
    absl::AnyInvocable<void(const Result<raft::Position>&)> appended;
    /// After appended() succeeded, once: all are committed and the sink has been given them; or
    /// kConflict "superseded": others stand in their place, and none of them will ever be applied;
    /// or kConflict "partly_superseded" (context committed=INDEX, the last that stays); or
    /// kTimeout: stopped or overtaken by a snapshot, they may survive. Leadership may be lost
    /// meanwhile: the decision comes all the same, once a quorum makes one. May be null.
    absl::AnyInvocable<void(Result<raft::Position>)> decided;
};

/// Runs the cores of all groups of a node in turns: what has come in, ticks, then one write to the
/// log for all groups, one packet per peer and kind of traffic.
///
/// Threads   Any, but where said. Callbacks and sinks run on the loop executor.
/// Bounds    inbox_bytes_max of what has come in and was not handled, be it packets, proposals or
///           questions; beside it the limits of raft::Options per group.
/// Lifetime  Borrows runtime, log, transport and sinks. stop() before any of them goes.
class GroupHost {
public:
    struct Options {
        raft::PeerId self;  ///< The node's, the same in all groups.
        GroupTiming timing;
        GroupLog::Options log;
        std::string snapshot_directory = "snapshots";
        std::size_t packet_bytes_max = 4 << 20;
        std::size_t inbox_bytes_max = 64 << 20;
        /// Where the loop runs, such as the transport's executor, so that a message needs no other
        /// thread; it has stopped before stop(). null = an executor of its own.
        runtime::Executor* loop = nullptr;
    };
    struct GroupOptions {
        raft::GroupKey key;
        raft::Options core;  ///< self, seed and ticks are filled in.
    };

    /// @param  states_index  GroupRecovery::Found's.
    GroupHost(runtime::Runtime& runtime, wal::NodeLog& log, GroupTransport& transport,
              Options options, LogIndex states_index);
    ~GroupHost();
    GroupHost(const GroupHost&) = delete;
    GroupHost& operator=(const GroupHost&) = delete;

    /// Before start(). One incarnation per shard. `state` and `stamp` are GroupRecovery::Found's.
    /// @return kInvalidArgument  an option or the state; kIo, kCorruption  a snapshot half
    /// received.
    Result<void> open_group(const GroupOptions& options, raft::DurableState state, HybridTime stamp,
                            GroupSink& sink);
    /// Ticks begin.
    void start();
    /// Ends the loop; undecided proposals and reads are answered. Idempotent.
    void stop();

    /// A packet of `from`, whose identity the transport has verified. Dropped when the inbox is
    /// full.
    void receive(raft::PeerId from, std::string packet);

    /// @return kOverloaded  the inbox is full; kNotFound no such group: no callback comes.
    Result<void> propose(ShardId shard, Proposal proposal);
    /// While one lives, its thread's proposals are queued and wake nobody; its end wakes the loop
    /// once. So the groups of a request have one turn, and one sync, together. Whatever else wakes
    /// the loop meanwhile takes along what is queued by then. On the stack, and short.
    class Burst {
    public:
        explicit Burst(GroupHost& host);
        ~Burst();
        Burst(const Burst&) = delete;
        Burst& operator=(const Burst&) = delete;

    private:
        friend class GroupHost;
        GroupHost& host_;
        Burst* const outer_;
        bool queued_ = false;
    };
    /// The index that has to be applied here before a linearizable read; kUnavailable "no_leader"
    /// or "leadership_changed": ask again. kOverloaded, at once, when the inbox is full: likewise.
    /// Reads of one turn share a round of heartbeats.
    void read_index(ShardId shard, absl::AnyInvocable<void(Result<LogIndex>)> done);
    using Done = absl::AnyInvocable<void(Result<void>)>;
    /// `done` when the change has begun: see status() for its end. kOverloaded as read_index().
    void change_members(ShardId shard, raft::Members members, Done done);
    void transfer(ShardId shard, raft::PeerId to, Done done);
    void campaign(ShardId shard);

    /// The state machine has applied up to `index`. Taken note of with the next turn, a tick away
    /// at most; at once where raft::Options::apply_bytes_max holds entries back.
    void applied(ShardId shard, LogIndex index);
    /// Everything up to `index` is in a durable checkpoint, and no slow peer is to get it from the
    /// log any more: the core forgets it, and its place in the log may go.
    void compact(ShardId shard, LogIndex index);
    /// The snapshot's bytes are in the file at `path`, until withdrawn.
    void offer_snapshot(ShardId shard, raft::SnapshotMeta meta, std::string path, Done done);
    void withdraw_snapshot(ShardId shard, std::uint64_t id);
    /// What was sent to `peer` may be lost.
    void unreachable(raft::PeerId peer);

    struct GroupStatus {
        raft::Status raft;
        GroupLog::Status log;
        std::size_t proposals = 0;  ///< Not yet decided.
    };
    /// As of the end of the latest turn that touched the group. kNotFound.
    Result<GroupStatus> status(ShardId shard) const;

    struct Stats {
        std::uint64_t turns = 0, packets_sent = 0, packets_received = 0;
        std::uint64_t messages_sent = 0, messages_received = 0;
        std::uint64_t packets_refused = 0;   ///< Damaged, or of another sender than they say.
        std::uint64_t messages_refused = 0;  ///< Of groups not here, or that no peer sends.
        std::uint64_t inbox_dropped = 0;     ///< Packets, for want of room.
    };
    Stats stats() const;

private:
    struct Seat;
    struct Peer {
        std::map<GroupTraffic, raft::PacketWriter> packets;
        struct Chunk {
            raft::GroupKey group;
            std::uint64_t snapshot = 0, offset = 0;
        };
        std::vector<Chunk> chunks;  ///< In the packet of snapshots that is being filled.
    };
    using Work = absl::AnyInvocable<void()>;
    using OnSeat = absl::AnyInvocable<void(Seat&)>;

    bool post(std::size_t bytes, Work work, Burst* burst = nullptr);
    Result<void> take_room();
    void post_to(ShardId shard, OnSeat work);
    void post_turn();
    void wake();
    void turn();
    void tick();
    void take_packet(raft::PeerId from, std::string_view packet);
    void touch(Seat& seat);
    void send(const raft::GroupKey& group, raft::Message message);
    void send_chunk(Seat& seat, raft::Message message);
    void store_chunk(Seat& seat, std::uint64_t number, raft::ChunkToStore chunk);
    void store_next_chunk(Seat& seat);
    void remove_received(Seat& seat);
    void post_seat(Seat& seat, OnSeat work);
    void flush(raft::PeerId to, GroupTraffic traffic, raft::PacketWriter& writer);
    void flush_chunks(raft::PeerId to, bool no_room);
    void publish();

    runtime::Runtime& runtime_;
    GroupTransport& transport_;
    const Options options_;
    std::unique_ptr<runtime::Executor> files_;
    std::unique_ptr<runtime::Executor> own_loop_;  ///< null = Options::loop.
    runtime::Executor& loop_;
    SnapshotFiles snapshots_;

    // The loop's own.
    GroupLog log_;
    std::map<raft::GroupKey, std::unique_ptr<Seat>> seats_;
    std::map<ShardId, Seat*> by_shard_;  // Fixed once started: any thread may look.
    std::vector<Seat*> touched_;
    std::map<raft::PeerId, Peer> peers_;
    std::vector<raft::PeerId> lost_;
    bool in_turn_ = false;
    Stats counts_;

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::vector<std::pair<std::size_t, Work>> inbox_;
    std::size_t inbox_bytes_ = 0;
    bool turn_posted_ = false;
    bool stopped_ = false;
    std::uint64_t inbox_dropped_ = 0;
    std::map<ShardId, GroupStatus> statuses_;
    Stats stats_;
};

}  // namespace tidal::cluster
