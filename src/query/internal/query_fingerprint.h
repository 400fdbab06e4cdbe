// query/internal/query_fingerprint.h: what makes two requests pages of the same sequence.
#pragma once

#include <string_view>

#include "base/hash.h"
#include "query/feed.h"

namespace tidal::query {

/// Over kind, profile with version, canonical filter and stages, parameters and seed. Not limit,
/// explain and exclude: they may differ from page to page.
Hash128 query_fingerprint(const FeedPlan& plan, std::string_view canonical);

}  // namespace tidal::query
