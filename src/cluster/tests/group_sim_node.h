// One node of the simulation: what survives a crash, and one life on it.
#pragma once

#include <array>
#include <memory>

#include "cluster/group_host.h"
#include "group_checker.h"
#include "runtime/sim_network.h"
#include "runtime/sim_runtime.h"

namespace tidal::cluster {

inline constexpr std::array<ShardId, 2> kSimShards = {ShardId(1), ShardId(2)};

class SimLife;

/// The state machine of one group: a chain over all records, kept in one small file.
class SimMachine final : public GroupSink {
public:
    SimMachine(SimLife& life, GroupChecker& checker, ShardId shard);

    /// The newest checkpoint, or a group that never ran.
    Result<raft::DurableState> load(const raft::Configuration& initial);

    void committed(CommittedRun run) override;
    void leading(Term term) override;
    void following(Term term, raft::PeerId leader) override;
    void durable(LogIndex own, std::span<const LogIndex> voters) override;
    void snapshot_wanted() override;
    void stage_snapshot(const raft::SnapshotMeta& meta, const std::string& path,
                        Done done) override;
    void switch_to_snapshot(const raft::SnapshotMeta& meta, Done done) override;

    bool leads = false;
    Term term;
    struct State {
        LogIndex index;
        Term term;
        std::uint64_t chain = 0;
        raft::Configuration configuration;
    };
    State state;

private:
    std::string encode(const State& of) const;
    Result<State> decode(std::string_view bytes) const;
    void checkpoint();

    SimLife& life_;
    GroupChecker& checker_;
    const ShardId shard_;
    LogIndex checkpoint_;
    std::optional<State> staged_;
    std::uint64_t offered_ = 0;
};

struct SimNodeOptions {
    raft::PeerId self;
    raft::Configuration initial;  ///< Empty for one that joins later.
    bool forget_terms = false;
    std::uint64_t checkpoint_entries = 20;
    std::uint64_t keep_entries = 5;
};

class SimLife final : public GroupTransport {
public:
    SimLife(runtime::SimWorld& world, runtime::SimDisk& disk, GroupChecker& checker,
            const SimNodeOptions& options);
    ~SimLife() override;

    Result<void> start();
    Result<void> send(raft::PeerId to, GroupTraffic traffic, std::string packet) override;

    GroupHost& host() { return *host_; }
    bool alive() const { return host_ && !runtime_->crashed(); }
    runtime::SimRuntime& runtime() { return *runtime_; }
    SimMachine& machine(ShardId shard) { return *machines_.at(shard); }
    std::uint64_t installs = 0;
    const SimNodeOptions options;

private:
    GroupChecker& checker_;
    std::unique_ptr<runtime::SimRuntime> runtime_;
    std::unique_ptr<runtime::Executor> net_;
    std::unique_ptr<wal::NodeLog> log_;
    std::map<ShardId, std::unique_ptr<SimMachine>> machines_;
    std::unique_ptr<GroupHost> host_;
    std::unique_ptr<runtime::Endpoint> endpoint_;
};

}  // namespace tidal::cluster
