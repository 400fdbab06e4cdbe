// api/internal/cohorts.h: cohorts of the catalogue, parsed and bound.
#pragma once

#include <memory>
#include <vector>

#include "query/cohort.h"
#include "schema/schema.h"
#include "shard/catalog.h"

namespace tidal::api {

/// The newest version of each; without what a version of the program put which knew more.
std::vector<query::Cohort> cohorts_in(const std::vector<shard::CatalogEntry>& entries);
/// Without those that do not fit the schema or each other: a member of a cluster may know of a
/// cohort before all its shards have the fields it reads.
std::shared_ptr<const query::Cohorts> bind_cohorts(std::vector<query::Cohort> cohorts,
                                                   const schema::Schema& schema);

}  // namespace tidal::api
