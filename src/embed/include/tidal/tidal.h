// tidal/tidal.h: the embedded library: the same database without a server.
//
//     auto db = tidal::Library::open({.directory = "./data"});
//     db->write(tidal::api::EntityWrite{.id = 1u, .metadata = {{"title", "Jazz Piano"}}});
//     db->write(tidal::api::SignalWrite{.id = 1u, .signal = "view"});
//     auto feed = db->feed({.profile = "trending"});
//
// Requests and replies are those of every other door: api/types.h. docs/guides/embedding.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/backup_manifest.h"
#include "api/import.h"
#include "api/memory_options.h"
#include "api/session_policy.h"
#include "api/types.h"
#include "base/log.h"
#include "base/result.h"
#include "ranking/experiment.h"
#include "ranking/profile_registry.h"

namespace tidal {

struct OpenOptions {
    std::string directory;  ///< Made when absent. Empty: nothing on disk, lost at close.
    std::optional<std::uint16_t> shards;  ///< Of a new directory (default 1).
    std::optional<std::string> schema;    ///< YAML; default: config/default-schema.yaml.
    /// Of each shard, for what it knows of users; what is not given stays as the directory has it:
    /// docs/operations/running.md#memory.
    api::MemoryOptions memory;
    /// Of the whole process, the application's own memory included; above it writes that need more
    /// are refused, kOverloaded "memory_full", and reads, deletes and signals go on. 0 = no limit.
    /// kUnsupported where the system does not say what a process holds.
    std::uint64_t memory_bytes_max = 0;
    Logger logger;  ///< Of what operators must know, such as a full disk; default: nothing.
};

/// Files of somebody's own, read as a mapping says: docs/reference/mapping.md.
struct ImportFiles {
    std::string mapping;  ///< YAML.
    std::string folder;   ///< Of the files that the mapping names, as they are or with ".zst".
    /// The same files under one id are imported once, however often it is interrupted. Empty = made
    /// from the mapping and the sizes of the files.
    std::string id;
    bool shift_end_to_now = false;  ///< The newest signal becomes now.
    api::ImportObserver observer;
};

/// Threads: any number of callers; calls block until they are answered. One process per directory.
class Library {
public:
    /// kConflict when another process has the directory, kIncompatible naming what differs,
    /// kCorruption with file and offset.
    static Result<Library> open(const OpenOptions& options);
    Library(Library&&) noexcept;
    Library& operator=(Library&&) noexcept;
    /// Closes: writes a last checkpoint, so that the next open replays nothing.
    ~Library();

    /// Returns once the write is durable and applied (context.write_concern says otherwise).
    Result<api::WriteReply> write(api::Write write, const api::CallContext& context = {});
    /// One reply per write, in order; an error of one leaves the others alone.
    api::WriteReplies write_all(std::vector<api::Write> writes,
                                const api::CallContext& context = {});

