#include "api/tests/cluster_calls.h"

namespace tidal::api {
namespace {

using record::CatalogKind;

constexpr const char* kModel = R"(tree
version=v4
num_class=1
num_tree_per_iteration=1
feature_names=year
feature_infos=none

Tree=0
num_leaves=1
leaf_value=0.25


end of trees
)";

void put_schema(ClusterCalls* calls) {
    std::string wider(schema::default_schema_yaml());
    wider += "  applaud: {polarity: positive, half_life: 1d, windows: [24h, all]}\n";
    calls->push_back(
        {.name = "schema",
         .method = "put_schema",
         .ask = [wider](Database& database,
                        Database::Done done) { database.put_schema(wider, std::move(done)); },
         .shows =
             [](Database& database) {
                 return database.schema()->find_signal("applaud") != nullptr;
             },
         .write = {}});
}

/// What is declared by its text alone.
template <typename Put>
ClusterCall put_text(std::string method, Put put, const std::string& text) {
    return {.name = text,
            .method = std::move(method),
            .ask =
                [put, text](Database& database, Database::Done done) {
                    (database.*put)(text, false, only_whether<CatalogReply>(std::move(done)));
                },
            .shows = always,
            .write = {}};
}
/// What has a name beside it.
template <typename Put>
ClusterCall put_named(std::string method, Put put, const std::string& name,
                      const std::string& text) {
    return {.name = method + " " + name,
            .method = method,
            .ask =
                [put, name, text](Database& database, Database::Done done) {
                    (database.*put)(name, text, false, only_whether<CatalogReply>(std::move(done)));
                },
            .shows = always,
            .write = {}};
}
ClusterCall retire(CatalogKind kind, const std::string& name,
                   std::function<bool(Database&)> shows) {
    return {
        .name = "retire " + name,
        .method = "retire",
        .ask = [kind, name](Database& database,
                            Database::Done done) { database.retire(kind, name, std::move(done)); },
        .shows = std::move(shows),
        .write = {}};
}

void add_ranking(ClusterCalls* calls) {
    for (const std::string name : {"kept", "gone"})
        calls->push_back(put_text("put_profile", &Database::put_profile,
                                  "profile " + name + " version 1 { score sum(applaud, all); }"));
    calls->push_back(retire(CatalogKind::kProfile, "gone", [](Database& database) {
        return database.profiles()->find("kept", EntityKind::kItem).ok() &&
               !database.profiles()->find("gone", EntityKind::kItem).ok();
    }));
    for (const std::string name : {"spring", "autumn"})
        calls->push_back(
            put_text("put_experiment", &Database::put_experiment,
                     "experiment " + name + " version 1 { arm kept@1; arm trending@1; }"));
    calls->push_back(retire(CatalogKind::kExperiment, "autumn", [](Database& database) {
        return database.experiments()->size() == 1 &&
               database.experiments()->front().name == "spring";
    }));
    for (const std::string name : {"french", "idle"})
        calls->push_back(
            put_text("put_cohort", &Database::put_cohort,
                     "cohort " + name + " version 1 { tracks like; where language = 'fr'; }"));
    calls->push_back(retire(CatalogKind::kCohort, "idle", [](Database& database) {
        return database.cohorts()->all().size() == 1 &&
               database.cohorts()->find("french") != nullptr;
    }));
}

void add_named(ClusterCalls* calls) {
    for (const std::string name : {"hits", "misses"})
        calls->push_back(put_named("put_model", &Database::put_model, name, kModel));
    calls->push_back(retire(CatalogKind::kModel, "misses", [](Database& database) {
        return database.models()->size() == 1 && database.models()->front().name == "hits" &&
               database.model_text("hits").ok();
    }));
    for (const std::string name : {"people", "places"})
        calls->push_back(
            put_named("put_synonyms", &Database::put_synonyms, name, "tv, television"));
    calls->push_back(retire(CatalogKind::kSynonyms, "places", [](Database& database) {
        return database.synonyms().size() == 1 && database.synonyms()[0].name == "people";
    }));
    for (const std::string name : {"brief", "long"})
        calls->push_back(put_named("put_policy", &Database::put_policy, name, "duration 1s"));
    calls->push_back(retire(CatalogKind::kPolicy, "long", [](Database& database) {
        return database.policy("brief").ok() && !database.policy("long").ok();
    }));
}

void add_keys(ClusterCalls* calls) {
    for (const std::string name : {"ops", "page"})
        calls->push_back({.name = "API key " + name,
                          .method = "create_api_key",
                          .ask =
                              [name](Database& database, Database::Done done) {
                                  database.create_api_key(name, KeyRole::kAdmin,
                                                          only_whether<NewApiKey>(std::move(done)));
                              },
                          .shows = always,
                          .write = {}});
    calls->push_back(
        {.name = "end of an API key",
         .method = "revoke_api_key",
         .ask = [](Database& database,
                   Database::Done done) { database.revoke_api_key("page", std::move(done)); },
         .shows =
             [](Database& database) {
                 const auto keys = database.api_keys();
                 return keys.size() == 1 && keys[0].name == "ops";
             },
         .write = {}});
}

}  // namespace

ClusterCalls catalog_calls() {
    ClusterCalls calls;
    put_schema(&calls);
    add_ranking(&calls);
    add_named(&calls);
    add_keys(&calls);
    return calls;
}

}  // namespace tidal::api
