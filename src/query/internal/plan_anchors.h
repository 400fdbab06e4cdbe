// query/internal/plan_anchors.h: what a request's similarities are measured from.
#pragma once

#include <string>

#include "query/feed.h"

namespace tidal::query {

/// Finds what of the plan's profile and filter reads vectors, checks that the request brings what
/// it needs, and fills in all anchors but the item's, which read_anchor_item() reads.
/// @return kInvalidArgument  reason "missing_input"; a vector of a wrong shape, field "vector".
Result<void> plan_anchors(const FeedRequest& request, const schema::Schema& schema, FeedPlan* plan);

/// The same of what is liked together: makes the entries of plan.co_engaged, empty.
Result<void> plan_co_engaged(const FeedRequest& request, FeedPlan* plan);

/// kInvalidArgument, reason "missing_input"; the field is what to give.
/// @param by  What reads it, as the language writes it.
Error missing_input(const std::string& by, ranking::Input input);

/// Of the fingerprint: "" without anchors.
std::string canonical_anchors(const FeedRequest& request);

}  // namespace tidal::query
