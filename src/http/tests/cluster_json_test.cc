#include "http/cluster_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>

#include "http/cluster_metrics.h"

namespace tidal::http {
namespace cluster_json_test {

namespace json = boost::json;
using cluster::NodeId;

/// Node 1 of three: it leads shard 0, follows in shard 1, and nobody leads shard 2.
api::ClusterStatus three_nodes() {
    api::ClusterStatus status;
    status.mode = api::NodeMode::kCluster;
    status.cluster_id = "c";
    status.node = NodeId(1);
    status.region = kFirstRegion;
    status.healthy = false;
    for (std::uint32_t n = 1; n <= 4; ++n) {
        api::NodeStatus node;
        node.node = NodeId(n);
        node.self = n == 1;
        node.state = n == 4 ? "left" : "active";
        node.up = n != 3;
        node.round_trip_ms = n * 0.5;
        status.nodes.push_back(node);
    }
    for (std::uint16_t s = 0; s < 3; ++s) {
        api::ShardStatus shard;
        shard.shard = ShardId(s);
        shard.leader = NodeId(s == 2 ? 0 : s + 1);
        shard.role = s == 0 ? "leader" : "follower";
        shard.term = Term(7);
        shard.commit = LogIndex(40);
        shard.applied = LogIndex(38);
        shard.durable = LogIndex(41);
        shard.apply_lag_entries = 2;
        shard.voters = {NodeId(1), NodeId(2), NodeId(3)};
        if (s != 2) shard.staleness_ms = 15;
        if (s == 0)
            for (std::uint32_t n = 1; n <= 3; ++n)
                shard.replicas.push_back({NodeId(n), true, n != 3, LogIndex(40 - n), n, n * 1.5});
        status.shards.push_back(shard);
    }
    return status;
}

TEST(ClusterJson, SumsUpWhatTheNodeSees) {
    const json::object out = cluster_object(three_nodes());
    EXPECT_EQ(out.at("nodes"), 3);  // one has left
    EXPECT_EQ(out.at("nodes_up"), 2);
    EXPECT_EQ(out.at("leads"), 1);
    EXPECT_EQ(out.at("shards"), 3);
    EXPECT_EQ(out.at("shards_without_leader"), 1);
    EXPECT_EQ(out.at("healthy"), false);
}

TEST(ClusterJson, ReplicasAreToldByTheLeaderOnly) {
    const json::value out = json::parse(cluster_shards_json(three_nodes()));
    const json::array& shards = out.at("shards").as_array();
    EXPECT_EQ(shards[0].at("replicas").as_array().size(), 3u);
    EXPECT_EQ(shards[0].at("replicas").at(2).at("lag_s"), 4.5);
    EXPECT_FALSE(shards[1].as_object().contains("replicas"));
    EXPECT_EQ(shards[1].at("staleness_ms"), 15);
    EXPECT_TRUE(shards[2].at("staleness_ms").is_null());
    EXPECT_TRUE(shards[2].at("leader").is_null());
}

TEST(ClusterMetrics, WhatALeaderKnewIsNotTrueOfAFollower) {
    Metrics metrics;
    api::ClusterStatus status = three_nodes();
    set_cluster_gauges(metrics, status);
    const auto lag = [&] {
        return metrics.gauge("tidal_replica_lag_entries", "", {{"shard", "0"}, {"node", "3"}});
    };
    EXPECT_EQ(lag().value(), 3);
    EXPECT_EQ(metrics.gauge("tidal_shard_term", "", {{"shard", "1"}}).value(), 7);
    EXPECT_EQ(metrics.gauge("tidal_cluster_peers_up", "").value(), 1);  // 3 is down, 4 has left
    EXPECT_EQ(metrics.gauge("tidal_cluster_nodes", "").value(), 3);
    EXPECT_EQ(metrics.gauge("tidal_peer_round_trip_seconds", "", {{"node", "2"}}).value(), 0.001);
    status.shards[0].replicas.clear();
    status.shards[0].role = "follower";
    set_cluster_gauges(metrics, status);
    EXPECT_TRUE(std::isnan(lag().value()));
}

}  // namespace cluster_json_test
}  // namespace tidal::http
