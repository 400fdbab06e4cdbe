#include "http/cluster_metrics.h"

#include <limits>
#include <string>

namespace tidal::http {
namespace {

double count(auto number) {
    return static_cast<double>(number);
}

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

void set_replica(Metrics& metrics, const std::string& shard, cluster::NodeId node,
                 double durable_index, double lag_entries, double lag_seconds) {
    const std::string number = std::to_string(node.value());
    const auto set = [&](std::string_view name, std::string_view help, double value) {
        metrics.gauge(name, help, {{"shard", shard}, {"node", number}}).set(value);
    };
    set("tidal_replica_durable_index", "Newest record known durable there.", durable_index);
    set("tidal_replica_lag_entries", "Records that it is not known to have.", lag_entries);
    set("tidal_replica_lag_seconds", "Age of the oldest of them.", lag_seconds);
}

void set_group(Metrics& metrics, const api::ShardStatus& shard) {
    const std::string id = std::to_string(shard.shard.value());
    const auto set = [&](std::string_view name, std::string_view help, double value) {
        metrics.gauge(name, help, {{"shard", id}}).set(value);
    };
    set("tidal_shard_leader", "Number of the node that leads; 0 while unknown.",
        count(shard.leader.value()));
    set("tidal_shard_is_leader", "1 where this node leads.", shard.role == "leader" ? 1 : 0);
    set("tidal_shard_term", "Term of consensus.", count(shard.term.value()));
    set("tidal_shard_commit_index", "Newest record known committed.", count(shard.commit.value()));
    set("tidal_shard_durable_index", "Newest record durable here.", count(shard.durable.value()));
    set("tidal_shard_lag_entries", "Committed records not yet applied here.",
        count(shard.apply_lag_entries));
    // Where it is not known, it is no number.
    set("tidal_shard_staleness_seconds", "How old reads here may be.",
        shard.staleness_ms ? count(*shard.staleness_ms) / 1000 : kUnknown);
    set("tidal_shard_voters", "Replicas that vote.", count(shard.voters.size()));
    set("tidal_shard_learners", "Replicas that do not.", count(shard.learners.size()));
    set("tidal_shard_proposals", "Proposed here, not yet decided.", count(shard.proposals));
    set("tidal_shard_snapshots_made", "Snapshots made here for replicas behind, since the start.",
        count(shard.snapshots_made));
    set("tidal_shard_snapshots_installed", "Snapshots taken over here since the start.",
        count(shard.snapshots_installed));
    set("tidal_shard_log_stalled", "1 where the disk has no room.", shard.log_stalled ? 1 : 0);
    for (const api::ReplicaStatus& replica : shard.replicas)
        set_replica(metrics, id, replica.node, count(replica.durable.value()),
                    count(replica.lag_entries), replica.lag_seconds);
    if (!shard.replicas.empty()) return;
    // What was true while this node led is true no longer.
    for (const auto* members : {&shard.voters, &shard.learners})
        for (const cluster::NodeId node : *members)
            set_replica(metrics, id, node, kUnknown, kUnknown, kUnknown);
}

/// A node that left is no peer that is down.
void remove_node(Metrics& metrics, const api::ClusterStatus& status, cluster::NodeId node) {
    const std::string number = std::to_string(node.value());
    for (const char* name : {"tidal_peer_up", "tidal_peer_round_trip_seconds"})
        metrics.remove_gauge(name, {{"node", number}});
    for (const api::ShardStatus& shard : status.shards)
        for (const char* name : {"tidal_replica_durable_index", "tidal_replica_lag_entries",
                                 "tidal_replica_lag_seconds"})
            metrics.remove_gauge(
                name, {{"shard", std::to_string(shard.shard.value())}, {"node", number}});
}

}  // namespace

void set_cluster_gauges(Metrics& metrics, const api::ClusterStatus& status) {
    const auto set = [&](std::string_view name, std::string_view help, double value) {
        metrics.gauge(name, help).set(value);
    };
    double nodes = 0, nodes_up = 0, leads = 0, leaderless = 0;
    for (const api::NodeStatus& node : status.nodes) {
        const std::string number = std::to_string(node.node.value());
        if (node.state == "left") {
            remove_node(metrics, status, node.node);
            continue;
        }
        ++nodes;
        if (node.self) continue;
        nodes_up += node.up ? 1 : 0;
        metrics.gauge("tidal_peer_up", "1 where the node is heard of.", {{"node", number}})
            .set(node.up ? 1 : 0);
        metrics
            .gauge("tidal_peer_round_trip_seconds", "Of the newest ping; 0 before the first.",
                   {{"node", number}})
            .set(node.round_trip_ms / 1000);
    }
    for (const api::ShardStatus& shard : status.shards) {
        leads += shard.leader == status.node ? 1 : 0;
        leaderless += shard.leader == cluster::kNoNode ? 1 : 0;
        set_group(metrics, shard);
    }
    set("tidal_cluster_nodes", "Nodes of the cluster.", nodes);
    set("tidal_cluster_peers_up", "Other nodes that are heard of.", nodes_up);
    set("tidal_cluster_leads", "Shards that this node leads.", leads);
    set("tidal_cluster_shards_without_leader", "Shards nobody is known to lead.", leaderless);
    set("tidal_cluster_draining", "1 while this node hands on what it leads.",
        status.draining ? 1 : 0);
    set("tidal_cluster_calls_local", "Writes served here since the start.",
        count(status.calls.local));
    set("tidal_cluster_calls_forwarded", "Writes sent to a leader elsewhere since the start.",
        count(status.calls.forwarded));
    set("tidal_cluster_calls_retried", "Of those, sent once more.", count(status.calls.retried));
    set("tidal_cluster_calls_refused", "Calls refused for want of a leader since the start.",
        count(status.calls.refused));
    set("tidal_cluster_calls_served", "Calls of other nodes served since the start.",
        count(status.calls.served));
    set("tidal_cluster_reads_at_once", "Reads that were new enough as this node was.",
        count(status.reads.at_once));
    set("tidal_cluster_reads_confirmed",
        "Reads that waited for groups to confirm how new they are.", count(status.reads.confirmed));
    set("tidal_cluster_reads_refused", "Reads refused because nobody confirmed that in time.",
        count(status.reads.refused));
}

}  // namespace tidal::http
