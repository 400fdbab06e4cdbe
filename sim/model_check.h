// sim/model_check.h: what clients wrote, compared with what a database answers.
#pragma once

#include <span>
#include <string>

#include "api/database.h"
#include "sim/client_model.h"

namespace tidal::sim {

/// Every item, its title and its counts, and what all clients' signals add up to at each creator.
/// Call when the relay is at rest. The first difference, or empty.
std::string check_model(api::Database& database, std::span<const ClientModel> clients);

/// Everything proposed is applied and no row waits for another shard.
bool at_rest(api::Database& database);

}  // namespace tidal::sim
