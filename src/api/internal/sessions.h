// api/internal/sessions.h: policies of sessions, as the catalogue has them.
#pragma once

#include <vector>

#include "api/session_policy.h"
#include "shard/catalog.h"

namespace tidal::api {

/// The newest version of each, by name, and the built-in one unless another has its name.
std::vector<StoredPolicy> policies_in(const std::vector<shard::CatalogEntry>& entries);

}  // namespace tidal::api
