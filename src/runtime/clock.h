// runtime/clock.h: the only door to time. Nothing above `runtime` calls now() of any library.
#pragma once

#include <cstdint>

#include "base/hlc.h"

namespace tidal::runtime {

/// Threads: any.
class Clock {
public:
    virtual ~Clock() = default;
    /// Wall clock in Unix milliseconds, UTC. May jump either way.
    virtual UnixMillis wall_ms() = 0;
    /// Nanoseconds since some start; never goes backwards.
    virtual std::uint64_t monotonic_ns() = 0;
};

}  // namespace tidal::runtime
