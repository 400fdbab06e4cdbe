// api/internal/saved_searches.h: what may be kept as a search.
#pragma once

#include <string_view>

#include "api/types.h"

namespace tidal::api {

/// What RETRIEVE and SEARCH ask for.
Result<FeedCall> feed_call_of(std::string_view text);

/// Errors of the query, and kInvalidArgument of field "query" for what is no page, begins behind
/// another page, is for some user already or counts impressions.
Result<void> check_saved_search(std::string_view query);

}  // namespace tidal::api
