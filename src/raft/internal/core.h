// raft/internal/core.h: the state behind Node. One source per concern: elections.cc, follower.cc,
// leader.cc, membership.cc, reads.cc, snapshots.cc; core.cc dispatches and collects the Ready.
//
// Invariants
//   term_ and vote_ only change through set_hard(); a message made under them leaves once they are
//   durable (send(), release_messages()).
//   applied_ <= handed_ <= min(commit_, log_.durable()); commit_ <= log_.last().
//   verified_ (followers): the log up to here equals the log of the leader of term_.
//   configurations_.back() is the latest in the log; front() is the one at or before its base.
#pragma once

#include <deque>
#include <map>

#include "raft/internal/log.h"
#include "raft/internal/progress.h"
#include "raft/node.h"

namespace tidal::raft {

class Core final : public Node {
public:
    Core(const Options& options, DurableState state, LogStore& store);

    void tick() override;
    Result<void> step(Message message) override;
    Result<Position> propose(std::vector<Payload> records) override;
    Result<Position> change_members(const Members& members) override;
    Result<void> transfer(PeerId target) override;
    void campaign() override;
    Result<void> read(std::uint64_t id) override;
    Ready take_ready() override;
    void persisted(std::uint64_t number) override;
    void applied(LogIndex index) override;
    void compact(LogIndex index) override;
    Result<void> offer_snapshot(const SnapshotMeta& meta) override;
    void withdraw_snapshot(std::uint64_t id) override;
    void snapshot_installed() override;
    void snapshot_refused() override;
    void unreachable(PeerId peer) override;
    void chunk_refused(PeerId peer, std::uint64_t snapshot, std::uint64_t offset) override;
    Status status() const override;
    Brief brief() const override;
    void voters_durable(std::vector<LogIndex>* out) const override;
    Configuration configuration_at(LogIndex index) const override;
    Term term_at(LogIndex index) const override;

private:
    // core.cc
    void set_hard(Term term, PeerId vote);
    void send(PeerId to, Body body);
    void release_messages(Ready* ready);
    void collect_writes(Ready* ready);
    void collect_committed(Ready* ready);
    Result<void> check(const Message& message) const;
    bool contradicts(const Append& append) const;
    bool from_older_term(const Message& message);
    bool adopt_newer_term(const Message& message);
    void dispatch(Message message);

    // elections.cc
    void become_follower(Term term, PeerId leader);
    void become_leader();
    void leave_role();
    void reset_election_timer();
    bool may_campaign() const;
    bool hears_leader() const;
    void start_election(bool pre, bool by_transfer);
    void count_votes();
    void handle(PeerId from, const VoteRequest& request);
    void handle(PeerId from, const VoteReply& reply);
    void handle(PeerId from, const TimeoutNow& order);

    // follower.cc
    void handle(PeerId from, Append append);
    void handle(PeerId from, const Heartbeat& heartbeat);
    void hear_leader(PeerId leader);
    bool append_new(std::vector<Entry> entries);
    void commit_to(LogIndex index);
    void acknowledge();
    LogIndex acknowledged() const;

    // leader.cc
    LogIndex append_own(EntryKind kind, Payload payload);
    Result<void> check_proposal(std::size_t bytes) const;
    void handle(PeerId from, const AppendReply& reply);
    void handle(PeerId from, const HeartbeatReply& reply);
    void handle_rejection(Progress& peer, const AppendReply& reply);
    void take_match(Progress& peer, LogIndex match);
    void take_received(Progress& peer, LogIndex received);
    void tick_leader();
    void check_quorum();
    void broadcast_heartbeat();
    void send_appends();
    bool send_append(PeerId id, Progress& peer);
    void send_commit(PeerId id, Progress& peer);
    bool may_send(const Progress& peer) const;
    void count_commits();
    void after_commit(LogIndex before);
    bool committed_own_term() const;

    // membership.cc
    const Configuration& configuration() const { return configurations_.back().configuration; }
    void push_configuration(const Entry& entry);
    void pop_configurations(LogIndex from);
    void configuration_changed();
    void finish_joint();
    void leave_if_removed();
    void try_transfer();

