#include "signal/cell_start.h"

#include "signal/internal/time_cells.h"

namespace tidal::signal {
namespace {

constexpr UnixMillis kDayMs = 86'400'000;
constexpr UnixMillis kWeekMs = 7 * kDayMs;

constexpr UnixMillis floor_to(UnixMillis at, UnixMillis step) {
    return floor_div(at, step) * step;
}

}  // namespace

UnixMillis cell_start(schema::Window window, UnixMillis now) {
    now = clamp_time(now);
    switch (shape_of(window).tier) {
        case Tier::kMinute:
            return floor_to(now, 60'000);
        case Tier::kHour:
            return floor_to(now, 3'600'000);
        case Tier::kDay:
            return floor_to(now, kDayMs);
        default:
            // The epoch was a Thursday: weeks begin on Monday, three days before or four after.
            return floor_to(now - 4 * kDayMs, kWeekMs) + 4 * kDayMs;
    }
}

UnixMillis slice_start(schema::Window window, UnixMillis now) {
    return floor_to(clamp_time(now), shape_of(window).seconds * 1000 / 8);
}

}  // namespace tidal::signal
