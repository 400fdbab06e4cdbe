// runtime/random.h: the only door to randomness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace tidal::runtime {

/// Threads: any.
class Random {
public:
    virtual ~Random() = default;
    virtual std::uint64_t u64() = 0;
    /// For keys: bytes that nobody can guess who knows all others. Where the world is simulated
    /// they follow from its seed as everything does. kIo when the system refuses.
    virtual Result<std::string> secret_bytes(std::size_t size) = 0;
    /// Uniform in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound) {
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<Wide>(u64()) * bound) >> 64);
    }
};

}  // namespace tidal::runtime
