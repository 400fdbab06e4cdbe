// raft/node.h: one replica of one group as a pure state machine. The front door of this module.
//
// Messages, ticks, proposals and reports of what has become durable go in; Ready comes out. Nothing
// here touches a disk, a socket, a clock or a thread, and the same calls give the same output.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/result.h"
#include "raft/durable_state.h"
#include "raft/log_store.h"
#include "raft/message.h"
#include "raft/status.h"

namespace tidal::raft {

/// Limits in bytes count Entry::cost(). create() checks the ranges.
struct Options {
    PeerId self;
    std::uint64_t seed = 0;  ///< Of time-outs and reads; another on each replica and each start.
    std::uint32_t election_ticks_min = 10;  ///< > heartbeat_ticks.
    std::uint32_t election_ticks_max = 20;  ///< > election_ticks_min: time-outs are in [min, max).
    std::uint32_t heartbeat_ticks = 1;      ///< >= 1.
    std::size_t message_bytes_max = 1 << 20;       ///< Entries of one Append; one always fits.
    std::size_t entry_bytes_max = 8 << 20;         ///< A larger proposal is kTooLarge.
    std::uint32_t inflight_messages_max = 64;      ///< Appends to one peer without answer, >= 1.
    std::size_t inflight_bytes_max = 16 << 20;     ///< Likewise.
    std::size_t uncommitted_bytes_max = 64 << 20;  ///< A leader takes no more proposals beyond it.
    std::size_t apply_bytes_max = 4 << 20;         ///< Handed out and not yet applied().
    std::size_t cache_bytes_max = 16 << 20;        ///< Durable, applied entries kept in memory.
    std::size_t chunk_bytes_max = 1 << 20;         ///< Of a snapshot, >= 1.
    std::uint32_t chunks_inflight_max = 4;         ///< To one peer without answer, >= 1.
    std::uint32_t reads_max = 65536;               ///< Waiting at once.
};

/// The answer to read(): once per id, in no promised order.
struct ReadState {
    std::uint64_t id = 0;
    bool confirmed = false;  ///< False: leadership changed or the leader did not answer; ask again.
    LogIndex index;          ///< Linearizable once this index is applied here.
};

struct ChunkToStore {
    SnapshotMeta meta;
    std::uint64_t offset = 0;  ///< 0 discards what is kept of another snapshot.
    Payload data;
};

/// What the caller does next, each part independently of the others:
/// 1. make hard_state, entries and chunks durable, in the order of Readys; then persisted(number).
///    `entries` supersede everything from their first index on.
/// 2. send `messages`, at once: what must wait for the disk is not in here yet.
/// 3. apply `committed`, in order; then applied(index of the last).
/// 4. put `install` in the place of state and log; then snapshot_installed().
struct Ready {
    std::uint64_t number = 0;  ///< Rising; 0 when there is nothing to make durable.
    std::optional<HardState> hard_state;
    std::vector<Entry> entries;
    std::vector<ChunkToStore> chunks;
    std::vector<Message> messages;
    std::vector<Entry> committed;  ///< Durable here; every kind, without gaps.
    std::optional<SnapshotMeta> install;
    std::vector<ReadState> reads;
    /// A peer needs entries the log no longer has and no fitting snapshot is on offer.
    bool snapshot_wanted = false;
    /// More is committed and durable here than was handed out: it waits for applied(), or to be
    /// fetched. No work by itself.
    bool held_back = false;

    bool empty() const {
        return number == 0 && messages.empty() && committed.empty() && !install && reads.empty() &&
               !snapshot_wanted;
    }
};

/// Source    thesis 3 (Raft), 3.10 (transfer), 4.2.1 (learners), 4.3 (joint consensus; a
///           configuration counts from the moment it is in the log), 6.2 (a leader without quorum
///           steps down), 6.4 (reads), 9.6 (pre-vote), 10.2.1 (the leader writes in parallel with
///           its followers, and counts itself only once durable), 10.2.2 (pipelining). Shape after
///           etcd's raft. docs/decisions/0026-raft-core.md.
/// Threads   One caller at a time.
/// Memory    Entries not yet durable, committed and applied; cache_bytes_max of older ones; a few
///           hundred bytes per peer and 16 per in-flight message.
class Node {
public:
    /// @return kInvalidArgument  an option out of range (named), or a DurableState that contradicts
    ///         itself.
    static Result<std::unique_ptr<Node>> create(const Options& options, DurableState state,
                                                LogStore& store);
    virtual ~Node() = default;

