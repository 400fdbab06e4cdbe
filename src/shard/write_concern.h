// shard/write_concern.h: when a client is answered (cluster.md §4).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::shard {

/// A value. A shard on one node knows memory and local; majority and all are local there. In a
/// replicated shard everything but kLocal waits for the commit, and kMemory is refused.
struct WriteConcern {
    enum Level : std::uint8_t {
        kMemory,    ///< Validated and queued: may be lost. With --ephemeral: applied.
        kLocal,     ///< Durable on the node that leads. Alone: applied; replicated: may be lost.
        kMajority,  ///< Committed and applied.
        kAll,       ///< Committed, applied and durable on every voter.
        kReplicas,  ///< Committed, applied and durable on so many voters.
    };

    constexpr WriteConcern() = default;
    constexpr WriteConcern(Level of) : level(of) {}  // NOLINT: implicit
    /// @param  count  >= 1; 1 is kLocal.
    static constexpr WriteConcern on(std::uint32_t count) {
        WriteConcern concern(count == 1 ? kLocal : kReplicas);
        concern.replicas = count == 1 ? 0 : count;
        return concern;
    }
    bool operator==(const WriteConcern&) const = default;

    Level level = kLocal;
    std::uint32_t replicas = 0;  ///< Of kReplicas: >= 2.
};

/// "memory", "local", "majority" (also "quorum"), "all" or a number from 1 to 65,535.
/// kInvalidArgument.
Result<WriteConcern> parse_write_concern(std::string_view text);
std::string to_text(const WriteConcern& concern);

}  // namespace tidal::shard
