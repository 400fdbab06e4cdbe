// api/cluster_status.h: what a node knows of its cluster, for GET /cluster/status, /cluster/nodes
// and /cluster/shards. From live state of this node; another one may see it otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/identity.h"
#include "base/hlc.h"
#include "base/ids.h"
#include "cluster/types.h"

namespace tidal::api {

/// How far one replica is, as the shard's leader sees it.
struct ReplicaStatus {
    cluster::NodeId node;
    bool voter = false;  ///< Else a learner.
    bool up = false;     ///< This node hears of it (itself: always).
    LogIndex durable;    ///< Known durable there.
    std::uint64_t lag_entries = 0;
    /// Age of the oldest entry that it is not known to have; 0 = it has all. A little less than the
    /// truth, by at most the interval of sampling (200 ms).
    double lag_seconds = 0;
    bool snapshot = false;             ///< Receives one...
    std::uint64_t snapshot_bytes = 0;  ///< ...and has so much of it.
};

/// What a replica holds, as a number that is equal on all replicas which applied the same records.
struct ShardContent {
    LogIndex applied;  ///< The newest record in it.
    std::uint64_t hash = 0;
};

/// One group: shard 0 (metadata) and the data shards.
struct ShardStatus {
    ShardId shard;
    std::string role;         ///< Of the replica here: "leader", "follower", "pre_candidate",
                              ///< "candidate", "learner".
    cluster::NodeId leader;   ///< kNoNode = unknown.
    std::string leader_http;  ///< Empty = unknown.
    Term term;
    // Of the replica here.
    LogIndex commit, applied, durable, last, checkpointed;
    std::uint64_t apply_lag_entries = 0;        ///< commit - applied.
    std::optional<std::uint64_t> staleness_ms;  ///< FenceReply's of now.
    std::vector<cluster::NodeId> voters, learners;
    bool joint = false;                   ///< A change of members is under way.
    std::vector<ReplicaStatus> replicas;  ///< By node; empty unless the leader is here.
    std::uint64_t proposals = 0;          ///< Proposed here, not yet decided.
    std::uint64_t uncommitted_bytes = 0;
    bool log_stalled = false;  ///< The disk has no room.
    /// For replicas that the log has left behind, here and since the start.
    std::uint64_t snapshots_made = 0, snapshots_installed = 0;
    std::uint16_t vshard_begin = 0, vshard_end = 0;  ///< Half-open; none of shard 0.
    std::uint64_t entities = 0;
    std::optional<ShardContent> content;  ///< Where Database::contents() was asked.
};

struct NodeStatus {
    cluster::NodeId node;
    bool self = false;
    std::string peer_address, http_address;
    std::string instance_id;
    /// "joining", "active", "leaving", "left".
    std::string state;
    bool up = false;             ///< As seen from here.
    double round_trip_ms = 0;    ///< Of the newest ping; 0 = none yet, or itself.
    std::string circuit;         ///< "closed", "open", "half_open"; of itself "closed".
    std::string newest_refusal;  ///< Why greetings fail; empty = they do not.
    std::uint64_t leads = 0;     ///< Groups it leads, as known here.
    UnixMillis joined_ms = 0;
};

struct ClusterStatus {
    NodeMode mode = NodeMode::kStandalone;
    std::string cluster_id;
    cluster::NodeId node;  ///< Who answers.
    RegionId region;
    bool ready = true;  ///< This node can serve: it has schema and configuration of all shards.
    bool draining = false;
    bool healthy = true;                ///< Every group has a leader known here.
    std::vector<std::string> problems;  ///< Why not, and what else an operator should look at.
    /// Connections and greetings refused here or by others, the newest last: nodes of other
    /// clusters, nodes that left. At most 17, ever.
    std::vector<std::string> refusals;
    std::vector<NodeStatus> nodes;    ///< By number.
    std::vector<ShardStatus> shards;  ///< Shard 0 first.
    /// Calls of this node: served here, sent to a leader elsewhere, refused for want of a leader.
    struct Calls {
        std::uint64_t local = 0, forwarded = 0, retried = 0, refused = 0;
        std::uint64_t served = 0;  ///< Of other nodes, here.
    } calls;
    /// Reads of this node: new enough as it was; after the groups had confirmed how new; refused
    /// for want of that in time.
    struct Reads {
        std::uint64_t at_once = 0, confirmed = 0, refused = 0;
    } reads;
};

}  // namespace tidal::api
