// schema/duration.h: durations as people write them: 1500ms, 90s, 30m, 24h, 7d, 4w.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::schema {

/// A whole number and one unit (ms s m h d w), no sign, no spaces. kInvalidArgument otherwise, or
/// when it does not fit 64 bits of milliseconds.
Result<std::int64_t> parse_duration_ms(std::string_view text);
/// The largest unit (not weeks) that divides it: 86400000 -> "1d". Precondition: ms >= 0.
std::string print_duration(std::int64_t ms);

}  // namespace tidal::schema
