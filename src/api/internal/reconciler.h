// api/internal/reconciler.h: what leaders do so that every group is what the metadata shard says.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "api/database.h"
#include "cluster/node.h"

namespace tidal::api {

/// Where this node leads a group and may propose: gives the shard configuration and schema that it
/// lacks, changes the group's members to the metadata shard's, one step at a time, and hands the
/// leadership on where this node drains. All of it can be done again, so that a leader that dies in
/// between is followed by one that goes on.
///
/// Threads   Any; the work runs on the executor handed in.
class Reconciler : public std::enable_shared_from_this<Reconciler> {
public:
    Reconciler(Database& database, ClusterNode& cluster, runtime::Executor& executor,
               std::uint64_t interval_ms);
    void start();
    void stop() { stopped_ = true; }
    /// Looks at all groups now, or once what is under way for each is done.
    void poke();

private:
    void tick();
    void look();
    void look_at(ShardId shard);
    bool configure(ShardId shard);
    bool change_members(ShardId shard, const raft::Status& status);
    void with_newest_members(Database::Done done);
    void change_members_now(ShardId shard);
    void hand_on_if_going(ShardId shard);
    void hand_on(ShardId shard, const raft::Status& status);
    void ended(ShardId shard, bool again);

    Database& database_;
    ClusterNode& cluster_;
    runtime::Executor& executor_;
    const std::uint64_t interval_ns_;
    std::vector<std::atomic<bool>> busy_;  ///< By shard.
    std::atomic<bool> posted_ = false, stopped_ = false;
};

}  // namespace tidal::api
