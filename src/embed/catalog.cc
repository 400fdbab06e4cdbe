// Profiles, experiments, cohorts, models, and pages that are compared.
#include "embed/internal/open.h"

namespace tidal {

using internal::wait;

Result<api::FeedComparison> Library::compare(const api::FeedCall& call,
                                             std::string_view other_profile) {
    return wait<api::FeedComparison>([&](auto done) {
        open_->database->compare(call, std::string(other_profile), std::move(done));
    });
}

Result<api::CatalogReply> Library::put_profile(std::string_view text, bool dry_run) {
    return wait<api::CatalogReply>([&](auto done) {
        open_->database->put_profile(std::string(text), dry_run, std::move(done));
    });
}
std::vector<ranking::ProfileListing> Library::profiles(EntityKind kind) const {
    return open_->database->profiles()->list(kind);
}
Result<ranking::ProfileListing> Library::profile(std::string_view name, EntityKind kind) const {
    return open_->database->profiles()->listing(name, kind);
}
Result<void> Library::retire_profile(const std::string& name) {
    return wait<void>([&](auto done) {
        open_->database->retire(record::CatalogKind::kProfile, name, std::move(done));
    });
}

Result<api::CatalogReply> Library::put_experiment(std::string_view text, bool dry_run) {
    return wait<api::CatalogReply>([&](auto done) {
        open_->database->put_experiment(std::string(text), dry_run, std::move(done));
    });
}
std::vector<ranking::Experiment> Library::experiments() const {
    return *open_->database->experiments();
}
Result<ranking::Experiment> Library::experiment(std::string_view name) const {
    for (const auto known = open_->database->experiments();
         const ranking::Experiment& each : *known)
        if (each.name == name) return each;
    return Error(ErrorCode::kNotFound, "no experiment `" + std::string(name) + "`")
        .with_field("name");
}
Result<void> Library::retire_experiment(const std::string& name) {
    return wait<void>([&](auto done) {
        open_->database->retire(record::CatalogKind::kExperiment, name, std::move(done));
    });
}

Result<api::ExperimentResults> Library::experiment_results(const api::ExperimentRequest& request) {
    return open_->database->experiment_results(request);
}

Result<api::CatalogReply> Library::put_cohort(std::string_view text, bool dry_run) {
    return wait<api::CatalogReply>([&](auto done) {
        open_->database->put_cohort(std::string(text), dry_run, std::move(done));
    });
}
std::vector<query::Cohort> Library::cohorts() const {
    std::vector<query::Cohort> out;
    for (const auto known = open_->database->cohorts();
         const query::BoundCohort& each : known->all())
        out.push_back(each.cohort);
    return out;
}
Result<api::CohortReply> Library::cohort(std::string_view name) const {
    return open_->database->cohort(name);
}
Result<void> Library::retire_cohort(const std::string& name) {
    return wait<void>([&](auto done) {
        open_->database->retire(record::CatalogKind::kCohort, name, std::move(done));
    });
}

Result<api::CatalogReply> Library::put_collection(const std::string& name,
                                                  std::string_view description) {
    return wait<api::CatalogReply>([&](auto done) {
        open_->database->put_collection(name, std::string(description), std::move(done));
    });
}
Result<std::vector<api::CollectionReply>> Library::collections() const {
    return open_->database->collection_list();
}
Result<api::CollectionItems> Library::collection_items(
    const api::CollectionItemsRequest& request) const {
    return open_->database->collection_items(request);
}
Result<void> Library::delete_collection(const std::string& name) {
    return wait<void>(
        [&](auto done) { open_->database->delete_collection(name, std::move(done)); });
}

Result<api::CatalogReply> Library::put_model(const std::string& name, std::string_view text,
                                             bool dry_run) {
    return wait<api::CatalogReply>([&](auto done) {
        open_->database->put_model(name, std::string(text), dry_run, std::move(done));
    });
}
std::vector<api::StoredModel> Library::models() const {
    return *open_->database->models();
}
Result<std::string> Library::model_text(const std::string& name) const {
    return open_->database->model_text(name);
}
Result<void> Library::retire_model(const std::string& name) {
    return wait<void>([&](auto done) {
        open_->database->retire(record::CatalogKind::kModel, name, std::move(done));
    });
}

Result<api::CatalogReply> Library::put_synonyms(const std::string& name, std::string_view text,
                                                bool dry_run) {
    return wait<api::CatalogReply>([&](auto done) {
        open_->database->put_synonyms(name, std::string(text), dry_run, std::move(done));
    });
}
std::vector<api::StoredSynonyms> Library::synonyms() const {
    return open_->database->synonyms();
}
Result<void> Library::retire_synonyms(const std::string& name) {
    return wait<void>([&](auto done) {
        open_->database->retire(record::CatalogKind::kSynonyms, name, std::move(done));
    });
}

}  // namespace tidal
