// signal/internal/time_cells.h: which cell of time an event is in, and which cells a window reads.
//
// Cells   minute, hour, UTC day, week from Monday 00:00 UTC; numbered from the Unix epoch, rounding
//         towards the past, so that times before 1970 have negative numbers.
// Nesting a cell lies in exactly one cell of every coarser tier, so a finer cell can always be read
//         as part of a coarser one.
// Clock   a pair keeps cells by the time of its newest event, `head`. Every query has
//         now >= head - 60 s (an event more than 60 s ahead is refused, and `now` is never below
//         the newest commit stamp), which is one minute, hour, day or week cell at most: the limits
//         below are the spans of the windows plus that one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/hlc.h"
#include "schema/schema.h"

namespace tidal::signal {

enum class Tier : std::uint8_t { kMinute, kHour, kDay, kWeek, kGone };
inline constexpr std::size_t kTierCount = 4;

/// 48-bit signed milliseconds: years -2489 to 6429. Times beyond are taken as the nearest of these.
inline constexpr UnixMillis kTimeMin = -(std::int64_t{1} << 47);
inline constexpr UnixMillis kTimeMax = (std::int64_t{1} << 47) - 1;
constexpr UnixMillis clamp_time(UnixMillis at) {
    return std::clamp(at, kTimeMin, kTimeMax);
}

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    const std::int64_t quotient = a / b;
    return quotient - ((a % b != 0) && ((a < 0) != (b < 0)));
}

constexpr std::int64_t minute_of(UnixMillis at) {
    return floor_div(at, 60'000);
}
/// The number of the next coarser tier's cell that holds cell `index` of `tier`.
constexpr std::int64_t parent_of(Tier tier, std::int64_t index) {
    if (tier == Tier::kMinute) return floor_div(index, 60);
    if (tier == Tier::kHour) return floor_div(index, 24);
    return floor_div(index - 4, 7) +
           1;  // Day 0 was a Thursday; the week of day -3, a Monday, is week 0.
}

/// Cells of a tier that stay behind the newest one, not counting it.
inline constexpr std::int64_t kCellsKept[kTierCount] = {61, 169, 31, 53};

/// The numbers of one moment in every tier.
struct CellIndex {
    std::int64_t at[kTierCount];

    constexpr explicit CellIndex(UnixMillis ms) {
        at[0] = minute_of(ms);
        at[1] = parent_of(Tier::kMinute, at[0]);
        at[2] = parent_of(Tier::kHour, at[1]);
        at[3] = parent_of(Tier::kDay, at[2]);
    }
    constexpr std::int64_t operator[](Tier tier) const {
        return at[static_cast<std::size_t>(tier)];
    }
};

/// A cell's place: the tier that its age gives, seen from the newest event; kGone = only totals.
struct CellPlace {
    Tier tier;
    std::int64_t index;
    constexpr bool operator==(const CellPlace&) const = default;
};
/// Moves a cell to the tier its age gives; never to a finer one.
constexpr CellPlace place_of(CellPlace cell, const CellIndex& head) {
    while (cell.tier != Tier::kGone) {
        if (cell.index >= head[cell.tier] - kCellsKept[static_cast<std::size_t>(cell.tier)]) break;
        if (cell.tier != Tier::kWeek) cell.index = parent_of(cell.tier, cell.index);
        cell.tier = static_cast<Tier>(static_cast<int>(cell.tier) + 1);
    }
    return cell;
}

/// Tier and number of full cells behind the current one, by schema::Window (not kAll).
struct WindowShape {
    Tier tier;
    std::int64_t cells;
    std::int64_t seconds;
};
inline constexpr WindowShape kWindowShapes[schema::kWindowCount - 1] = {
    {Tier::kMinute, 60, 3'600},  {Tier::kHour, 24, 86'400},     {Tier::kHour, 168, 604'800},
    {Tier::kDay, 30, 2'592'000}, {Tier::kWeek, 52, 31'536'000},
};
constexpr const WindowShape& shape_of(schema::Window window) {
    return kWindowShapes[static_cast<std::size_t>(window)];
}

/// The cells one window covers at one time: [first, last] of its tier.
struct WindowRange {
    Tier tier;
    std::int64_t first;
    std::int64_t last;

    constexpr WindowRange(schema::Window window, const CellIndex& now)
        : tier(shape_of(window).tier), first(now[tier] - shape_of(window).cells), last(now[tier]) {}
    /// Whether the window counts a cell. A coarser cell than the window's own is always too old.
    constexpr bool covers(CellPlace cell) const {
        if (cell.tier > tier) return false;
        while (cell.tier != tier) {
            cell.index = parent_of(cell.tier, cell.index);
            cell.tier = static_cast<Tier>(static_cast<int>(cell.tier) + 1);
        }
        return cell.index >= first && cell.index <= last;
    }
};

}  // namespace tidal::signal
