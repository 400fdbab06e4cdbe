#include "http/cluster_json.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cinttypes>
#include <cstdio>

#include "base/time_text.h"
#include "http/json_text.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

json::value node_or_null(cluster::NodeId node) {
    return node == cluster::kNoNode ? json::value(nullptr) : json::value(node.value());
}

json::array node_array(const std::vector<cluster::NodeId>& nodes) {
    json::array out;
    for (const cluster::NodeId node : nodes) out.emplace_back(node.value());
    return out;
}

json::object replica_object(const api::ReplicaStatus& replica) {
    json::object out{{"node", replica.node.value()},
                     {"voter", replica.voter},
                     {"up", replica.up},
                     {"durable_index", replica.durable.value()},
                     {"lag_entries", replica.lag_entries},
                     {"lag_s", replica.lag_seconds}};
    if (replica.snapshot) out["snapshot_bytes"] = replica.snapshot_bytes;
    return out;
}

json::object shard_object(const api::ShardStatus& shard) {
    json::object out{{"shard", shard.shard.value()},
                     {"role", shard.role},
                     {"leader", node_or_null(shard.leader)},
                     {"term", shard.term.value()},
                     {"commit_index", shard.commit.value()},
                     {"applied_index", shard.applied.value()},
                     {"durable_index", shard.durable.value()},
                     {"last_index", shard.last.value()},
                     {"checkpoint_index", shard.checkpointed.value()},
                     {"lag_entries", shard.apply_lag_entries},
                     {"staleness_ms",
                      shard.staleness_ms ? json::value(*shard.staleness_ms) : json::value(nullptr)},
                     {"voters", node_array(shard.voters)},
                     {"learners", node_array(shard.learners)},
                     {"members_changing", shard.joint},
                     {"proposals", shard.proposals},
                     {"uncommitted_bytes", shard.uncommitted_bytes},
                     {"log_stalled", shard.log_stalled},
                     {"snapshots_made", shard.snapshots_made},
                     {"snapshots_installed", shard.snapshots_installed},
                     {"entities", shard.entities}};
    if (shard.vshard_begin < shard.vshard_end)
        out["vshards"] = json::array{shard.vshard_begin, shard.vshard_end};
    if (shard.content) {
        std::array<char, 17> hash{};
        std::snprintf(hash.data(), hash.size(), "%016" PRIx64, shard.content->hash);
        out["content_hash"] = hash.data();
        out["content_index"] = shard.content->applied.value();
    }
    if (shard.replicas.empty()) return out;
    json::array replicas;
    for (const api::ReplicaStatus& replica : shard.replicas)
        replicas.push_back(replica_object(replica));
    out["replicas"] = std::move(replicas);
    return out;
}

json::object node_object(const api::NodeStatus& node) {
    json::object out{{"node", node.node.value()},
                     {"self", node.self},
                     {"state", node.state},
                     {"up", node.up},
                     {"leads", node.leads},
                     {"peer_address", node.peer_address},
                     {"http_address", node.http_address},
                     {"instance_id", node.instance_id},
                     {"round_trip_ms", node.round_trip_ms},
                     {"circuit", node.circuit}};
    if (node.joined_ms != 0) out["joined_at"] = format_time(node.joined_ms);
    if (!node.newest_refusal.empty()) out["newest_refusal"] = node.newest_refusal;
    return out;
}

}  // namespace

json::object cluster_object(const api::ClusterStatus& status) {
    std::uint64_t leads = 0, leaderless = 0;
    for (const api::ShardStatus& shard : status.shards) {
        leads += shard.leader == status.node;
        leaderless += shard.leader == cluster::kNoNode;
    }
    const auto is_in = [](const api::NodeStatus& node) { return node.state != "left"; };
    const auto is_up = [](const api::NodeStatus& node) { return node.state != "left" && node.up; };
    return {{"mode", api::node_mode_name(status.mode)},
            {"cluster_id", status.cluster_id},
            {"region", status.region.value()},
            {"node", status.node.value()},
            {"nodes", std::ranges::count_if(status.nodes, is_in)},
            {"nodes_up", std::ranges::count_if(status.nodes, is_up)},
            {"shards", status.shards.size()},
            {"shards_without_leader", leaderless},
            {"leads", leads},
            {"healthy", status.healthy},
            {"ready", status.ready},
            {"draining", status.draining},
            {"problems", json::array(status.problems.begin(), status.problems.end())},
            {"refusals", json::array(status.refusals.begin(), status.refusals.end())},
            {"calls", json::object{{"local", status.calls.local},
                                   {"forwarded", status.calls.forwarded},
                                   {"retried", status.calls.retried},
                                   {"refused", status.calls.refused},
                                   {"served", status.calls.served}}},
            {"reads", json::object{{"at_once", status.reads.at_once},
                                   {"confirmed", status.reads.confirmed},
                                   {"refused", status.reads.refused}}}};
}

std::string cluster_status_json(const api::ClusterStatus& status) {
    return json_text(cluster_object(status));
}

std::string cluster_nodes_json(const api::ClusterStatus& status) {
    json::array nodes;
    for (const api::NodeStatus& node : status.nodes) nodes.push_back(node_object(node));
    return json_text(json::object{{"nodes", std::move(nodes)}});
}

std::string cluster_shards_json(const api::ClusterStatus& status) {
    json::array shards;
    for (const api::ShardStatus& shard : status.shards) shards.push_back(shard_object(shard));
    return json_text(json::object{{"shards", std::move(shards)}});
}

}  // namespace tidal::http
