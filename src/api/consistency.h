// api/consistency.h: how new what a read sees has to be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/types.h"
#include "base/result.h"

namespace tidal::api {

struct Consistency {
    enum class Kind : std::uint8_t {
        kStrong,    ///< Sees every write that was acknowledged before the read began, on any node.
        kBounded,   ///< Sees every write acknowledged `staleness_ms_max` or more before it began.
        kEventual,  ///< What this node has.
    };
    Kind kind = Kind::kStrong;
    std::uint64_t staleness_ms_max = 0;  ///< With kBounded; at least 1.
    bool operator==(const Consistency&) const = default;
};

/// "strong", "bounded_staleness:<seconds>" (a decimal number, at most 3600; "0.5"), "eventual".
/// kInvalidArgument of field `read_consistency`, with what would be right.
Result<Consistency> parse_consistency(std::string_view text);
/// As parse_consistency() takes it.
std::string print_consistency(const Consistency& consistency);

/// What has to hold before a read: the consistency, and what its token names is applied.
struct ReadFence {
    Consistency consistency;
    std::string token;  ///< Of a write's reply; empty = none.
};

/// What the read looks at. Neither = all shards.
struct FenceScope {
    std::optional<EntityRequest> entity;
    std::optional<std::uint64_t> session;
};

/// Where the answer of a fence may run beside the caller's thread and shards' executors.
enum class FenceAnswer : std::uint8_t {
    kMayWait,  ///< Nowhere else.
    /// On the loop of consensus, where nothing may wait, not for a shard's monitor either: it
    /// passes on what does to a thread of its own.
    kOnLoop,
};

struct FenceReply {
    /// No write acknowledged longer ago than this is missing, by this node's monotonic clock.
    /// nullopt: not known (an eventual read before this node heard of a leader). 0 on a server that
    /// is no cluster.
    std::optional<std::uint64_t> staleness_ms;
};

}  // namespace tidal::api
