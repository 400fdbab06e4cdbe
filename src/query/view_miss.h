// query/view_miss.h: why a page was scanned although its profile ranks all entities.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tidal::query {

enum class ViewMiss : std::uint8_t {
    kMaking,     ///< The view is being made.
    kTime,       ///< The profile has none: time alone may move an entity up.
    kNegatives,  ///< More entities than are kept are moved up by negative weights that age.
    kMoment,     ///< The page is of a moment that the view has left behind.
    kShort,      ///< The view ended before the page was full.
};
inline constexpr std::size_t kViewMissCount = 5;

/// The label of /metrics.
constexpr std::string_view view_miss_name(ViewMiss why) {
    constexpr std::string_view kNames[kViewMissCount] = {"making", "time", "negative_weights",
                                                         "moment", "short"};
    return kNames[static_cast<std::size_t>(why)];
}

/// Pages by ViewMiss.
using ViewMisses = std::array<std::uint64_t, kViewMissCount>;

}  // namespace tidal::query
