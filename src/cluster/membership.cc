#include "cluster/membership.h"

#include <algorithm>
#include <limits>

namespace tidal::cluster {
namespace {

using raft::PeerId;

const raft::PeerStatus* find_peer(const raft::Status& leader, PeerId peer) {
    for (const raft::PeerStatus& each : leader.peers)
        if (each.peer == peer) return &each;
    return nullptr;
}

bool answers(const raft::Status& leader, PeerId peer) {
    if (peer == leader.self) return true;
    const raft::PeerStatus* const status = find_peer(leader, peer);
    return status != nullptr && status->active;
}

bool majority_answers(const raft::Status& leader, std::span<const PeerId> voters) {
    const auto up = std::count_if(voters.begin(), voters.end(),
                                  [&](PeerId peer) { return answers(leader, peer); });
    return static_cast<std::size_t>(up) * 2 > voters.size();
}

/// Measured against what is committed: under load the newest entries are on their way everywhere.
bool caught_up(const raft::Status& leader, PeerId peer) {
    const raft::PeerStatus* const status = find_peer(leader, peer);
    return status != nullptr && status->active && status->flow == raft::Flow::kReplicate &&
           status->match.value() + kPromoteLagMax >= leader.commit.value();
}

std::vector<PeerId> without(const std::vector<PeerId>& peers, PeerId gone) {
    std::vector<PeerId> rest;
    std::copy_if(peers.begin(), peers.end(), std::back_inserter(rest),
                 [gone](PeerId peer) { return peer != gone; });
    return rest;
}

/// Leading, and free to begin a change.
bool may_change(const raft::Status& status) {
    return status.role == raft::Role::kLeader && !status.configuration.joint() &&
           status.configuration_index <= status.commit && status.transferee == raft::kNobody &&
           majority_answers(status, status.configuration.voters);
}

/// The learners there should be; equal to the present ones when nothing has to change.
std::vector<PeerId> learners_wanted(const raft::Configuration& now,
                                    const std::set<NodeId>& wanted) {
    std::vector<PeerId> learners;
    for (const NodeId node : wanted)
        if (!now.is_voter(peer_of(node))) learners.push_back(peer_of(node));
    return learners;
}

}  // namespace

std::set<NodeId> nodes_wanted(std::span<const Member> members) {
    std::set<NodeId> wanted;
    for (const Member& member : members)
        if (member.state == MemberState::kJoining || member.state == MemberState::kActive)
            wanted.insert(member.node);
    return wanted;
}

Result<NodeId> next_node(std::span<const NodeId> ever) {
    NodeId last = kNoNode;
    for (const NodeId node : ever) last = std::max(last, node);
    if (last.value() == std::numeric_limits<NodeId::number_type>::max())
        return Error(ErrorCode::kOverloaded, "the cluster has no numbers left for nodes");
    return last.next();
}

std::optional<raft::Members> next_members(const raft::Status& leader,
                                          const std::set<NodeId>& wanted, std::size_t voters_max) {
    if (!may_change(leader) || wanted.empty()) return std::nullopt;
    const raft::Configuration& now = leader.configuration;

    auto learners = learners_wanted(now, wanted);
    if (learners != now.learners) return raft::Members{now.voters, std::move(learners)};

    if (now.voters.size() < voters_max)
        for (const PeerId learner : now.learners) {
            if (!caught_up(leader, learner)) continue;
            raft::Members next{now.voters, without(now.learners, learner)};
            next.voters.push_back(learner);
            if (majority_answers(leader, next.voters)) return next;
        }

    const auto unwanted = [&](PeerId peer) {
        return std::none_of(wanted.begin(), wanted.end(),
                            [peer](NodeId node) { return peer_of(node) == peer; });
    };
    for (const PeerId voter : now.voters)
        if (voter != leader.self && unwanted(voter) && has_majority_without(leader, voter))
            return raft::Members{without(now.voters, voter), now.learners};
    // Last of the unwanted: with another one left to go, that one is for the next leader.
    if (now.is_voter(leader.self) && unwanted(leader.self) &&
        std::count_if(now.voters.begin(), now.voters.end(), unwanted) == 1 &&
        has_majority_without(leader, leader.self))
        return raft::Members{without(now.voters, leader.self), now.learners};
    return std::nullopt;
}

bool has_majority_without(const raft::Status& leader, PeerId gone) {
    const auto rest = without(leader.configuration.voters, gone);
    return !rest.empty() && majority_answers(leader, rest);
}

}  // namespace tidal::cluster
