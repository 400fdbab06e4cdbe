// server/demo.h: the MovieLens sample: imported once, its first feeds printed.
#pragma once

#include <string>

#include "api/database.h"
#include "runtime/runtime.h"

namespace tidal::server {

/// Imports `sample`/data/movielens-latest-small through `sample`/movielens/mapping.yaml, shifted so
/// that the newest rating is now, with a progress bar on standard error; nothing when that was done
/// before.
Result<void> import_sample(api::Database& database, runtime::Runtime& runtime,
                           const std::string& sample);

/// top_year and most_liked with titles, on standard output.
Result<void> print_feeds(api::Database& database);

}  // namespace tidal::server
