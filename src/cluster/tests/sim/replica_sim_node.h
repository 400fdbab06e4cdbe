// One node of the simulation with a real shard: what survives a crash, and one life on it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cluster/shard_replica.h"
#include "cluster/tests/group_checker.h"
#include "runtime/sim_network.h"
#include "runtime/sim_runtime.h"

namespace tidal::cluster {

inline constexpr ShardId kReplicated{1};
inline constexpr std::string_view kReplicaSchema = R"(
items:
  ids: u64
  fields: {title: text}
users: {ids: string}
creators: {ids: string}
signals:
  view: {polarity: neutral, half_life: 1d, windows: [1h, 24h, all], unique: 24h}
  like: {polarity: positive, half_life: 7d, windows: [24h, all]}
)";

struct ReplicaNodeOptions {
    raft::PeerId self;
    raft::Configuration initial;  ///< Empty for one that joins later.
    std::uint64_t checkpoint_events = 30;
    std::uint64_t keep_entries = 10;
};

class ReplicaLife final : public GroupTransport {
public:
    /// `checker` sees each packet that leaves and what each life believes at its start.
    ReplicaLife(runtime::SimWorld& world, runtime::SimDisk& disk, const ReplicaNodeOptions& node,
                GroupChecker& checker);
    ~ReplicaLife() override;

    Result<void> start();
    /// A clean end: `stopped()` once the last checkpoint is written.
    void stop();
    bool stopped() const { return stopped_; }
    Result<void> send(raft::PeerId to, GroupTraffic traffic, std::string packet) override;

    bool alive() const { return host_ && !runtime_->crashed(); }
    runtime::SimRuntime& runtime() { return *runtime_; }
    GroupHost& host() { return *host_; }
    shard::Shard& shard() { return *shard_; }
    ShardReplica& replica() { return *replica_; }
    bool configured() {
        return shard_->with_state([](shard::ShardState& state) { return state.configured(); });
    }
    LogIndex applied() {
        return shard_->with_state([](shard::ShardState& state) { return state.applied(); });
    }
    Result<std::uint64_t> content_hash() {
        return shard_->with_state([](shard::ShardState& state) { return state.content_hash(); });
    }
    /// Likes of an item, as its ledger counts them.
    std::int64_t likes(std::uint64_t item);

    const ReplicaNodeOptions options;

private:
    Result<void> open_shard();

    GroupChecker& checker_;
    std::unique_ptr<runtime::SimRuntime> runtime_;
    std::unique_ptr<runtime::Executor> net_, executor_, background_;
    std::unique_ptr<storage::RowEngine> rows_;
    std::unique_ptr<shard::Shard> shard_;
    std::unique_ptr<ShardReplica> replica_;
    std::unique_ptr<wal::NodeLog> log_;
    std::unique_ptr<GroupHost> host_;
    std::unique_ptr<runtime::Endpoint> endpoint_;
    bool stopped_ = false;
};

}  // namespace tidal::cluster
