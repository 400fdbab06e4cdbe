// cluster/shard_replica.h: a shard as the state machine of a group.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "cluster/group_host.h"
#include "shard/shard.h"
#include "storage/row_engine.h"

namespace tidal::cluster {

/// Carries what a group says to its shard and back, and the shard's checkpoints to replicas that
/// are too far behind.
///
///     ShardReplica replica(shard, options, …);
///     recovery.add_group(replica.key(), replica.base());      GroupRecovery, NodeLog::open
///     host.open_group({replica.key(), core}, found…, replica);
///     replica.start(host, log);                               then host.start()
///
/// GroupLog::Options::stamp_of is record::stamp_of.
/// Threads   start() before the host's; the rest is called by host and shard.
/// Lifetime  Borrows all it is given. Shard::stop(), then GroupHost::stop(), then the executors,
///           before any of them goes.
class ShardReplica final : public GroupSink, public shard::Replicator {
public:
    struct Options {
        Incarnation incarnation{1};
        /// The first voters of a new group, the same on each; empty on a node that joins later.
        raft::Configuration initial;
        std::string store_directory;  ///< The shard's page files, as given to ShardStore::open.
        std::string snapshot_directory = "snapshots-out";  ///< Of those for others; made if absent.
        /// Entries behind a checkpoint that stay for followers which do not have them yet...
        std::uint64_t keep_entries_max = 100'000;
        /// ...unless the log, in bytes, is held up by this shard for longer than so much. Whoever
        /// is farther behind gets a snapshot.
        std::uint64_t keep_log_bytes_max = 256ULL << 20;
    };

    /// @param  background  The shard's executor of checkpoints.
    ShardReplica(shard::Shard& shard, Options options, runtime::Runtime& runtime,
                 runtime::Executor& background, storage::RowEngine& rows);
    ~ShardReplica() override;

    raft::GroupKey key() const;
    /// Where the group's log begins: the shard's newest checkpoint, or an empty log of `initial`.
    /// kCorruption  the checkpoint's members cannot be read.
    Result<raft::DurableState> base() const;
    /// After GroupHost::open_group and before GroupHost::start. Removes snapshots that an earlier
    /// life offered.
    Result<void> start(GroupHost& host, wal::NodeLog& log);

    shard::Shard& shard() { return shard_; }

    // GroupSink.
    void committed(CommittedRun run) override;
    void leading(Term term) override;
    void following(Term term, raft::PeerId leader) override;
    void durable(LogIndex own, std::span<const LogIndex> voters) override;
    void snapshot_wanted() override;
    void stage_snapshot(const raft::SnapshotMeta& meta, const std::string& path,
                        Done done) override;
    void switch_to_snapshot(const raft::SnapshotMeta& meta, Done done) override;

    // shard::Replicator.
    Result<void> propose(Batch batch) override;
    void applied(LogIndex index) override;
    void checkpointed(LogIndex index) override;
    std::uint64_t bytes_pinned() const override;
    bool durable() const override { return true; }

    struct Stats {
        std::uint64_t snapshots_made = 0, snapshots_installed = 0;
        std::string snapshot_error;  ///< Of the newest that failed; empty = none did.
    };
    Stats stats() const;

private:
    struct Offered {
        std::uint64_t id = 0;
        std::string path;
        LogIndex index;
    };

    Result<raft::Configuration> members_at(const shard::GroupPlace& place) const;
    LogIndex compact_to(LogIndex checkpoint) const;
    std::uint32_t quorum() const;
    std::string prefix() const;

    // shard_snapshots.cc
    void make_snapshot(const shard::GroupPlace& place);
    Result<void> write_and_offer(const shard::GroupPlace& place);
    void offered(const raft::SnapshotMeta& meta, const std::string& path, Result<void> result);
    void made(const Result<void>& result);
    void withdraw_old(LogIndex log_begin);
    void withdraw_all_but(std::size_t kept);
    Result<void> check_installed(const raft::SnapshotMeta& meta);
    void remove_file(const std::string& path);

    shard::Shard& shard_;
    const Options options_;
    runtime::Runtime& runtime_;
    runtime::Executor& background_;
    storage::RowEngine& rows_;
    GroupHost* host_ = nullptr;
    wal::NodeLog* log_ = nullptr;

    // The host's loop.
    raft::Configuration members_;  ///< As of what was committed here.
    std::string installing_;       ///< Path of the staged snapshot.

    mutable std::mutex mutex_;      // Guards what follows.
    std::vector<Offered> offered_;  ///< Oldest first.
    bool making_ = false;
    Stats stats_;
};

}  // namespace tidal::cluster
