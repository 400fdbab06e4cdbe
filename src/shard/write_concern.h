// shard/write_concern.h: when a client is answered (cluster.md §4).
#pragma once

#include <cstdint>

namespace tidal::shard {

enum class WriteConcern : std::uint8_t {
    kMemory,  ///< Validated and queued: may be lost. With --ephemeral: applied.
    kLocal,   ///< Durable on this node and applied.
};

}  // namespace tidal::shard
