// api/internal/models.h: models of the catalogue, parsed.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "api/types.h"
#include "shard/catalog.h"

namespace tidal::api {

/// What profiles are compiled with; without the one of the name `but`.
ranking::ModelSet model_set(const std::vector<StoredModel>& models, std::string_view but = "");

/// @param known  Parsed before, or nullptr: a version of it is not parsed again.
/// @return nullopt for a text that a version of the program put which knew more.
std::optional<StoredModel> parse_model(const shard::CatalogEntry& entry,
                                       const std::vector<StoredModel>* known);

}  // namespace tidal::api
