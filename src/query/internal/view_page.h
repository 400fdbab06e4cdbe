// query/internal/view_page.h: a page read off the front of an order, with filter, exclusions and
// gates checked on the way down.
#pragma once

#include <optional>
#include <vector>

#include "query/feed.h"
#include "query/top_views.h"

namespace tidal::query {

struct ViewPage {
    std::vector<ScoredSlot> items;  ///< The first `keep` that no page before showed, in order.
    FeedCounts counts;              ///< `scored`: on the way; the others only without `matched`.
};

/// What a scan finds, or nullopt when the view of the profile cannot tell: there is none, or it
/// ends before the page is full.
/// @param matched  The candidates that filter and `exclude` of the plan accept; nullptr when it has
///                 neither filter nor facets: then they need not be known one by one.
Result<std::optional<ViewPage>> page_from_view(const ranking::ShardView& view, const FeedPlan& plan,
                                               TopViews& views, const Roaring* matched);

}  // namespace tidal::query
