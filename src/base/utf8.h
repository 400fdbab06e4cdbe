// base/utf8.h: well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing
// above U+10FFFF.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"

namespace tidal {

/// Offset of the first byte that no well-formed sequence can contain at its place, or of the first
/// byte of a sequence the text ends in; nullopt when all of it is well-formed.
std::optional<std::size_t> find_utf8_error(std::string_view text);

/// kInvalidArgument with `byte_offset` where `text` is not UTF-8.
Result<void> check_utf8(std::string_view text, std::string_view field);

}  // namespace tidal
