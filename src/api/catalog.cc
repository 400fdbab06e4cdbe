// What applications declare: profiles, experiments and models, kept by the metadata shard.
#include "api/database.h"
#include "api/forward.h"
#include "api/internal/cluster_node.h"
#include "api/internal/cohorts.h"
#include "api/internal/collections.h"
#include "api/internal/models.h"
#include "api/internal/sessions.h"
#include "api/resolve.h"
#include "ranking/source_text.h"
#include "ranking/token_stream.h"
#include "text/synonyms.h"

namespace tidal::api {
namespace {

Error not_found(std::string_view what, const std::string& name) {
    return Error(ErrorCode::kNotFound, "no " + std::string(what) + " `" + name + "`")
        .with_field("name");
}

bool is_built_in(const ranking::ProfileRegistry& profiles, std::string_view name) {
    for (const ranking::ProfileListing& listing : profiles.list(EntityKind::kItem))
        if (listing.built_in && listing.name == name) return true;
    return false;
}

/// Served for some kind of entity, or why not for items.
Result<std::vector<std::string>> check_profile(const ranking::Profile& profile,
                                               const schema::Schema& schema,
                                               const ranking::ModelSet& models) {
    auto items = ranking::compile_profile(profile, schema, EntityKind::kItem, models);
    if (items.ok()) return (*items)->program.warnings;
    for (const EntityKind kind : {EntityKind::kUser, EntityKind::kCreator})
        if (auto compiled = ranking::compile_profile(profile, schema, kind, models); compiled.ok())
            return (*compiled)->program.warnings;
    return items.take_error();
}

Result<void> check_name(const std::string& name) {
    if (name.size() <= schema::kNameBytesMax) return {};
    return Error(ErrorCode::kInvalidArgument,
                 "a name has at most " + std::to_string(schema::kNameBytesMax) + " bytes")
        .with_field("name");
}

/// Of the profile that an arm names. @param text  Of an experiment.
std::uint32_t place_of_arm(std::string_view text, std::string_view profile) {
    const std::string_view name = profile.substr(0, profile.find('@'));
    const std::string_view version = profile.substr(name.size() + 1);
    ranking::TokenStream tokens(text);
    while (tokens.peek().kind != ranking::TokenKind::kEnd) {
        if (!tokens.accept_word("arm")) {
            tokens.take();
            continue;
        }
        const ranking::Token at = tokens.peek();
        if (tokens.accept_word(name) && tokens.accept_symbol("@") &&
            std::to_string(static_cast<std::uint32_t>(tokens.peek().number)) == version)
            return at.offset;
    }
    return 0;
}

}  // namespace

std::vector<shard::CatalogEntry> Database::catalog_entries() {
    return shards_[0]->with_state(
        [](shard::ShardState& state) { return state.catalog().entries(); });
}

/// The oldest schema any shard has applied; null while one has none.
std::shared_ptr<const schema::Schema> Database::oldest_schema() {
    std::shared_ptr<const schema::Schema> oldest;
    for (auto& each : shards_) {
        if (!each->readable().ok()) return nullptr;
        auto [schema, configured, catalog] = each->declared();
        if (schema == nullptr || !configured) return nullptr;
        if (oldest == nullptr || schema->version < oldest->version) oldest = std::move(schema);
    }
    return oldest;
}

/// What doors see before a member of a cluster knows better; check_readable() keeps reads away.
Result<void> Database::publish_nothing() {
    TIDAL_ASSIGN(auto parsed, schema::parse_schema(schema::default_schema_yaml()));
    auto empty = std::make_shared<const schema::Schema>(schema::with_impression(std::move(parsed)));
    const std::lock_guard lock(mutex_);
    profiles_ = std::make_shared<const ranking::ProfileRegistry>(
        *empty, std::vector<ranking::StoredProfile>(), ranking::ModelSet());
    schema_ = std::move(empty);
    experiments_ = std::make_shared<const std::vector<ranking::Experiment>>();
    models_ = std::make_shared<const std::vector<StoredModel>>();
    cohorts_ = std::make_shared<const query::Cohorts>();
    policies_ = std::make_shared<const std::vector<StoredPolicy>>(policies_in({}));
    collections_ = std::make_shared<const query::Collections>();
    return {};
}

bool Database::catalog_is_news() {
    const auto declared = shards_[0]->declared();
    const std::lock_guard lock(mutex_);
    return Published{declared.version(), declared.catalog} != published_;
}

bool Database::publish_if_changed() {
    if (!catalog_is_news()) return false;
    publish_catalog();
    return true;
}

/// kUnavailable while the metadata shard's state is being replaced.
Result<Database::FetchedCatalog> Database::fetch_catalog() {
    TIDAL_TRY(shards_[0]->readable());
    return shards_[0]->with_readable([&](shard::ShardState& state) -> Result<FetchedCatalog> {
        FetchedCatalog fetched;
        fetched.generation = shards_[0]->generation();
        if (state.schema()) fetched.as_of.schema = state.schema()->version;
        fetched.as_of.catalog = state.catalog().newest_stamp();
        fetched.entries = state.catalog().entries();
        return fetched;
    });
}

/// What doors validate against: the oldest schema any shard has applied, so that no shard ever
/// meets a record of a schema it has not seen; and the metadata shard's catalogue.
void Database::publish_catalog() {
    do {
        // Before anything is held: its monitor may be another's for seconds.
        auto fetched = fetch_catalog();
        const std::lock_guard one_at_a_time(publishing_);
        if (fetched.ok() && fetched->generation == shards_[0]->generation())
            return publish(*fetched);
        const std::lock_guard lock(mutex_);
        published_ = {};
        // Published with the next read, or what is applied next; now where that has been already.
    } while (shards_[0]->readable().ok());
}

/// Inside publishing_.
void Database::publish(const FetchedCatalog& fetched) {
    const auto& [published, generation, entries] = fetched;
    // Another thread has come with a newer one: what was to be seen is to be seen there.
    if (generation == taken_generation_ &&
        (published.catalog < taken_.catalog || published.schema < taken_.schema))
        return;
    taken_ = published;
    taken_generation_ = generation;
    // After the entries, so that no schema is older than what they were declared under.
    std::shared_ptr<const schema::Schema> oldest = oldest_schema();
    // Also of one that still catches up: it may lead a group, and has to know whose.
    if (cluster_ != nullptr) cluster_->take_members(entries);
    if (oldest == nullptr) return;
    publish_api_keys(entries);
    std::vector<ranking::StoredProfile> stored;
    auto models = std::make_shared<std::vector<StoredModel>>();
    auto experiments = std::make_shared<std::vector<ranking::Experiment>>();
    auto synonyms = std::make_shared<text::Synonyms>();
    for (const shard::CatalogEntry& entry : entries) {
        if (entry.kind == record::CatalogKind::kSynonyms) {
            if (auto parsed = text::Synonyms::parse(entry.text); parsed.ok())
                synonyms->add(*parsed);
            continue;
        }
        if (entry.kind == record::CatalogKind::kProfile) {
            stored.push_back({entry.name, entry.version, entry.text});
            continue;
        }
        if (entry.kind == record::CatalogKind::kModel) {
            if (auto model = parse_model(entry, models_.get())) models->push_back(*model);
            continue;
        }
        if (entry.kind != record::CatalogKind::kExperiment) continue;  // the cluster's own
        auto experiment = ranking::parse_experiment(entry.text);
        if (!experiment.ok()) continue;  // of a version of the program that knew more words
        if (!experiments->empty() && experiments->back().name == experiment->name)
            experiments->pop_back();
        experiments->push_back(std::move(*experiment));
    }
    auto policies = std::make_shared<const std::vector<StoredPolicy>>(policies_in(entries));
    auto cohorts = bind_cohorts(cohorts_in(entries), *oldest);
    auto collections = std::make_shared<const query::Collections>(collections_in(entries));
    auto profiles =
        std::make_shared<const ranking::ProfileRegistry>(*oldest, stored, model_set(*models));
    const std::lock_guard lock(mutex_);
    schema_ = std::move(oldest);
    profiles_ = std::move(profiles);
    experiments_ = std::move(experiments);
    models_ = std::move(models);
    search_synonyms_ = std::move(synonyms);
    cohorts_ = std::move(cohorts);
    policies_ = std::move(policies);
    collections_ = std::move(collections);
    // A data shard that lacks the newest schema publishes again when it has it.
    published_ = published;
    ready_ = true;
}

std::shared_ptr<const schema::Schema> Database::schema() const {
    const std::lock_guard lock(mutex_);
    return schema_;
}

std::shared_ptr<const ranking::ProfileRegistry> Database::profiles() const {
    const std::lock_guard lock(mutex_);
    return profiles_;
}

std::shared_ptr<const std::vector<ranking::Experiment>> Database::experiments() const {
    const std::lock_guard lock(mutex_);
    return experiments_;
}

void Database::put_profile(std::string text, bool dry_run, CatalogDone done) {
    change_catalog(
        dry_run, [this, text = std::move(text)] { return make_profile(text); }, std::move(done));
}

Result<Database::CatalogChange> Database::make_profile(const std::string& text) {
    auto profile = ranking::parse_profile(text);
    if (!profile.ok()) return profile.take_error().with_field("text");
    TIDAL_TRY(check_name(profile->name));
    auto warnings = check_profile(*profile, *schema(), model_set(*models()));
    if (!warnings.ok()) return warnings.take_error().with_field("text");
    if (auto known = check_collections(*profile, *collections()); !known.ok())
        return known.take_error().with_field("text");
    if (is_built_in(*profiles(), profile->name))
        return Error(ErrorCode::kConflict, "`" + profile->name + "` is a built-in profile")
            .with_field("name")
            .with_reason("built_in_profile")
            .with_hint("give it a name of its own");
    return CatalogChange{{record::CatalogKind::kProfile, profile->name, profile->version, text},
                         std::move(*warnings)};
}

void Database::put_experiment(std::string text, bool dry_run, CatalogDone done) {
    change_catalog(
        dry_run, [this, text = std::move(text)] { return make_experiment(text); }, std::move(done));
}

Result<Database::CatalogChange> Database::make_experiment(const std::string& text) {
    auto experiment = ranking::parse_experiment(text);
    if (!experiment.ok()) return experiment.take_error().with_field("text");
    TIDAL_TRY(check_name(experiment->name));
    for (const ranking::ExperimentArm& arm : experiment->arms)
        if (auto found = profiles()->find(arm.profile, EntityKind::kItem); !found.ok()) {
            const Error& why = found.error();
            return ranking::error_at(why.code(), text, place_of_arm(text, arm.profile),
                                     why.message())
                .with_field("text")
                .with_hint(why.hint())
                .with_reason(why.reason());
        }
    return CatalogChange{
        {record::CatalogKind::kExperiment, experiment->name, experiment->version, text}, {}};
}

void Database::retire(record::CatalogKind kind, const std::string& name, Done done) {
    change_catalog(
        false, [this, kind, name] { return make_retirement(kind, name); },
        [done = std::move(done)](Result<CatalogReply> reply) mutable {
            done(reply.ok() ? Result<void>() : reply.take_error());
        });
}

Result<void> Database::check_retirable(record::CatalogKind kind, const std::string& name) {
    if (kind == record::CatalogKind::kProfile) {
        if (is_built_in(*profiles(), name))
            return Error(ErrorCode::kConflict, "`" + name + "` is a built-in profile")
                .with_field("name")
                .with_reason("built_in_profile");
        for (const auto known = experiments(); const ranking::Experiment& experiment : *known)
            for (const ranking::ExperimentArm& arm : experiment.arms)
                if (arm.profile.substr(0, arm.profile.find('@')) == name)
                    return Error(ErrorCode::kConflict,
                                 "experiment `" + experiment.name + "` uses profile `" + name + "`")
                        .with_field("name")
                        .with_reason("profile_in_use")
                        .with_hint("retire the experiment first");
    }
    if (kind == record::CatalogKind::kCohort)
        for (const auto known = cohorts(); const query::BoundCohort& each : known->all())
            if (each.cohort.parent == name)
                return Error(ErrorCode::kConflict,
                             "`" + name + "` is the parent of cohort `" + each.cohort.name + "`")
                    .with_field("name")
                    .with_reason("cohort_in_use")
                    .with_hint("retire that one first");
    if (kind == record::CatalogKind::kCollection) return check_unused(name, *profiles());
    if (kind == record::CatalogKind::kModel)
        return check_profiles_live_on(model_set(*models(), name), name);
    return {};
}

Result<Database::CatalogChange> Database::make_retirement(record::CatalogKind kind,
                                                          const std::string& name) {
    TIDAL_TRY(check_retirable(kind, name));
    std::uint32_t newest = 0;
    for (const shard::CatalogEntry& entry : catalog_entries())
        if (entry.kind == kind && entry.name == name) newest = entry.version;
    if (newest == 0) return not_found(shard::name_of(kind), name);
    return CatalogChange{{kind, name, newest, std::nullopt}, {}};
}

/// The profile a request is for, by its experiment where it names one.
Result<std::string> Database::profile_of(const FeedCall& call, std::string* experiment) const {
    if (call.experiment.empty()) {
        if (!call.profile.empty()) return call.profile;
        return std::string(!call.query ? "trending" : call.vector.empty() ? "search" : "hybrid");
    }
    if (!call.profile.empty())
        return Error(ErrorCode::kInvalidArgument,
                     "`profile` and `experiment` both choose the profile")
            .with_field("experiment")
            .with_reason("profile_and_experiment")
            .with_hint("leave out one of them");
    const auto known = experiments();
    for (const ranking::Experiment& each : *known) {
        if (each.name != call.experiment) continue;
        if (!call.user_id)
            return Error(ErrorCode::kInvalidArgument, "an experiment needs to know the user")
                .with_field("user_id")
                .with_reason("missing_input")
                .with_hint("say for which user: user_id of the request, FOR USER of a query");
        TIDAL_ASSIGN(const EntityId user,
                     resolve_id(*schema(), EntityKind::kUser, *call.user_id, "user_id"));
        *experiment = each.name + "@" + std::to_string(each.version);
        return each.arms[each.arm_of(user)].profile;
    }
    std::vector<std::string_view> names;
    for (const ranking::Experiment& each : *known) names.push_back(each.name);
    return Error(ErrorCode::kUnknownName, "unknown experiment `" + call.experiment + "`")
        .with_field("experiment")
        .with_reason("unknown_experiment")
        .with_hint(ranking::suggestion(call.experiment, "experiments", names));
}

}  // namespace tidal::api