    Result<api::EntityReply> get(const api::EntityRequest& request);
    Result<api::SignalReadings> signals(const api::EntityRequest& request);
    /// What a user hides, saves, follows, blocks and mutes; write() takes an
    /// api::RelationshipWrite.
    Result<api::RelationshipsReply> relationships(const api::RelationshipsRequest& request);
    /// Takes turns with the feeds of other threads; where too many ask, replies carry less
    /// (`degradation`) or are refused with kUnavailable, reason "overloaded".
    Result<api::FeedReply> feed(const api::FeedCall& call);
    /// A query as text, such as "RETRIEVE items USING trending LIMIT 5": docs/reference/query.md.
    /// kUnsupported for SUGGEST, which has no page.
    Result<api::FeedReply> query(std::string_view text);
    /// Searches that a user keeps; write() takes an api::SavedSearchWrite:
    /// docs/reference/search.md#saved-searches.
    Result<std::vector<api::SavedSearch>> saved_searches(const api::IdInput& user_id);
    Result<api::FeedReply> run_saved_search(const api::SavedSearchRequest& request);
    /// Sessions of users and agents: docs/reference/sessions.md. A signal goes with one that its
    /// `session_id` names, a page with the one of `session`.
    Result<api::SessionReply> open_session(const api::SessionOpen& open,
                                           const api::CallContext& context = {});
    /// kNotFound, reason "unknown_session".
    Result<api::SessionReply> session(std::uint64_t id) const;
    Result<std::vector<api::SessionReply>> sessions(const api::IdInput& user_id) const;
    Result<api::SessionReply> annotate_session(const api::SessionAnnotate& annotate,
                                               const api::CallContext& context = {});
    /// What it came to. The second time it changes nothing (`repeated`).
    Result<api::SessionReply> close_session(std::uint64_t id, const api::CallContext& context = {});
    /// How what is being typed may go on: docs/reference/search.md#suggestions.
    Result<api::SuggestReply> suggest(const api::SuggestCall& call);
    /// Returns once everything the token of a write names is applied, on every shard it reached.
    Result<void> wait_for(std::string_view token, std::uint64_t timeout_ms = 10'000);

    /// The same request under the call's profile and under another: docs/reference/profiles.md.
    Result<api::FeedComparison> compare(const api::FeedCall& call, std::string_view other_profile);

    /// Adds to the schema: the whole of it, as wanted. kIncompatible names what is not an addition.
    Result<void> put_schema(std::string_view yaml);
    std::string schema_yaml() const;

    // Profiles, experiments, cohorts, models, synonyms and policies, kept with the data. `put_*`
    // makes a version, or with `dry_run` only checks; kConflict when the version is taken or the
    // name is built in. `retire_*` ends all versions; kConflict while something still uses it,
    // kNotFound.
    Result<api::CatalogReply> put_profile(std::string_view text, bool dry_run = false);
    std::vector<ranking::ProfileListing> profiles(EntityKind kind = EntityKind::kItem) const;
    /// @param name  "trending" (its newest version) or "trending@1". kUnknownName.
    Result<ranking::ProfileListing> profile(std::string_view name,
                                            EntityKind kind = EntityKind::kItem) const;
    Result<void> retire_profile(const std::string& name);
    Result<api::CatalogReply> put_experiment(std::string_view text, bool dry_run = false);
    /// The newest version of each, by name.
    std::vector<ranking::Experiment> experiments() const;
    Result<ranking::Experiment> experiment(std::string_view name) const;
    Result<void> retire_experiment(const std::string& name);
    /// What came of its arms, from the whole log: docs/reference/profiles.md#results. Takes as long
    /// as export_shown() of everything, and some 20 MiB meanwhile. kNotFound, kUnsupported in
    /// memory.
    Result<api::ExperimentResults> experiment_results(const api::ExperimentRequest& request);
    /// Groups of users: docs/guides/cohorts.md.
    Result<api::CatalogReply> put_cohort(std::string_view text, bool dry_run = false);
    /// The newest version of each, by name.
    std::vector<query::Cohort> cohorts() const;
    Result<api::CohortReply> cohort(std::string_view name) const;
    Result<void> retire_cohort(const std::string& name);
    /// Named sets of items that people choose: docs/guides/collections.md. write() takes an
    /// api::CollectionMemberWrite. A description that is put anew replaces the one before.
    Result<api::CatalogReply> put_collection(const std::string& name,
                                             std::string_view description = "");
    /// By name.
    Result<std::vector<api::CollectionReply>> collections() const;
    /// kNotFound, reason "unknown_collection".
    Result<api::CollectionItems> collection_items(const api::CollectionItemsRequest& request) const;
    /// kConflict while a profile takes candidates from it.
    Result<void> delete_collection(const std::string& name);
    /// @param text  As LightGBM writes it: docs/reference/expressions.md#models.
    Result<api::CatalogReply> put_model(const std::string& name, std::string_view text,
                                        bool dry_run = false);
    std::vector<api::StoredModel> models() const;
    /// The text as it was put. kNotFound.
    Result<std::string> model_text(const std::string& name) const;
    Result<void> retire_model(const std::string& name);
    /// @param text  Rules as "tv, television": docs/reference/search.md#synonyms.
    Result<api::CatalogReply> put_synonyms(const std::string& name, std::string_view text,
                                           bool dry_run = false);
    std::vector<api::StoredSynonyms> synonyms() const;
    Result<void> retire_synonyms(const std::string& name);
    /// @param text  Rules as "per_minute 30": docs/reference/sessions.md#policies.
    Result<api::CatalogReply> put_policy(const std::string& name, std::string_view text,
                                         bool dry_run = false);
    /// By name, "default" among them.
    std::vector<api::StoredPolicy> policies() const;
    Result<void> retire_policy(const std::string& name);

    /// Returns once all of it is in, or with what ended it; a second call goes on where it stopped.
    /// Rows that do not fit are told to `observer.on_rejected` and counted. kNotFound for a file of
    /// the mapping that is not there.
    Result<api::ImportProgress> import(ImportFiles files);
    /// A page of signals from log and archive; ask on from its `position` until `end`.
    Result<api::ExportPage> export_signals(const api::ExportRequest& request);
    /// The same of impressions, each with what its user then did with the item.
    Result<api::ShownPage> export_shown(const api::ShownRequest& request);

    /// Makes a backup in `folder`, which must not exist yet, while writes and reads go on.
    /// kUnsupported in memory, kConflict, kDiskFull; after an error nothing is left there.
    Result<api::BackupManifest> backup(const std::string& folder);
    /// Reads every byte of a backup: a line for each file that is damaged; empty = sound.
    static Result<std::vector<std::string>> verify_backup(const std::string& folder);
    /// Makes the data directory `directory`, absent or empty before, of a backup. kCorruption.
    static Result<api::BackupManifest> restore(const std::string& folder,
                                               const std::string& directory);

private:
    struct Open;
    explicit Library(std::unique_ptr<Open> open);
    std::unique_ptr<Open> open_;
};

}  // namespace tidal
