#include "api/internal/intervals.h"

#include <algorithm>
#include <cmath>

namespace tidal::api {
namespace {
constexpr double kZ = 1.959963984540054;  // Of the normal distribution 95 % lie within +-kZ.
}

/// In Wilson's terms: p = rate, n = trials, z = kZ.
std::optional<Interval> wilson_interval(std::uint64_t successes, std::uint64_t trials) {
    if (trials == 0) return std::nullopt;
    const auto n = static_cast<double>(trials);
    const double p = static_cast<double>(successes) / n;
    const double middle = p + kZ * kZ / (2 * n);
    const double half = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
    const double whole = 1 + kZ * kZ / n;
    return Interval{successes == 0 ? 0 : (middle - half) / whole,
                    successes == trials ? 1 : (middle + half) / whole};
}

std::optional<Interval> mean_interval(std::uint64_t values, double sum, double sum_of_squares) {
    if (values < 2) return std::nullopt;
    const auto n = static_cast<double>(values);
    const double mean = sum / n;
    // Rounding may leave less than nothing of equal values.
    const double variance = std::max(0.0, (sum_of_squares - mean * sum) / (n - 1));
    const double half = kZ * std::sqrt(variance / n);
    return Interval{mean - half, mean + half};
}

}  // namespace tidal::api
