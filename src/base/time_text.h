// base/time_text.h: RFC 3339 text <-> Unix milliseconds.
#pragma once

#include <string>
#include <string_view>

#include "base/hlc.h"
#include "base/result.h"

namespace tidal {

inline constexpr UnixMillis kTimeTextMin = -62167219200000;  ///< 0000-01-01T00:00:00Z
inline constexpr UnixMillis kTimeTextMax = 253402300799999;  ///< 9999-12-31T23:59:59.999Z

/// "2026-01-31T09:00:00Z", with ".mmm" unless the milliseconds are 0. A moment RFC 3339 cannot
/// write (outside kTimeTextMin..kTimeTextMax) becomes its decimal milliseconds.
std::string format_time(UnixMillis time);

/// Accepts "T", "t" or a space between date and time, "Z", "z" or an offset "+hh:mm", and a
/// fraction of any length (cut to milliseconds). A leap second 23:59:60Z is the first moment after
/// it.
/// @return kInvalidArgument with `field`, `byte_offset` and what was expected there.
Result<UnixMillis> parse_time(std::string_view text, std::string_view field);

}  // namespace tidal
