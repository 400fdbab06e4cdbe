// cluster/membership.h: who the members of a cluster's groups should be, and the next step there.
// Pure: a group's leader asks again whenever its status or the members of the cluster change.
#pragma once

#include <optional>
#include <set>
#include <span>

#include "cluster/member_texts.h"
#include "raft/status.h"

namespace tidal::cluster {

/// Every member has a replica of every group; beyond so many, it does not vote.
inline constexpr std::size_t kVotersMax = 7;
/// A learner that is no further behind what is committed becomes a voter: a quorum that needs it
/// does not have to wait.
inline constexpr std::uint64_t kPromoteLagMax = 10;

/// As a replica of any group.
inline raft::PeerId peer_of(NodeId node) {
    return raft::PeerId(node.value());
}

/// Those who should have replicas: joining and active ones.
std::set<NodeId> nodes_wanted(std::span<const Member> members);

/// The number for the next node: above every one ever given, those of nodes that left included.
/// @param  ever  In any order.
/// @return kOverloaded  there are no more.
Result<NodeId> next_node(std::span<const NodeId> ever);

/// What a leader should ask GroupHost::change_members() for next; nullopt when there is nothing to
/// do, or nothing yet. Asked again with a newer status, it leads step by step to a group of the
/// wanted nodes, voters_max of them voters:
///
///     1. nodes that are missing come as learners; learners that are not wanted go
///     2. a learner that has caught up becomes a voter, while there are fewer than voters_max
///     3. a voter that is not wanted goes, the leader itself last (the core hands over then)
///
/// Each step is legal by itself: none while another is under way (joint or not committed) or
/// leadership is being handed on; one voter more or less at a time; and none after which the voters
/// that answer would be no majority. With nobody wanted, everything stays.
std::optional<raft::Members> next_members(const raft::Status& leader,
                                          const std::set<NodeId>& wanted,
                                          std::size_t voters_max = kVotersMax);

/// Whether the voters without `gone` have a majority among themselves that answers: then it can go.
/// False for the last voter. `leader` as its leader sees the group.
bool has_majority_without(const raft::Status& leader, raft::PeerId gone);

}  // namespace tidal::cluster
