// api/internal/collections.h: collections of the catalogue, and who names them.
#pragma once

#include <string>
#include <vector>

#include "query/collections.h"
#include "ranking/profile_registry.h"
#include "shard/catalog.h"

namespace tidal::api {

/// Without what a version of the program put which knew more.
std::vector<query::Collection> collections_in(const std::vector<shard::CatalogEntry>& entries);
/// kUnknownName where a source of the profile names one that is not there.
Result<void> check_collections(const ranking::Profile& profile, const query::Collections& known);
/// kConflict, reason "collection_in_use", where a source of some profile names it.
Result<void> check_unused(const std::string& collection, const ranking::ProfileRegistry& profiles);

}  // namespace tidal::api
