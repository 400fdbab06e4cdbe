// text/completion.h: the beginning of a text that somebody is typing, as a tree that finds what may
// go on so.
#pragma once

#include <string>
#include <string_view>

#include "text/query_parser.h"

namespace tidal::text {

/// What of a beginning is read.
inline constexpr std::size_t kCompletionWordsMax = 16;

/// All words, in any order; the last one may be the beginning of one unless a blank follows it.
/// @param field  Where they stand. @return kAny; without children it finds nothing.
ParsedQuery parse_completion(std::string_view text, const std::string& field);

}  // namespace tidal::text
