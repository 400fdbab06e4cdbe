// cluster/internal/group_seat.h: one group on its node: the core, what waits for it, its snapshots.
//
// The turn of the host calls drive(); everything else tells the core something and touches the
// seat.
#pragma once

#include <atomic>
#include <deque>
#include <map>

#include "cluster/group_host.h"

namespace tidal::cluster {

/// Threads: the loop executor.
struct GroupHost::Seat {
    GroupHost& host;
    const raft::GroupKey key;
    GroupSink& sink;
    std::uint64_t chunk_bytes_max = 0;
    std::unique_ptr<raft::Node> node;
    bool touched = false;  ///< In the host's list.
    bool unseen = true;    ///< Its status has to be copied.
    /// Committed entries wait for applied(). Read on any thread.
    std::atomic<bool> held_back = false;

    // Writes, in order: a Ready is durable once its part in the log and its chunks are.
    struct Write {
        std::uint64_t number = 0;  ///< Of GroupWrite; ours.
        std::uint64_t ready = 0;   ///< Of the Ready; 0 = the mark of a snapshot.
        bool log_done = false;
        std::size_t chunks_left = 0;
    };
    std::deque<Write> writes;
    std::uint64_t last_write = 0;

    struct Pending {
        raft::Position position;
        LogIndex next;  ///< Before it everything is committed as proposed.
        absl::AnyInvocable<void(Result<raft::Position>)> decided;
    };
    std::deque<Pending> proposals;  // by position
    std::map<std::uint64_t, absl::AnyInvocable<void(Result<LogIndex>)>> reads;
    std::uint64_t last_read = 0;

    std::optional<raft::SnapshotMeta> installing;
    std::map<std::uint64_t, std::string> offered;                     ///< Paths, by id.
    std::deque<std::pair<std::uint64_t, raft::ChunkToStore>> chunks;  ///< The files executor's.
    std::uint32_t wanted_ticks = 0;  ///< Until the sink is asked for a snapshot again.
    bool leads = false;
    Term term;
    raft::PeerId leader;
    bool told = false;  ///< The sink knows leads, term and leader.
    LogIndex told_own;
    std::vector<LogIndex> told_voters;
    std::vector<LogIndex> voters;  ///< As of now, to be compared.

    Seat(GroupHost& h, const raft::GroupKey& k, GroupSink& s) : host(h), key(k), sink(s) {}

    // group_seat.cc
    void propose(Proposal proposal);
    void read(absl::AnyInvocable<void(Result<LogIndex>)> done);
    /// False when there was nothing to do.
    bool drive();
    void store(raft::Ready& ready);
    void persisted(std::uint64_t number);
    void chunk_stored(std::uint64_t number);
    void settle_writes();
    void deliver(std::vector<raft::Entry> entries);
    void hand_over(CommittedRun run);
    void decide(LogIndex last, Term of);
    void decide_lost();
    void answer(const raft::ReadState& state);
    void tell_role();
    void tell_durable();
    void want_snapshot();
    void stage();
    void staged(Result<void> result);
    void switch_over();
    bool later(const Result<void>& result, Work step);
    void switched(Result<void> result);
    void give_up();
};

}  // namespace tidal::cluster
