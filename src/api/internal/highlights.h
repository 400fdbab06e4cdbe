// api/internal/highlights.h: the words of a search, marked in what its page shows.
#pragma once

#include "api/types.h"
#include "query/feed.h"

namespace tidal::api {

/// kUnknownName, kInvalidArgument of field "highlight": no field of texts, or there is no query.
Result<void> check_highlight(const FeedCall& call, const schema::Schema& schema);
/// Precondition: checked, and the plan is the call's.
void add_highlights(const FeedCall& call, const query::FeedPlan& plan, const schema::Schema& schema,
                    FeedReply* reply);

}  // namespace tidal::api
