// query/match_one.h: a filter about one entity alone.
#pragma once

#include "query/bound_filter.h"

namespace tidal::query {

/// Whether a filter can be asked about one entity at any time: it reads neither the time, nor a
/// user of a request, nor vectors.
bool is_of_fields_alone(const BoundFilter& filter);

/// As evaluate() over a domain of this slot; looks at nothing of other entities, but for LIKE.
/// @param filter  is_of_fields_alone().
/// @param slot    Of a live entity.
bool matches(const BoundFilter& filter, const entity::EntityTable& entities, Slot slot);

}  // namespace tidal::query