    // reads.cc
    void handle(PeerId from, const ReadRequest& request);
    void handle(PeerId from, const ReadReply& reply);
    void pump_reads();
    void confirm_reads();
    void refuse_reads();
    void tick_forwarded_reads();

    // snapshots.cc
    void handle(PeerId from, SnapshotChunk chunk);
    void handle(PeerId from, const SnapshotReply& reply);
    void start_snapshot(Progress& peer);
    void send_chunks(PeerId id, Progress& peer);
    void tick_snapshot(Progress& peer);
    bool accept_chunk(SnapshotChunk chunk);
    void reply_snapshot(bool resend);
    void persisted_chunks(std::uint64_t number);
    void snapshot_complete();

    const Options options_;
    Log log_;
    std::vector<ConfigurationAt> configurations_;

    Term term_;
    PeerId vote_;
    std::uint64_t next_number_ = 1;       // of the next Ready that writes something
    std::uint64_t persisted_number_ = 0;  // greatest reported
    std::uint64_t hard_number_ = 0;       // the Ready that writes term_ and vote_
    bool hard_unwritten_ = false;         // no Ready has them yet

    Role role_ = Role::kFollower;
    PeerId leader_;
    std::uint64_t random_;  // state of the generator of time-outs
    std::uint32_t elapsed_ = 0;
    std::uint32_t timeout_ = 0;
    std::uint32_t heartbeat_elapsed_ = 0;

    LogIndex commit_;
    LogIndex handed_;
    LogIndex applied_;
    std::deque<std::size_t> handed_costs_;  // of handed_ - applied_ entries
    std::size_t handed_bytes_ = 0;

    LogIndex verified_;
    bool acknowledge_durable_ = false;  // the leader waits to hear of what becomes durable

    std::map<PeerId, bool> votes_;
    std::map<PeerId, Progress> peers_;  // a leader's; without self
    std::uint64_t round_ = 0;
    LogIndex term_start_;  // of the leadership's empty entry
    std::size_t uncommitted_bytes_ = 0;
    PeerId transferee_;
    std::uint32_t transfer_elapsed_ = 0;
    bool transfer_sent_ = false;

    struct ReadRound {
        std::uint64_t round = 0;
        LogIndex index;
        std::vector<std::uint64_t> local;
        std::map<PeerId, ReadRequest> remote;
    };
    struct ForwardedRead {
        std::uint64_t id = 0;
        std::uint64_t number = 0;  // 0 = not sent yet
        std::uint32_t ticks = 0;
    };
    std::vector<std::uint64_t> waiting_reads_;      // a leader's, before they have a round
    std::map<PeerId, ReadRequest> waiting_remote_;  // the greatest number asked for
    std::deque<ReadRound> read_rounds_;
    std::deque<ForwardedRead> forwarded_reads_;
    std::uint64_t forward_number_ = 0;
    std::vector<ReadState> read_states_;
    std::size_t reads_ = 0;  // ids without an answer in read_states_

    struct Incoming {
        SnapshotMeta meta;
        std::uint64_t attempt = 0;  // a snapshot may be begun, left for another and begun again
        std::uint64_t received = 0;
        std::uint64_t durable = 0;
        bool installing = false;
        bool told = false;  // Ready::install has left
    };
    struct ChunkWrite {
        std::uint64_t number;  // 0 = in no Ready yet
        std::uint64_t attempt;
        std::uint64_t end;
    };
    std::optional<SnapshotMeta> offered_;
    std::optional<Incoming> incoming_;
    std::uint64_t attempts_ = 0;
    std::vector<ChunkToStore> chunks_;
    std::deque<ChunkWrite> chunk_writes_;
    bool snapshot_wanted_ = false;

    struct Held {
        std::uint64_t after;  // leaves once this Ready is durable
        Message message;
    };
    std::deque<Held> outbox_;
};

}  // namespace tidal::raft
