// vector/effort.h: how much of what is near a search may miss for its speed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>

namespace tidal::vector {

/// What of the ten nearest is found on the sets of docs/benchmarks.md is said there; kExact finds
/// all: every candidate is compared.
enum class Effort : std::uint8_t { kLow, kDefault, kHigh, kExact };

inline constexpr std::string_view kEffortNames[] = {"low", "default", "high", "exact"};
inline std::string_view effort_name(Effort effort) {
    return kEffortNames[static_cast<std::size_t>(effort)];
}
inline std::optional<Effort> find_effort(std::string_view name) {
    const auto* const found = std::ranges::find(kEffortNames, name);
    if (found == std::end(kEffortNames)) return std::nullopt;
    return static_cast<Effort>(found - std::begin(kEffortNames));
}

/// How far a search of a graph goes on.
struct Beam {
    std::uint32_t width = 0;  ///< How many of the nearest nodes are kept (ef).
    /// So many are listed before it may end. The way to the very nearest alone would be greedy.
    std::uint32_t wanted = 1;
    /// What is so many times as far as the last of the wanted leads to none that is nearer.
    float reach = std::numeric_limits<float>::infinity();
    /// Behind the last of the wanted it goes on from so many that lead to none that is nearer.
    std::uint32_t patience = std::numeric_limits<std::uint32_t>::max();
};
inline Beam beam_of(Effort effort, std::uint32_t wanted) {
    const std::uint32_t listed = std::max(wanted, 10U);
    // Of few wanted, those behind tell too little: of sift-5k a tenth of ten would be missed.
    const std::uint32_t patience =
        wanted < 64 ? std::numeric_limits<std::uint32_t>::max() : std::max(wanted / 8, 24U);
    switch (effort) {
        case Effort::kLow:
            return {std::max(wanted + wanted / 8, 20U), listed, 1.05F};
        case Effort::kDefault:
            return {std::max(wanted + wanted * 3 / 4, 160U), listed, 1.1F, patience};
        case Effort::kHigh:
        case Effort::kExact:
            return {std::max(wanted * 2, 480U), listed, 1.2F};
    }
    return {listed, listed};
}

/// Of those that codes say are nearest, how many are compared exactly, at most; and more than are
/// wanted, where so many are listed.
inline constexpr std::uint32_t kRerankedMore = 10;
inline std::uint32_t reranked_of(Effort effort, std::uint32_t wanted) {
    return effort == Effort::kLow ? wanted + kRerankedMore
                                  : wanted + wanted / (effort == Effort::kDefault ? 4 : 2) + 30;
}

}  // namespace tidal::vector
