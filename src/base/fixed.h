// base/fixed.h: sums that do not depend on the order of addition.
//
// Unit    2^-20. One weight lies in [-2^20, 2^20], so in [-2^40, 2^40] units.
// Range   exact for |sum| < 2^43 (8.8e12): 8.4 million events of the greatest weight, or 8.8e12 of
//         weight 1. Beyond it the sum wraps modulo 2^44, so that taking events back still restores
//         it exactly.
#pragma once

#include <compare>
#include <cstdint>

namespace tidal {

class FixedSum {
public:
    static constexpr int kFractionBits = 20;
    static constexpr double kUnit = 1.0 / (1 << kFractionBits);

    constexpr FixedSum() = default;
    static constexpr FixedSum from_units(std::int64_t units) { return FixedSum(units); }

    constexpr std::int64_t units() const { return units_; }
    /// Rounded to nearest when the sum has more than 53 significant bits.
    constexpr double value() const { return static_cast<double>(units_) * kUnit; }

    constexpr FixedSum& operator+=(FixedSum other) {
        units_ =
            wrap(static_cast<std::uint64_t>(units_) + static_cast<std::uint64_t>(other.units_));
        return *this;
    }
    constexpr FixedSum& operator-=(FixedSum other) {
        units_ =
            wrap(static_cast<std::uint64_t>(units_) - static_cast<std::uint64_t>(other.units_));
        return *this;
    }
    friend constexpr FixedSum operator+(FixedSum a, FixedSum b) { return a += b; }
    friend constexpr FixedSum operator-(FixedSum a, FixedSum b) { return a -= b; }
    constexpr auto operator<=>(const FixedSum&) const = default;

private:
    constexpr explicit FixedSum(std::int64_t units) : units_(units) {}
    static constexpr std::int64_t wrap(std::uint64_t bits) {
        return static_cast<std::int64_t>(bits);
    }
    std::int64_t units_ = 0;
};

}  // namespace tidal
