// api/cluster.h: what an operator does with a cluster. Database::cluster() has it; absent on a
// standalone server.
#pragma once

#include <absl/functional/any_invocable.h>

#include <optional>
#include <string>

#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"
#include "cluster/types.h"

namespace tidal::api {

struct NewJoinToken {
    std::string token;  ///< Shown this once.
    std::uint64_t id = 0;
    UnixMillis expires_ms = 0;
};

struct Leader {
    cluster::NodeId node;
    std::string http_address;  ///< Empty = it takes no clients.
    bool here = false;
};

/// Threads: any. Callbacks as Database's. Works on every member: what only a leader can do is sent
/// to it; kUnavailable with reason "no_leader" after `timeout_ms` without one.
class Cluster {
public:
    using Done = absl::AnyInvocable<void(Result<void>)>;
    static constexpr std::uint64_t kTimeoutMs = 10'000;
    static constexpr std::uint64_t kTokenTtlMsMax = 7ULL * 24 * 3600 * 1000;

    virtual ~Cluster() = default;

    /// For one node. kInvalidArgument of field `ttl_ms`: 1 s to 7 days.
    virtual void create_join_token(std::uint64_t ttl_ms,
                                   absl::AnyInvocable<void(Result<NewJoinToken>)> done) = 0;
    /// Answers bytes of cluster/join.h by bytes of it, a refusal included.
    virtual void answer_join(std::string request,
                             absl::AnyInvocable<void(std::string answer)> done) = 0;

    /// Takes a node out of every group, for good: it is not let in again. `done` once every group
    /// goes on without it. kNotFound; kConflict reason "last_node", or "majority_at_risk" when
    /// without it a group would lack a majority of voters that are up.
    virtual void remove_node(cluster::NodeId node, Done done) = 0;
    /// This node: hands on what it leads, then remove_node(). Afterwards stop the process.
    virtual void leave(Done done) = 0;

    /// `done` when `to` leads, which waits for one that lacks a part of the log.
    /// kInvalidArgument  not a voter; kUnavailable reason "target_down" at once when the leader
    /// does not reach it, "target_behind" when it still lacks `entries_behind` after kTimeoutMs;
    /// kTimeout.
    virtual void transfer(ShardId shard, cluster::NodeId to, Done done) = 0;
    /// Hands on all that this node leads and takes no leadership until undrain(); `done` when it
    /// leads nothing. kConflict reason "no_other_voter". Undone by a restart.
    virtual void drain(Done done) = 0;
    virtual void undrain() = 0;

    /// nullopt while unknown.
    virtual std::optional<Leader> leader_of(ShardId shard) = 0;
};

}  // namespace tidal::api
