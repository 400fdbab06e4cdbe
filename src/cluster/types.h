// cluster/types.h: nodes and what they say of themselves.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"

namespace tidal::cluster {

/// A node of a cluster, numbered by it from 1. Never used again: a node that lost its disk joins as
/// a new one. As a replica of a group it is raft::PeerId of the same number.
using NodeId = Id<struct ClusterNodeTag, std::uint32_t>;
inline constexpr NodeId kNoNode{0};

/// What the files CLUSTER and NODE of a data directory say (docs/operations/running.md).
struct NodeIdentity {
    std::string cluster_id;   ///< 32 hex digits.
    NodeId node;              ///< >= 1.
    std::string instance_id;  ///< 32 hex digits: this disk, and no other.
    RegionId region = kFirstRegion;
    bool operator==(const NodeIdentity&) const = default;
};

/// How a certificate names a node: "tidal://<cluster id>/node/<number>/<instance id>".
std::string certificate_name(const NodeIdentity& identity);

}  // namespace tidal::cluster