    /// One unit of the time-outs has passed.
    virtual void tick() = 0;
    /// Handles a message of a peer. The caller has authenticated it and checked the group's
    /// identity.
    /// @return kCorruption  a message no correct peer sends; nothing changed.
    virtual Result<void> step(Message message) = 0;

    /// Appends records to the leader's log, all or none.
    /// @return kUnavailable  reason "not_leader" (context leader=ID when known) or
    ///                       "transfer_under_way": nothing was appended, ask the leader or later.
    ///         kOverloaded   reason "uncommitted_bytes": too much waits for a quorum.
    ///         kTooLarge     a record above entry_bytes_max. kInvalidArgument  no record.
    virtual Result<Position> propose(std::vector<Payload> records) = 0;
    /// Begins to make `members` the group's members; a joint configuration is left by itself.
    /// Done when status() shows a configuration that is not joint and committed.
    /// @return as propose(); kConflict  reason "change_under_way", or "no_commit_yet" in a new
    ///         leader's first moments; kInvalidArgument  from step_towards().
    virtual Result<Position> change_members(const Members& members) = 0;
    /// Hands leadership to a voter once it has the whole log; proposals are refused meanwhile.
    /// Given up after election_ticks_min.
    /// @return kUnavailable not_leader, kConflict transfer_under_way, kInvalidArgument not another
    ///         voter.
    virtual Result<void> transfer(PeerId target) = 0;
    /// Asks for an election now (with pre-vote), as if the time-out had passed. Nothing for a
    /// leader or a non-voter.
    virtual void campaign() = 0;
    /// Asks from when on a read is linearizable: Ready::reads answers. Reads asked for between two
    /// take_ready() share one round of heartbeats. Works on followers and learners too.
    /// @return kUnavailable  reason "no_leader". kOverloaded  reads_max wait.
    virtual Result<void> read(std::uint64_t id) = 0;

    /// Everything there is to do since the last call. To be called after each batch of calls.
    virtual Ready take_ready() = 0;
    /// All that Readys up to `number` asked for is durable. In any pace, never falling.
    virtual void persisted(std::uint64_t number) = 0;
    /// The state machine has applied up to `index`; one from before a snapshot does nothing.
    virtual void applied(LogIndex index) = 0;

    /// Entries up to `index` (<= applied) are in a durable checkpoint and leave the log. The caller
    /// decides how long slow peers are waited for: see PeerStatus::match.
    virtual void compact(LogIndex index) = 0;

    /// `meta` can be read by chunks until it is withdrawn; in the place of any other on offer.
    /// Peers that already receive another one go on with that.
    /// @return kInvalidArgument  ahead of applied, behind the log's beginning, or empty.
    virtual Result<void> offer_snapshot(const SnapshotMeta& meta) = 0;
    /// The bytes of `id` can no longer be read.
    virtual void withdraw_snapshot(std::uint64_t id) = 0;
    /// Ready::install was carried out, durably: state and log begin at its index, and no entry
    /// before is left.
    virtual void snapshot_installed() = 0;
    /// Ready::install cannot be carried out (a checksum, say): it is received again from byte 0.
    virtual void snapshot_refused() = 0;
    /// The transport knows that what was sent to `peer` may be lost.
    virtual void unreachable(PeerId peer) = 0;
    /// The transport has no room for a chunk of a snapshot, which never left: it is sent again once
    /// the peer has taken others that are under way, or after a heartbeat's time.
    virtual void chunk_refused(PeerId peer, std::uint64_t snapshot, std::uint64_t offset) = 0;

    virtual Status status() const = 0;
    virtual Brief brief() const = 0;
    /// A leader's: the i-th, descending, is durable on i + 1 voters. Takes the place of what is in
    /// `out`.
    virtual void voters_durable(std::vector<LogIndex>* out) const = 0;
    /// In force at an entry, from the log's base on: what a snapshot of that index carries.
    virtual Configuration configuration_at(LogIndex index) const = 0;
    /// Of an entry from the log's base to its end; 0 outside.
    virtual Term term_at(LogIndex index) const = 0;
};

}  // namespace tidal::raft
