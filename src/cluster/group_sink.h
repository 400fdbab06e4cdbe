// cluster/group_sink.h: what a group needs of its state machine and of the way to other nodes.
#pragma once

#include <absl/functional/any_invocable.h>

#include <span>
#include <string>
#include <vector>

#include "raft/node.h"

namespace tidal::cluster {

/// Consecutive committed entries of one term: records, or one entry of consensus itself.
struct CommittedRun {
    LogIndex first;
    Term term;
    bool control = false;
    std::vector<raft::Payload> records;  ///< Empty when `control`: then it takes one index.
    std::optional<raft::Configuration> configuration;  ///< Of a control entry that brings one.

    LogIndex last() const { return control ? first : raft::plus(first, records.size() - 1); }
};

/// The state machine of one group, on leader and follower alike: it does not know which. Called on
/// the host's loop executor, in the order of the log; must be quick, and may call the host.
class GroupSink {
public:
    virtual ~GroupSink() = default;
    /// Durable here and committed. GroupHost::applied() says when it has been applied; beyond
    /// raft::Options::apply_bytes_max the host waits for that.
    virtual void committed(CommittedRun run) = 0;
    /// This replica leads. Proposals are taken; who derives them from the state waits until the
    /// empty entry of `term` is applied here.
    virtual void leading(Term term) = 0;
    /// It does not. `leader` is raft::kNobody while unknown.
    virtual void following(Term term, raft::PeerId leader) = 0;
    /// While leading: durable up to `own` here; the i-th of `voters`, descending, is durable on
    /// i + 1 voters, this one among them. Told before what it commits.
    virtual void durable(LogIndex own, std::span<const LogIndex> voters) = 0;
    /// A peer needs more than the log still has: make one and GroupHost::offer_snapshot() it. Asked
    /// again after election_ms_max, while a peer still needs one and none fits.
    virtual void snapshot_wanted() = 0;

    using Done = absl::AnyInvocable<void(Result<void>)>;
    /// All bytes of a snapshot are in the file at `path`: check and load them, beside the state. An
    /// error discards them, and they are received again; kDiskFull asks again after a while.
    virtual void stage_snapshot(const raft::SnapshotMeta& meta, const std::string& path,
                                Done done) = 0;
    /// The staged snapshot becomes the state, durably. kDiskFull asks again after a while; any
    /// other error is fatal for the node. Nothing is committed meanwhile; the next run begins
    /// behind meta.index.
    virtual void switch_to_snapshot(const raft::SnapshotMeta& meta, Done done) = 0;
};

/// The order of importance when a link is busy.
enum class GroupTraffic : std::uint8_t {
    kUrgent,    ///< Votes, heartbeats, answers: small, and late is lost.
    kLog,       ///< Entries.
    kSnapshot,  ///< Chunks.
};

/// The way to other nodes. Whole packets; may lose, repeat and reorder them.
class GroupTransport {
public:
    virtual ~GroupTransport() = default;
    /// Loop executor; must not block.
    /// @return kOverloaded, kUnavailable  known to be lost: the peer is probed anew.
    virtual Result<void> send(raft::PeerId to, GroupTraffic traffic, std::string packet) = 0;
};

}  // namespace tidal::cluster
