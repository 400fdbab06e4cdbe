// base/hlc.h: hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014).
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

namespace tidal {

/// Milliseconds since the Unix epoch, UTC. Negative before 1970.
using UnixMillis = std::int64_t;

/// 48-bit wall milliseconds and a 16-bit counter in one comparable number; 0 = never.
class HybridTime {
public:
    constexpr HybridTime() = default;
    static constexpr HybridTime from_bits(std::uint64_t bits) { return HybridTime(bits); }
    static constexpr HybridTime from(UnixMillis wall_ms, std::uint16_t logical) {
        return HybridTime((static_cast<std::uint64_t>(wall_ms) << 16) | logical);
    }
    constexpr std::uint64_t bits() const { return bits_; }
    constexpr UnixMillis wall_ms() const { return static_cast<UnixMillis>(bits_ >> 16); }
    constexpr std::uint16_t logical() const { return static_cast<std::uint16_t>(bits_ & 0xffff); }
    constexpr auto operator<=>(const HybridTime&) const = default;

private:
    constexpr explicit HybridTime(std::uint64_t bits) : bits_(bits) {}
    std::uint64_t bits_ = 0;
};

/// Hands out strictly rising stamps whatever the wall clock does. Not thread-safe: a shard owns
/// one.
class HybridClock {
public:
    /// The next stamp, given the wall clock. A wall clock that stands still or goes backwards
    /// advances the counter, and carries into the milliseconds when the counter is full.
    HybridTime tick(UnixMillis wall_ms) {
        const auto wall = HybridTime::from(std::max<UnixMillis>(wall_ms, 0), 0);
        last_ = std::max(wall, HybridTime::from_bits(last_.bits() + 1));
        return last_;
    }
    /// Never hands out a stamp at or below one already seen (replay, a message of a peer).
    void observe(HybridTime seen) { last_ = std::max(last_, seen); }
    HybridTime last() const { return last_; }

private:
    HybridTime last_;
};

}  // namespace tidal
