// ranking/source_text.h: positions, errors and suggestions shared by the small languages (score
// expressions, profiles, filters).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::ranking {

/// A place in a text a person wrote. Lines and columns count from 1, columns in UTF-8 characters;
/// the offset counts bytes from 0.
struct Position {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
    std::uint32_t offset = 0;
};

/// @param offset  At most text.size().
Position locate(std::string_view text, std::uint32_t offset);

/// An error with the context pairs `line`, `column` and `offset`.
Error error_at(ErrorCode code, std::string_view text, std::uint32_t offset, std::string message);

/// "did you mean `view`?" when there is a near name (base/edit_distance.h), else all that is known:
/// "`what`: a, b, c".
std::string suggestion(std::string_view name, std::string_view what,
                       std::span<const std::string_view> known);

}  // namespace tidal::ranking
