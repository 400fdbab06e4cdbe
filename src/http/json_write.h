// http/json_write.h: replies as JSON, with the fields that docs/reference/http.md names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/database.h"
#include "api/types.h"

namespace tidal::http {

std::string entity_json(const api::EntityReply& reply);
std::string signals_json(const api::SignalReadings& readings);
/// @param staleness_ms  nullopt = not known.
std::string feed_json(const api::FeedReply& reply, std::optional<std::uint64_t> staleness_ms);
std::string suggest_json(const api::SuggestReply& reply, std::optional<std::uint64_t> staleness_ms);
std::string write_json(const api::WriteReply& reply);
void append_write(const api::WriteReply& reply, std::string* out);
std::string schema_json(const schema::Schema& schema);
std::string profiles_json(const ranking::ProfileRegistry& profiles, EntityKind kind);
std::string profile_json(const ranking::ProfileListing& profile);
std::string experiments_json(const std::vector<ranking::Experiment>& experiments);
std::string experiment_results_json(const api::ExperimentResults& results);
std::string cohorts_json(const query::Cohorts& cohorts);
std::string cohort_json(const api::CohortReply& cohort);
std::string collections_json(const std::vector<api::CollectionReply>& collections);
std::string collection_json(const api::CollectionReply& collection);
std::string collection_items_json(const std::string& name, const api::CollectionItems& items);
std::string models_json(const std::vector<api::StoredModel>& models);
std::string model_json(const api::StoredModel& model, std::string_view text);
std::string synonyms_json(const std::vector<api::StoredSynonyms>& all);
std::string synonyms_json(const api::StoredSynonyms& synonyms);  ///< With its text.
std::string catalog_json(const api::CatalogReply& reply);
std::string comparison_json(const api::FeedComparison& comparison,
                            std::optional<std::uint64_t> staleness_ms);
/// @param state  "ok", "shutting_down", "catching_up", "draining".
std::string health_json(const api::Database::Stats& stats, const api::ClusterStatus& cluster,
                        std::string_view version, std::string_view state);
std::string etag(HybridTime version);

}  // namespace tidal::http
