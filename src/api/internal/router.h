// api/internal/router.h: writes on their way to the leader of their shard.
#pragma once

#include <atomic>
#include <memory>

#include "api/cluster_status.h"
#include "api/forward.h"
#include "cluster/node.h"
#include "shard/shard.h"

namespace tidal::api {

class Database;

inline constexpr cluster::RpcMethod kProposeMethod{1};
inline constexpr cluster::RpcMethod kJoinMethod{2};
inline constexpr cluster::RpcMethod kTransferMethod{3};
inline constexpr cluster::RpcMethod kRemoveMethod{4};

/// A proposal goes to where the leader is known to be; while that is nowhere, or it was not the
/// leader any more, again and again until its time is over. What may have been appended is proposed
/// again only where that changes nothing (may_repeat); from then on outcomes alone are an answer,
/// and without any its fate is unknown.
///
/// Threads   Any. `done` on the shard's executor, or the caller's: not on the loop of consensus,
///           on which calls are answered, but after stop(): then wherever the answer comes.
/// Order     Writes of one caller keep their order while the leader stays the same; a change of
///           leaders may swap those that are under way.
class Router : public std::enable_shared_from_this<Router> {
public:
    using Done = shard::Shard::Done;

    Router(Database& database, runtime::Runtime& runtime, cluster::Node& node,
           cluster::NodeId self);
    /// Before messages arrive.
    void serve();
    void stop() { stopped_ = true; }

    void route(Proposal proposal, std::uint64_t timeout_ms, Done done);
    /// kUnavailable "not_leader" (context leader=NUMBER when known); or "behind": this replica
    /// leads and has yet to be configured, or to apply the schema that the records were made for.
    Result<void> may_propose_here(const Proposal& proposal);
    /// kNoNode while unknown.
    cluster::NodeId leader_of(ShardId shard);

    ClusterStatus::Calls calls() const;

private:
    struct Call;
    using CallPtr = std::shared_ptr<Call>;

    /// Attempts enter the shard, and may wait there.
    runtime::Executor& executor_of(const Call& call);
    void attempt(const CallPtr& call);
    void propose_here(const CallPtr& call);
    void forward(const CallPtr& call, cluster::NodeId to);
    void hear(const CallPtr& call, Result<std::string> answer);
    void answered(const CallPtr& call, Result<std::vector<shard::Outcome>> outcomes);
    void later(const CallPtr& call, Error why);
    void serve_one(cluster::RpcRequest request, cluster::Rpc::Reply reply);

    Database& database_;
    runtime::Runtime& runtime_;
    cluster::Node& node_;
    const cluster::NodeId self_;
    std::atomic<bool> stopped_ = false;
    std::atomic<std::uint64_t> local_ = 0, forwarded_ = 0, retried_ = 0, refused_ = 0, served_ = 0;
};

}  // namespace tidal::api
