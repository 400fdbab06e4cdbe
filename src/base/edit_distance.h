// base/edit_distance.h: "did you mean": the nearest known name to one that nobody declared.
//
// Distance: optimal string alignment (Damerau 1964, restricted): insert, remove, replace one byte
// or swap two neighbours, each costs 1. For short names, not for text: O(length^2).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tidal {

/// The distance, or `bound` + 1 when it is above `bound`.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t bound);

/// The known name nearest to `name`, when near enough to be a slip: at most a third of its length,
/// at least 1 and at most 3; the first of equals. Letter case does not count.
std::optional<std::string_view> nearest_name(std::string_view name,
                                             std::span<const std::string_view> known);

/// "did you mean 'like'?", or, when nothing is near, "known: like, share, view" (the first eight).
/// Empty when nothing is known.
std::string name_hint(std::string_view name, std::span<const std::string_view> known);

}  // namespace tidal
