// base/calendar.h: which minute, hour, UTC day or week a moment lies in.
//
// Cells count from the one that holds 1970-01-01T00:00Z, which is 0; earlier ones are negative.
// Weeks begin on Monday 00:00 UTC, so week 0 begins on 1969-12-29. Cell i of a width covers
// [start(i), start(i + 1)). No leap seconds, as in Unix time.
#pragma once

#include <cstdint>

#include "base/hlc.h"

namespace tidal {

inline constexpr std::int64_t kSecondMs = 1000;
inline constexpr std::int64_t kMinuteMs = 60 * kSecondMs;
inline constexpr std::int64_t kHourMs = 60 * kMinuteMs;
inline constexpr std::int64_t kDayMs = 24 * kHourMs;
inline constexpr std::int64_t kWeekMs = 7 * kDayMs;
/// From 1969-12-29 (Monday) to 1970-01-01 (Thursday).
inline constexpr std::int64_t kWeekOffsetMs = 3 * kDayMs;

/// Rounds towards minus infinity; divisor > 0.
constexpr std::int64_t floor_divide(std::int64_t dividend, std::int64_t divisor) {
    const std::int64_t quotient = dividend / divisor;
    return quotient - (dividend % divisor < 0 ? 1 : 0);
}

constexpr std::int64_t minute_index(UnixMillis time) {
    return floor_divide(time, kMinuteMs);
}
constexpr std::int64_t hour_index(UnixMillis time) {
    return floor_divide(time, kHourMs);
}
constexpr std::int64_t day_index(UnixMillis time) {
    return floor_divide(time, kDayMs);
}
/// Also right within three days of the greatest UnixMillis, where adding the offset would overflow.
constexpr std::int64_t week_index(UnixMillis time) {
    return floor_divide(day_index(time) + 3, 7);
}

constexpr UnixMillis minute_start(std::int64_t index) {
    return index * kMinuteMs;
}
constexpr UnixMillis hour_start(std::int64_t index) {
    return index * kHourMs;
}
constexpr UnixMillis day_start(std::int64_t index) {
    return index * kDayMs;
}
constexpr UnixMillis week_start(std::int64_t index) {
    return index * kWeekMs - kWeekOffsetMs;
}

}  // namespace tidal
