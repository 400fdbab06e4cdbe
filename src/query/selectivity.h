// query/selectivity.h: how many entities each node of a filter matches, before asking it.
#pragma once

#include <vector>

#include "query/bound_filter.h"

namespace tidal::query {

struct NodeEstimate {
    double share = 1;     ///< Of all live entities, 0..1.
    bool indexed = true;  ///< Answered from bitmaps or sorted chunks, not by a look at every slot.
    Roaring holders;      ///< Of a leaf with several values: the slots that have one of them.
};

/// By BoundFilter::index. Exact for bitmaps and for sorted columns; sampled for columns that are
/// not sorted yet and for near(); parts of AND and OR count as independent. Asking sorts a few
/// chunks more of each ordered column the filter reads (entity/ordered_column.h).
std::vector<NodeEstimate> estimate_nodes(const BoundFilter& filter,
                                         const entity::EntityTable& entities, UnixMillis now_ms,
                                         const FilterState& state = {});

/// created_at >= now - age, as the range it is.
InRange range_of(const CreatedWithin& leaf, UnixMillis now_ms);

}  // namespace tidal::query
