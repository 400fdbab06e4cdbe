// What a node knows of its cluster, gathered from live state.
#include "api/cluster_status.h"

#include <algorithm>

#include "api/internal/cluster_node.h"

namespace tidal::api {
namespace {

cluster::NodeId node_of(raft::PeerId peer) {
    return cluster::NodeId(static_cast<std::uint32_t>(peer.value()));
}

std::vector<cluster::NodeId> nodes_of(const std::vector<raft::PeerId>& peers) {
    std::vector<cluster::NodeId> nodes;
    for (const raft::PeerId peer : peers) nodes.push_back(node_of(peer));
    return nodes;
}

std::string_view role_of(const raft::Status& status) {
    const auto& learners = status.configuration.learners;
    if (std::ranges::find(learners, status.self) != learners.end()) return "learner";
    switch (status.role) {
        case raft::Role::kFollower:
            return "follower";
        case raft::Role::kPreCandidate:
            return "pre_candidate";
        case raft::Role::kCandidate:
            return "candidate";
        case raft::Role::kLeader:
            return "leader";
    }
    return "";
}

}  // namespace

ClusterStatus Database::cluster_status() {
    ClusterStatus status;
    status.mode = identity_.mode;
    status.cluster_id = identity_.cluster_id;
    status.node = cluster::NodeId(identity_.node);
    status.region = identity_.region;
    status.ready = ready();
    for (auto& each : shards_) {
        const auto stats = each->stats();
        ShardStatus& shard = status.shards.emplace_back();
        shard.shard = each->id();
        shard.applied = stats.applied;
        shard.checkpointed = stats.checkpointed;
        shard.entities = stats.items + stats.users + stats.creators;
        if (!each->readable().ok()) continue;
        each->with_state([&](shard::ShardState& state) {
            shard.vshard_begin = state.config().vshard_begin;
            shard.vshard_end = state.config().vshard_end;
        });
        if (cluster_ != nullptr) continue;
        shard.role = "leader";
        shard.leader = status.node;
        shard.commit = shard.durable = stats.applied;
        shard.last = stats.proposed;
        shard.staleness_ms = 0;
        shard.voters = {status.node};
        shard.replicas = {
            {.node = status.node, .voter = true, .up = true, .durable = stats.applied}};
    }
    if (cluster_ == nullptr) {
        status.nodes = {{.node = status.node,
                         .self = true,
                         .instance_id = identity_.instance_id,
                         .state = "active",
                         .up = true,
                         .circuit = "closed",
                         .leads = shards_.size()}};
        return status;
    }
    cluster_->fill(&status);
    return status;
}

void ClusterNode::fill_shard(const std::vector<cluster::PeerStats>& peers, ShardStatus* shard) {
    const auto group = node_->groups().status(shard->shard);
    if (!group.ok()) return;
    const raft::Status& raft = group->raft;
    const std::uint64_t now = runtime_.clock().monotonic_ns();
    shard->role = role_of(raft);
    shard->leader = router_->leader_of(shard->shard);
    shard->leader_http = http_of(shard->leader);
    shard->term = raft.term;
    shard->commit = raft.commit;
    shard->durable = raft.durable;
    shard->last = raft.last;
    shard->apply_lag_entries =
        raft.commit > shard->applied ? raft.commit.value() - shard->applied.value() : 0;
    shard->staleness_ms = fences_->staleness_ms(shard->shard);
    shard->voters = nodes_of(raft.configuration.voters);
    shard->learners = nodes_of(raft.configuration.learners);
    shard->joint = raft.configuration.joint();
    shard->proposals = group->proposals;
    shard->uncommitted_bytes = raft.uncommitted_bytes;
    shard->log_stalled = group->log.stalled;
    const auto snapshots = replica(shard->shard).stats();
    shard->snapshots_made = snapshots.snapshots_made;
    shard->snapshots_installed = snapshots.snapshots_installed;
    if (raft.role != raft::Role::kLeader) return;
    lag_clock_.sample(shard->shard, raft.last, now);
    const auto add = [&](raft::PeerId peer, LogIndex durable) -> ReplicaStatus& {
        ReplicaStatus& replica = shard->replicas.emplace_back();
        replica.node = node_of(peer);
        replica.voter = raft.configuration.is_voter(peer);
        replica.durable = durable;
        replica.lag_entries = raft.last > durable ? raft.last.value() - durable.value() : 0;
        replica.lag_seconds = lag_clock_.lag_seconds(shard->shard, durable, raft.last, now);
        return replica;
    };
    add(raft.self, raft.durable).up = true;
    for (const raft::PeerStatus& peer : raft.peers) {
        ReplicaStatus& replica = add(peer.peer, peer.match);
        replica.up = std::ranges::any_of(peers, [&](const cluster::PeerStats& each) {
            return each.node == replica.node && each.up;
        });
        replica.snapshot = peer.flow == raft::Flow::kSnapshot;
        replica.snapshot_bytes = peer.snapshot_offset;
    }
    std::ranges::sort(shard->replicas, {}, &ReplicaStatus::node);
}

void ClusterNode::fill(ClusterStatus* status) {
    const auto peers = node_->peers().stats();
    status->refusals = node_->peers().refusals();
    if (auto newest = node_->peers().endpoint_stats().newest_refusal; !newest.empty())
        status->refusals.push_back(std::move(newest));
    status->draining = draining_;
    status->calls = router_->calls();
    status->reads = fences_->reads();
    std::map<cluster::NodeId, std::uint64_t> leads;
    for (ShardStatus& shard : status->shards) {
        fill_shard(peers, &shard);
        if (shard.leader != cluster::kNoNode) ++leads[shard.leader];
        const std::string name = "shard " + std::to_string(shard.shard.value());
        if (shard.leader == cluster::kNoNode) status->problems.push_back(name + " has no leader");
        if (shard.log_stalled)
            status->problems.push_back(name + ": the disk has no room for the log");
        if (auto error = replica(shard.shard).stats().snapshot_error; !error.empty())
            status->problems.push_back(name + ": no snapshot: " + error);
        status->healthy = status->healthy && shard.leader != cluster::kNoNode;
    }
    if (!status->ready) status->problems.emplace_back("this node is catching up");
    fill_nodes(peers, leads, status);
}

void ClusterNode::fill_nodes(const std::vector<cluster::PeerStats>& peers,
                             const std::map<cluster::NodeId, std::uint64_t>& leads,
                             ClusterStatus* status) {
    std::map<cluster::NodeId, NodeStatus> nodes;
    for (const auto known = members(); const cluster::Member& member : *known)
        nodes[member.node] = describe(member);
    NodeStatus& own = nodes[self_];
    own.node = self_;
    own.self = own.up = true;
    own.peer_address = peer_address();
    own.http_address = options_.http_address;
    own.instance_id = database_.identity_.instance_id;
    own.circuit = cluster::circuit_state_name(cluster::CircuitState::kClosed);
    if (own.state.empty()) own.state = "joining";
    for (const cluster::PeerStats& peer : peers) {
        NodeStatus& node = nodes[peer.node];
        node.node = peer.node;
        if (node.peer_address.empty()) node.peer_address = peer.info.address;
        if (node.state.empty()) node.state = "joining";
        node.up = peer.up;
        node.round_trip_ms = static_cast<double>(peer.round_trip_ns) / 1e6;
        node.circuit = cluster::circuit_state_name(peer.circuit);
        node.newest_refusal = peer.newest_refusal;
    }
    for (auto& [number, node] : nodes) {
        if (const auto found = leads.find(number); found != leads.end()) node.leads = found->second;
        if (node.state == "active" && !node.up)
            status->problems.push_back("node " + std::to_string(number.value()) + " is down");
        status->nodes.push_back(std::move(node));
    }
}

}  // namespace tidal::api
