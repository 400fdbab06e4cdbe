// A replica's checkpoints on their way to others, and others' on their way in.
#include <algorithm>
#include <utility>

#include "cluster/shard_replica.h"
#include "storage/shard_snapshot.h"
#include "storage/shard_store.h"

namespace tidal::cluster {
namespace {

/// Whoever receives one goes on with it while the next is on offer.
constexpr std::size_t kOffered = 2;

/// Names these very bytes; 0 names nothing.
std::uint64_t snapshot_id(const storage::ShardSnapshotInfo& info) {
    return std::max<std::uint64_t>(info.checksum, 1);
}

}  // namespace

// --- out --------------------------------------------------------------------------------------

/// The log begins behind a checkpoint, so that the newest one always fits.
void ShardReplica::snapshot_wanted() {
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(making_, true)) return;
    }
    shard_.hold_checkpoints([this](const shard::GroupPlace& place) { make_snapshot(place); });
}

/// The background executor's.
void ShardReplica::make_snapshot(const shard::GroupPlace& place) {
    if (auto written = write_and_offer(place); !written.ok()) made(written);
}

Result<void> ShardReplica::write_and_offer(const shard::GroupPlace& place) {
    const std::string path = options_.snapshot_directory + "/" + prefix() +
                             std::to_string(place.index.value()) + ".snap";
    if (place.members.empty()) {
        // Joined lately; by now the state knows who its members are.
        shard_.checkpoint([](Result<void>) {});
        return Error(ErrorCode::kUnavailable, "the checkpoint does not know the group's members");
    }
    TIDAL_ASSIGN(auto members, raft::decode_configuration(place.members));
    TIDAL_ASSIGN(const auto info, storage::write_shard_snapshot(runtime_.disk(), rows_, shard_.id(),
                                                                options_.store_directory, path));
    if (info.index != place.index)
        return Error(ErrorCode::kInternal, "a snapshot of another checkpoint than the newest")
            .with("snapshot", info.index.value())
            .with("checkpoint", place.index.value());
    const raft::SnapshotMeta meta{.id = snapshot_id(info),
                                  .index = place.index,
                                  .term = place.term,
                                  .bytes = info.bytes,
                                  .configuration = std::move(members)};
    host_->offer_snapshot(shard_.id(), meta, path, [this, meta, path](Result<void> result) {
        offered(meta, path, std::move(result));
    });
    return {};
}

void ShardReplica::offered(const raft::SnapshotMeta& meta, const std::string& path,
                           Result<void> result) {
    if (result.ok()) {
        const std::lock_guard lock(mutex_);
        std::erase_if(offered_, [&](const Offered& each) { return each.path == path; });
        offered_.push_back({meta.id, path, meta.index});
    } else {
        remove_file(path);
    }
    made(result);
    withdraw_all_but(kOffered);
}

void ShardReplica::made(const Result<void>& result) {
    const std::lock_guard lock(mutex_);
    making_ = false;
    if (result.ok())
        ++stats_.snapshots_made;
    else
        stats_.snapshot_error = result.error().to_string();
}

/// Those the log has left behind, unless somebody still receives one; all, when another leads.
void ShardReplica::withdraw_old(LogIndex log_begin) {
    {
        const std::lock_guard lock(mutex_);
        if (offered_.empty() || making_) return;
        if (offered_.back().index >= log_begin) return;
    }
    const auto status = host_->status(shard_.id());
    if (!status.ok()) return;
    for (const raft::PeerStatus& peer : status->raft.peers)
        if (peer.flow == raft::Flow::kSnapshot) return;
    withdraw_all_but(0);
}

void ShardReplica::withdraw_all_but(std::size_t kept) {
    std::vector<Offered> old;
    {
        const std::lock_guard lock(mutex_);
        if (offered_.size() <= kept) return;
        const auto end = offered_.end() - static_cast<std::ptrdiff_t>(kept);
        old.assign(offered_.begin(), end);
        offered_.erase(offered_.begin(), end);
    }
    for (const Offered& each : old) {
        host_->withdraw_snapshot(shard_.id(), each.id);
        remove_file(each.path);
    }
}

/// What stays of it after an error goes at the next start.
void ShardReplica::remove_file(const std::string& path) {
    background_.post([this, path] { (void)runtime_.disk().remove(path).ok(); });
}

// --- in ---------------------------------------------------------------------------------------

void ShardReplica::stage_snapshot(const raft::SnapshotMeta& meta, const std::string& path,
                                  Done done) {
    installing_ = path;
    background_.post([this, meta, path, done = std::move(done)]() mutable {
        auto info = storage::check_shard_snapshot(runtime_.disk(), path, shard_.id());
        if (!info.ok()) return done(info.take_error());
        if (info->index == meta.index && info->bytes == meta.bytes && snapshot_id(*info) == meta.id)
            return done({});
        done(Error(ErrorCode::kCorruption, "a snapshot is not the one that was offered")
                 .with("file", path)
                 .with("index", info->index.value())
                 .with("offered", meta.index.value()));
    });
}

void ShardReplica::switch_to_snapshot(const raft::SnapshotMeta& meta, Done done) {
    members_ = meta.configuration;
    shard::Shard::Replacement replacement;
    replacement.install = [this, path = installing_]() -> Result<void> {
        TIDAL_TRY(storage::install_shard_snapshot(runtime_.disk(), rows_, shard_.id(),
                                                  options_.store_directory, path));
        return {};
    };
    replacement.open = [this] {
        return storage::ShardStore::open(runtime_.disk(), rows_, shard_.id(),
                                         options_.store_directory);
    };
    shard_.replace_state(std::move(replacement),
                         [this, meta, done = std::move(done)](Result<void> result) mutable {
                             if (result.ok()) result = check_installed(meta);
                             done(std::move(result));
                         });
}

Result<void> ShardReplica::check_installed(const raft::SnapshotMeta& meta) {
    const shard::GroupPlace place = shard_.place();
    const shard::GroupPlace expected{meta.index, meta.term,
                                     raft::encode_configuration(meta.configuration)};
    if (place != expected)
        return Error(ErrorCode::kCorruption, "a snapshot holds another state than it says")
            .with("index", place.index.value())
            .with("expected", expected.index.value());
    const std::lock_guard lock(mutex_);
    ++stats_.snapshots_installed;
    return {};
}

ShardReplica::Stats ShardReplica::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

}  // namespace tidal::cluster
