// api/dynamic_fields.h: fields that nobody declared, of kinds whose schema says `dynamic: true`.
#pragma once

#include <optional>
#include <vector>

#include "api/types.h"
#include "schema/schema.h"

namespace tidal::api {

/// The schema with a field for each unknown name in `writes`, typed by its first value: strings are
/// keywords, arrays of strings keyword sets, whole numbers int, others float, {lat, lon} geo, other
/// objects and arrays json. nullopt when nothing is to be added. Names that the schema's rules do
/// not allow are left out, so that their lines are refused as unknown.
std::optional<schema::Schema> add_dynamic_fields(const schema::Schema& schema,
                                                 const std::vector<Write>& writes);

}  // namespace tidal::api
