#include "cluster/shard_replica.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/internal/planted.h"
#include "storage/shard_store.h"

namespace tidal::cluster {
namespace {

std::uint64_t number_of(raft::PeerId peer) {
    return peer == raft::kNobody ? 0 : peer.value();
}

std::uint32_t majority(std::size_t voters) {
    return static_cast<std::uint32_t>(voters / 2 + 1);
}

}  // namespace

ShardReplica::ShardReplica(shard::Shard& shard, Options options, runtime::Runtime& runtime,
                           runtime::Executor& background, storage::RowEngine& rows)
    : shard_(shard),
      options_(std::move(options)),
      runtime_(runtime),
      background_(background),
      rows_(rows) {}

ShardReplica::~ShardReplica() = default;

raft::GroupKey ShardReplica::key() const {
    return {shard_.id(), options_.incarnation};
}

/// Of files in snapshot_directory.
std::string ShardReplica::prefix() const {
    return storage::shard_folder(shard_.id()) + "-";
}

Result<raft::Configuration> ShardReplica::members_at(const shard::GroupPlace& place) const {
    if (place.members.empty()) return options_.initial;
    return raft::decode_configuration(place.members);
}

Result<raft::DurableState> ShardReplica::base() const {
    const shard::GroupPlace place = shard_.place();
    TIDAL_ASSIGN(auto members, members_at(place));
    return raft::DurableState::base(place.index, place.term, std::move(members));
}

Result<void> ShardReplica::start(GroupHost& host, wal::NodeLog& log) {
    host_ = &host;
    log_ = &log;
    TIDAL_ASSIGN(members_, members_at(shard_.place()));
    runtime::Disk& disk = runtime_.disk();
    TIDAL_TRY(disk.create_directories(options_.snapshot_directory));
    TIDAL_ASSIGN(const auto names, disk.list(options_.snapshot_directory));
    for (const std::string& name : names)
        if (name.starts_with(prefix()))
            TIDAL_TRY(disk.remove(options_.snapshot_directory + "/" + name));
    shard_.start_replicated(
        *this, members_.all().empty() ? std::string() : raft::encode_configuration(members_));
    return {};
}

// --- what the group says ----------------------------------------------------------------------

void ShardReplica::committed(CommittedRun run) {
    shard::ReplicatedRun out;
    out.first = run.first;
    out.term = run.term;
    out.control = run.control;
    out.records = std::move(run.records);
    if (run.configuration) {
        out.members = raft::encode_configuration(*run.configuration);
        members_ = std::move(*run.configuration);
    }
    shard_.committed(std::move(out));
}

void ShardReplica::leading(Term term) {
    shard_.lead(term);
}

void ShardReplica::following(Term term, raft::PeerId leader) {
    shard_.follow(term, number_of(leader));
}

void ShardReplica::durable(LogIndex own, std::span<const LogIndex> voters) {
    shard_.durable_at(own, voters);
}

// --- what the shard says ----------------------------------------------------------------------

Result<void> ShardReplica::propose(Batch batch) {
    Proposal proposal;
    proposal.stamped_for = batch.stamped_for;
    proposal.records = std::move(batch.records);
    proposal.appended =
        [appended = std::move(batch.appended)](const Result<raft::Position>& position) mutable {
            if (!position.ok()) return appended(Error(position.error()));
            appended(position->first);
        };
    proposal.decided =
        [this, decided = std::move(batch.decided)](Result<raft::Position> position) mutable {
            if (!position.ok()) return decided(position.take_error());
            decided(quorum());
        };
    return host_->propose(shard_.id(), std::move(proposal));
}

/// What a commit takes at least. The host's loop.
std::uint32_t ShardReplica::quorum() const {
    const std::uint32_t voters = majority(members_.voters.size());
    return members_.joint() ? std::max(voters, majority(members_.outgoing.size())) : voters;
}

void ShardReplica::applied(LogIndex index) {
    host_->applied(shard_.id(), index);
    if (planted(Bug::kCompactBeyondCheckpoint)) host_->compact(shard_.id(), index);
}

std::uint64_t ShardReplica::bytes_pinned() const {
    return log_->bytes_pinned(shard_.id());
}

void ShardReplica::checkpointed(LogIndex index) {
    const LogIndex until = compact_to(index);
    if (until.value() > 0) host_->compact(shard_.id(), until);
    withdraw_old(until);
}

/// Entries behind `checkpoint` that a follower lacks stay, within bounds. Only a leader knows who
/// lacks what; a follower, which may come to lead, keeps as many as it may.
LogIndex ShardReplica::compact_to(LogIndex checkpoint) const {
    if (bytes_pinned() > options_.keep_log_bytes_max) return checkpoint;
    const LogIndex kept(checkpoint.value() -
                        std::min(checkpoint.value(), options_.keep_entries_max));
    const auto status = host_->status(shard_.id());
    if (!status.ok() || status->raft.role != raft::Role::kLeader) return kept;
    LogIndex everywhere = checkpoint;
    for (const raft::PeerStatus& peer : status->raft.peers)
        everywhere = std::min(everywhere, peer.match);
    return std::max(everywhere, kept);
}

}  // namespace tidal::cluster
