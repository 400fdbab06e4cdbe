// cluster/internal/greeting.h: whether what a peer says of itself fits. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/peer_packet.h"

namespace tidal::cluster::internal {

/// What a node knows before it judges a greeting.
struct GreetingRules {
    const Introduction& self;
    NodeId expected;                    ///< Of the peer; kNoNode = any.
    std::string_view instance;          ///< The peer's, where known already; empty = any.
    bool removed = false;               ///< The peer left the cluster.
    bool authenticated = false;         ///< Peers show certificates...
    std::string_view certificate_name;  ///< ...and the peer's names this.
};

/// nullopt: it fits. Else why not, in words that hold both sides' values.
std::optional<Refusal> judge(const Introduction& peer, std::uint64_t nonce,
                             const GreetingRules& rules);
/// The greatest version both speak; 0 = none.
std::uint16_t common_version(const Introduction& a, const Introduction& b);

}  // namespace tidal::cluster::internal
