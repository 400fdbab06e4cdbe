// query/degradation.h: what a request goes without under load.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "query/feed.h"

namespace tidal::query {

/// Level 0: nothing. 1: lists of sources are half as long. 2: also no second phase, which is to
/// order by the profile's score what its sources have ordered; and no facets and explanations.
/// Filters, exclusions, requirements and diversity are kept at every level.
/// @return What the request asked for and goes without: "source_lists", "reranking", "facets",
///         "explain". Each is also among the plan's warnings.
std::vector<std::string> degrade(std::uint8_t level, FeedPlan* plan);

}  // namespace tidal::query
