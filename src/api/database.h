// api/database.h: a database on one machine: its directory, its log, its shards, and every
// operation.
#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/functional/function_ref.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "api/api_keys.h"
#include "api/cluster.h"
#include "api/cluster_options.h"
#include "api/cluster_status.h"
#include "api/consistency.h"
#include "api/identity.h"
#include "api/memory_options.h"
#include "api/query_gate.h"
#include "api/recent_queries.h"
#include "api/session_policy.h"
#include "api/token.h"
#include "api/types.h"
#include "query/shown_set.h"
#include "ranking/experiment.h"
#include "ranking/profile_registry.h"
#include "runtime/runtime.h"
#include "runtime/task.h"
#include "shard/relay_pump.h"
#include "shard/shard.h"
#include "storage/shard_store.h"
#include "wal/node_log.h"

namespace tidal::text {
class Synonyms;
}

namespace tidal::query {
class CursorCodec;
class CursorKey;
class FeedRun;
class SourcesRun;
class TextRun;
struct ScoredItem;
struct FeedCohort;
struct FeedPlan;
struct LikedItem;
struct ShardPage;
struct Viewer;
enum class TextMode : std::uint8_t;
}  // namespace tidal::query

namespace tidal::api {

class ClusterNode;
class PersonalArchive;
class ShownJoin;
class TermIndex;
struct ExperimentCount;
struct ExportPosition;
struct FeedPace;
struct GroupAnswer;
struct HeldFiles;
struct JoinedImpression;
struct Proposal;
struct ShownJoinOptions;
struct WriteGroup;

struct DatabaseOptions {
    bool ephemeral = false;  ///< Nothing on disk; everything is lost at the end.
    std::optional<std::uint16_t>
        shards;                         ///< Of a new directory (default 1); must match an old one.
    std::optional<std::string> schema;  ///< YAML. New: the schema; old: may only add to it.
    std::uint16_t executors = 1;        ///< Shards are pinned to them in turn.
    std::uint64_t checkpoint_interval_ms = 30'000;
    std::uint64_t checkpoint_events = 1'000'000;
    std::uint64_t log_bytes_max = 1ULL << 30;  ///< Above it a shard that pins the log checkpoints.
    std::uint64_t ledger_bytes_max = 4ULL << 30;
    /// Of each shard, under way; then refused. As much of all may wait for new fields of a schema.
    std::uint64_t writes_bytes_max = 256ULL << 20;
    std::uint64_t idempotency_bytes_max = 256ULL << 20;
    /// Of the whole process (runtime::Memory::held_bytes); above it writes are refused that make it
    /// grow: shard/memory_budget.h. 0 = no limit.
    std::uint64_t memory_bytes_max = 0;
    /// Of each data shard. Part of its state: who leads it writes those that are given into its
    /// log where they differ, so members of a cluster should give the same, or none.
    MemoryOptions memory;
    /// Vectors of a slot of a shard that no graph has, from which on one is made of them.
    std::uint64_t graph_vectors_min = 8'192;
    std::uint64_t view_items_min = 4'096;  ///< Items of a shard from which on top views are kept.
    /// Records that a shard applies between two looks whether somebody waits, above 0; nullopt =
    /// shard::Shard::Options' numbers.
    std::optional<std::size_t> slice_records;
    LoadLimits load;
    wal::LogOptions log;
    /// A member of a cluster, in a directory that init_cluster() or write_joined() made
    /// (cluster_directory.h); `ephemeral`, `shards` are not for it. nullopt = standalone.
    std::optional<ClusterOptions> cluster;
    Logger logger;  ///< Of what operators must know; also for `log`.
};

/// Rows of an import carry their place in the source, so that resuming applies each exactly once.
struct ImportChunk {
    std::string import_id;
    std::uint64_t first_position = 1;  ///< Of writes[0]; the others follow densely…
    /// …unless given, rising, of each write. Writes of one place are of one entity and one after
    /// the other; where one of them cannot be resolved, none is written.
    std::vector<std::uint64_t> positions = {};

    std::uint64_t position(std::size_t write) const {
        return positions.empty() ? first_position + write : positions[write];
    }
    bool with_previous(std::size_t write) const {
        return write > 0 && !positions.empty() && positions[write] == positions[write - 1];
    }
};

/// Threads: any. Callbacks run on a shard's executor, or on the caller's thread when the answer is
/// known at once. Lifetime: stop() before destruction; the runtime must outlive it.
class Database {
public:
    using Done = absl::AnyInvocable<void(Result<void>)>;
    using WritesDone = absl::AnyInvocable<void(WriteReplies)>;

    /// Locks the directory, checks its identity, opens checkpoints, replays the log. kConflict when
    /// another process holds it; kIncompatible naming what differs; kCorruption with file and
    /// offset.
    static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options,
                                                  runtime::Runtime& runtime);
    ~Database();

    /// Gives new shards their configuration and every shard the newest schema, then calls back.
    void start(Done done);
    /// Refuses new writes, commits those in flight, writes checkpoints, releases the directory.
    void stop(absl::AnyInvocable<void()> done);

    // Writes: one reply per write, in order. Several writes to one entity keep their order, within
    // a call and over the calls of one thread, whether or not earlier ones are answered.
    void write(std::vector<Write> writes, const CallContext& context, WritesDone done);
    /// As `write`; writes at or below their shard's mark for this import are skipped (`repeated`).
    void write_import(std::vector<Write> writes, const ImportChunk& chunk,
                      const CallContext& context, WritesDone done);
    /// A number kept under a name beside an import's marks: its time shift, that it is complete.
    void put_import_note(const std::string& name, std::uint64_t value, Done done);
    /// As this node has it.
    Result<std::uint64_t> import_note(const std::string& name);
    /// As of every note that was acknowledged before, on whatever node.
    void newest_import_note(const std::string& name,
                            absl::AnyInvocable<void(Result<std::uint64_t>)> done);
    /// Adds to the schema and logs the addition. kIncompatible names what is not an addition.
    void put_schema(std::string_view yaml, Done done);
    using CatalogDone = absl::AnyInvocable<void(Result<CatalogReply>)>;
    /// Makes a version of a profile, checked against the schema (docs/reference/profiles.md).
    /// @param dry_run  Only checks. kConflict when the version is taken or the name is built in.
    void put_profile(std::string text, bool dry_run, CatalogDone done);
    /// An experiment between profiles that exist.
    void put_experiment(std::string text, bool dry_run, CatalogDone done);
    /// A version of a cohort of users (docs/guides/cohorts.md). kUnknownName for a parent, signal
    /// or field that is not there.
    void put_cohort(std::string text, bool dry_run, CatalogDone done);
    /// A new version of a model (docs/reference/expressions.md#models), or nothing when the newest
    /// has this text. kConflict when a profile that is available would not be with it.
    void put_model(const std::string& name, std::string text, bool dry_run, CatalogDone done);
    /// A new version of a set of synonyms, which every search goes by; or nothing when the newest
    /// has this text.
    void put_synonyms(const std::string& name, std::string text, bool dry_run, CatalogDone done);
    /// A new version of a policy of sessions (docs/reference/sessions.md#policies), or nothing when
    /// the newest has this text. Sessions keep what they were opened with.
    void put_policy(const std::string& name, std::string text, bool dry_run, CatalogDone done);
    /// Makes a collection, or describes one anew (docs/guides/collections.md). What is in it are
    /// writes: api::CollectionMemberWrite. kTooLarge above query::kCollectionCountMax.
    void put_collection(std::string name, std::string description, CatalogDone done);
    /// It is gone when this calls back, and so is what was in it, but for shards that have no
    /// leader: they forget it later. kConflict while a profile names it.
    void delete_collection(const std::string& name, Done done);
    /// Ends every version of what has that name; their numbers are not used again. kConflict for a
    /// built-in profile and for what an experiment, a profile or another cohort still uses.
    void retire(record::CatalogKind kind, const std::string& name, Done done);
    // Sessions: docs/reference/sessions.md. Replies are as of the write, on this node.
    using SessionDone = absl::AnyInvocable<void(Result<SessionReply>)>;
    /// With an idempotency key the same call opens the same session, while that is known.
    /// @return kUnknownName  the policy; kOverloaded, reason "too_many_sessions".
    void open_session(SessionOpen open, const CallContext& context, SessionDone done);
    /// kNotFound, reason "unknown_session"; kGone; kInvalidArgument, reason "too_many_annotations".
    void annotate_session(SessionAnnotate annotate, const CallContext& context, SessionDone done);
    /// The second time it changes nothing. kNotFound.
    void close_session(std::uint64_t id, const CallContext& context, SessionDone done);
    void checkpoint(Done done);
    /// Whether anything is on disk.
    bool durable() const { return !options_.ephemeral; }
    /// Runs `work` on the executor of checkpoints: until it returns none becomes durable, so that
    /// rows, page files and the log behind them stay. Writes and reads go on. Only where durable().
    void hold_checkpoints(absl::AnyInvocable<void(const HeldFiles&)> work);

    /// Calls back when everything the token names is applied, or with kTimeout.
    void when_visible(std::string_view token, std::uint64_t timeout_ms, Done done);
    using FenceDone = absl::AnyInvocable<void(Result<FenceReply>)>;
    /// Before every read of a door: calls back once reads here are as new as `fence` says. On a
    /// server that is no cluster at once, but for a token.
    /// @return as when_visible(); kUnavailable, reason "no_leader" (nobody can say how new is new)
    ///         or "catching_up" (this node has not all shards yet), or kOverloaded (too much waits
    ///         for the groups of this node), after `timeout_ms`.
    /// @param where  Doors that have a thread of their own for what waits save a change of threads.
    void fence(const ReadFence& fence, const FenceScope& scope, std::uint64_t timeout_ms,
               FenceDone done, FenceAnswer where = FenceAnswer::kMayWait);

    /// False while a member of a cluster has not yet schema and configuration of every shard: reads
    /// are then kUnavailable, reason "catching_up".
    bool ready() const;
    /// Null on a standalone server.
    Cluster* cluster();
    /// Live; a standalone server answers, too.
    ClusterStatus cluster_status();
    /// Who takes writes of an entity, for redirects. Standalone: this node. nullopt while unknown.
    Result<std::optional<Leader>> leader_of(const EntityRequest& request);

    /// kConflict when the name is taken.
    void create_api_key(const std::string& name, KeyRole role,
                        absl::AnyInvocable<void(Result<NewApiKey>)> done);
    /// kNotFound.
    void revoke_api_key(const std::string& name, Done done);
    std::vector<ApiKeyInfo> api_keys() const;
    bool has_api_keys() const;
    /// Whose key this is; kUnauthenticated. Takes the same time wherever it differs.
    Result<ApiKeyInfo> check_api_key(std::string_view key) const;

    // Reads: what is applied now. In a cluster a page for a user waits until that is all that was
    // acknowledged before it, on whatever node: kUnavailable as of fence(), never a page without
    // what the user hid. So there those that return their reply are not for a thread that the node
    // itself needs.
    Result<EntityReply> get(const EntityRequest& request);
    Result<SignalReadings> signals(const EntityRequest& request);
    Result<RelationshipsReply> relationships(const RelationshipsRequest& request);
    /// kNotFound, reason "unknown_session".
    Result<SessionReply> session(std::uint64_t id);
    /// Of a user, by id.
    Result<std::vector<SessionReply>> sessions(const IdInput& user_id);
    /// Newest version of each, by name, "default" among them.
    std::shared_ptr<const std::vector<StoredPolicy>> policies() const;
    /// kUnknownName, reason "unknown_policy".
    Result<StoredPolicy> policy(std::string_view name) const;
    /// By name.
    Result<std::vector<SavedSearch>> saved_searches(const IdInput& user_id);
    /// A page for its user. kNotFound, reason "unknown_saved_search".
    Result<FeedReply> run_saved_search(const SavedSearchRequest& request);
    /// On the caller's thread, past all other queries; doors use the one below.
    Result<FeedReply> feed(const FeedCall& call);
    /// How what is being typed may go on, from titles of items, names of creators and what was
    /// searched for on this node.
    Result<SuggestReply> suggest(const SuggestCall& call);
    /// A query as text: docs/reference/query.md. Errors of feed(), their places in the text.
    Result<QueryReply> query(std::string_view text);
    // The same, for doors: a step on the caller's thread where no other query waits, the rest on
    // the shards' executors, in turn with other queries; under load with less, or refused with
    // kUnavailable, reason "overloaded" (query_gate.h).
    using FeedDone = absl::AnyInvocable<void(Result<FeedReply>)>;
    using ComparisonDone = absl::AnyInvocable<void(Result<FeedComparison>)>;
    void feed(FeedCall call, FeedDone done);
    void run_saved_search(const SavedSearchRequest& request, FeedDone done);
    /// @param request  What the text does not say: `impressions_key`, `request_id`, `urgency`.
    using QueryDone = absl::AnyInvocable<void(Result<QueryReply>)>;
    void query(std::string text, FeedCall request, QueryDone done);
    using SuggestDone = absl::AnyInvocable<void(Result<SuggestReply>)>;
    void suggest(SuggestCall call, SuggestDone done);
    /// The same request under the call's profile, or the user's of its experiment, and under
    /// another.
    void compare(FeedCall call, std::string other_profile, ComparisonDone done);
    std::shared_ptr<const schema::Schema> schema() const;
    std::shared_ptr<const ranking::ProfileRegistry> profiles() const;
    /// Newest version of each, by name.
    std::shared_ptr<const std::vector<ranking::Experiment>> experiments() const;
    /// Newest version of each.
    std::shared_ptr<const query::Cohorts> cohorts() const;
    /// kNotFound.
    Result<CohortReply> cohort(std::string_view name);
    std::shared_ptr<const query::Collections> collections() const;
    /// By name, with how many items are in each.
    Result<std::vector<CollectionReply>> collection_list();
    /// kNotFound, reason "unknown_collection".
    Result<CollectionReply> collection(const std::string& name);
    Result<CollectionItems> collection_items(const CollectionItemsRequest& request);
    /// By name.
    std::shared_ptr<const std::vector<StoredModel>> models() const;
    /// As it was put. kNotFound.
    Result<std::string> model_text(const std::string& name);
    /// By name.
    std::vector<StoredSynonyms> synonyms();
    /// Reads log and archive: blocks, so not from an executor. kUnsupported with --ephemeral;
    /// kConflict, reason "history_incomplete", where a snapshot brought this member so far that its
    /// log lacks signals behind the position, and `gaps` is not asked for.
    Result<ExportPage> export_signals(const ExportRequest& request);
    /// Of what was shown, and what came of it. Blocks; errors as above, and kInvalidArgument.
    Result<ShownPage> export_shown(const ShownRequest& request);
    /// What came of an experiment's arms, from all of the log. Blocks for as long as an export of
    /// all impressions; errors as above, and kNotFound, reason "unknown_experiment".
    Result<ExperimentResults> experiment_results(const ExperimentRequest& request);
    /// The same in turns: begun at once, then counted on until there are results. A turn reads
    /// 100,000 records at most, and blocks meanwhile; between turns a count has some 20 MiB, and 48
    /// bytes for each signal that followed what is open.
    Result<std::shared_ptr<ExperimentCount>> begin_count(const ExperimentRequest& request);
    Result<std::optional<ExperimentResults>> count_on(ExperimentCount& count);

    struct Stats {
        Identity identity;
        bool ephemeral = false;
        std::uint64_t items = 0, users = 0, creators = 0;
        std::vector<shard::Shard::Stats> shards;  ///< Shard 0 (metadata) first.
        wal::LogStats log;
        QueryGate::Stats queries;
        std::uint64_t query_steps = 0;            ///< Of feeds, since the start.
        std::optional<std::uint64_t> held_bytes;  ///< Of the process; nullopt = nobody says.
        shard::MemoryBudget::Stats memory;        ///< Without a budget nothing.
        UnixMillis started_ms = 0, now_ms = 0;
    };
    Stats stats();
    /// Of each replica here, shard 0 first. Walks all state inside the monitors, shard by shard,
    /// and blocks: for diagnostics. kUnavailable "catching_up" or "state_replaced".
    Result<std::vector<ShardContent>> contents();
    /// Those of the data shards.
    Result<std::vector<std::uint64_t>> content_hashes();

private:
    friend class ClusterNode;
    friend class Fences;
    friend class InnerView;  ///< Of tests.
    friend class PersonalArchive;
    friend class Reconciler;
    friend class Router;
    class Transport;
    struct Join;
    struct Pinned;

    Database(const DatabaseOptions& options, runtime::Runtime& runtime);
    static std::string shard_directory(ShardId shard);
    Result<void> open_directory();
    Result<void> open_files();
    Result<void> open_shards();
    Result<void> open_log();
    void start_shards();
    void begin_archive();
    void start_alone(Done done);
    void start_member(Done done);
    void stop_shards(absl::AnyInvocable<void()> done);
    void configure_shard(std::size_t at, Done done);
    std::vector<record::Record> missing_configuration(std::size_t at, Result<void>* problem);
    void put_schema_in_cluster(schema::Schema wanted, std::uint64_t deadline_ns, Done done);
    void wait_for_schema(SchemaVersion version, std::uint64_t deadline_ns, Done done);
    void with_newest_catalog(Done done, std::uint64_t timeout_ms = CallContext().timeout_ms);
    /// A change that was checked against the catalogue as published when it was made.
    struct CatalogChange {
        record::CatalogBody body;
        std::vector<std::string> warnings;
    };
    using MakeChange = absl::AnyInvocable<Result<CatalogChange>()>;
    struct ChangeUnderWay;
    /// Makes a change and writes it, unless another one came between: then it is made again.
    void change_catalog(bool dry_run, MakeChange make, CatalogDone done);
    void change_catalog(std::shared_ptr<ChangeUnderWay> change);
    Result<CatalogChange> make_profile(const std::string& text);
    Result<CatalogChange> make_experiment(const std::string& text);
    Result<CatalogChange> make_cohort(const std::string& text);
    Result<CatalogChange> make_model(const std::string& name, const std::string& text);
    Result<CatalogChange> make_synonyms(const std::string& name, const std::string& text);
    Result<CatalogChange> make_policy(const std::string& name, const std::string& text);
    Result<CatalogChange> make_collection(const std::string& name, const std::string& description);
    Result<void> check_retirable(record::CatalogKind kind, const std::string& name);
    HybridTime published_catalog() const;
    Result<CatalogChange> make_retirement(record::CatalogKind kind, const std::string& name);
    void with_policy(const std::string& name, absl::AnyInvocable<void(Result<StoredPolicy>)> done);
    void answer_session(std::uint64_t id, const Result<WriteReply>& written, SessionDone done);
    void write_session(SessionWrite write, const CallContext& context, SessionDone done);
    void open_drawn(SessionWrite write, const CallContext& context, int left, SessionDone done);
    Result<void> name_user_of_session(FeedCall* call);
    Result<audience::Session> session_of(const FeedCall& call, UnixMillis now_ms);
    Result<void> add_session(const FeedCall& call, const audience::Session& session,
                             query::Viewer* viewer);
    void drop_collection(ShardId shard, CollectionId collection, Done done);
    /// What of collections that are gone is left in a shard that this node leads.
    void drop_lost_collections(ShardId shard);
    Result<std::uint64_t> items_in(CollectionId collection);
    std::shared_ptr<const schema::Schema> oldest_schema();
    void publish_api_keys(const std::vector<shard::CatalogEntry>& entries);
    void add_to_schema(schema::Schema wanted, Done done);
    void raise_schema(std::size_t at, std::string encoded, Done done);
    Result<bool> begin_schema_change(const schema::Schema& wanted);
    void end_schema_change();
    Result<void> publish_nothing();
    void publish_catalog();
    struct FetchedCatalog;
    Result<FetchedCatalog> fetch_catalog();
    void publish(const FetchedCatalog& fetched);
    /// When something of it changed since the last time; what followers and leaders do alike.
    /// @return whether it did.
    bool publish_if_changed();
    /// Whether it did. Enters no monitor.
    bool catalog_is_news();
    /// kUnavailable "catching_up" or "state_replaced".
    Result<void> check_readable(ShardId id);
    Result<void> check_readable();
    std::vector<shard::CatalogEntry> catalog_entries();
    Result<void> check_profiles_live_on(const ranking::ModelSet& models, const std::string& name);
    void put_catalog(record::CatalogBody body, std::vector<std::string> warnings, CatalogDone done);
    void put_catalog(record::CatalogBody body, std::vector<std::string> warnings,
                     std::uint64_t deadline_ns, CatalogDone done);
    /// At least 1, so that what is over by then says so itself.
    std::uint64_t time_left_ms(std::uint64_t deadline_ns) const;
    /// @param call   Large, and so its caller's, who keeps it until the end. Changed: it gets the
    ///               user of its session, and that it was confirmed.
    /// @param shown  To its user: counted where the profile has a daily cap.
    runtime::Task<Result<FeedReply>> feed_task(FeedCall* call, bool in_turns, query::TextMode mode,
                                               bool shown = true);
    runtime::Task<void> answer_feed(std::unique_ptr<FeedCall> call, FeedDone done);
    /// Lowers the plan's limit to what of the cap seems to be left.
    Result<void> read_cap(const FeedCall& call, std::uint64_t page, query::FeedPlan* plan,
                          FeedReply* reply);
    /// Counts the page, and cuts it to what is granted.
    runtime::Task<Result<void>> deliver(const query::FeedPlan* plan, std::uint32_t asked,
                                        std::uint64_t page, FeedReply* reply);
    std::uint64_t page_number(const FeedCall& call);
    Result<FeedCall> saved_search_call(const SavedSearchRequest& request);
    runtime::Task<Result<SuggestReply>> suggest_task(SuggestCall call, bool in_turns);
    /// Adds what entities of one kind go on with, behind what the reply has.
    runtime::Task<Result<void>> complete(const SuggestCall* call, EntityKind kind,
                                         query::TextMode mode, bool in_turns, SuggestReply* reply);
    /// Of a member of a cluster: passes a strong fence of all shards, unless that was done.
    runtime::Task<Result<void>> confirm(bool* confirmed);
    runtime::Task<Result<FeedComparison>> compare_task(FeedCall call, std::string other_profile);
    Result<query::FeedPlan> plan_call(const FeedCall& call, query::TextMode mode, FeedReply* reply);
    Result<void> read_anchors(query::FeedPlan* plan);
    Result<void> read_tastes(query::FeedPlan* plan);
    struct ItemRead;
    std::vector<query::LikedItem> read_items(std::span<const ItemRead> reads,
                                             const query::FeedPlan& plan);
    /// @param at_once  Each shard was asked in one step: nothing of the pages may have gone since.
    /// @param marks    Texts of what is shown are read, whatever fields the page has.
    Result<void> finish_feed(const query::FeedPlan& plan, std::vector<query::ShardPage> pages,
                             bool at_once, bool marks, FeedReply* reply);
    runtime::Task<void> log_impressions(const FeedCall* call, FeedReply* reply);
    query::CursorCodec cursors();
    template <typename Run>
    runtime::Task<Result<void>> run_steps(shard::Shard* shard, Run* run, FeedPace* pace);
    template <typename Run>
    Result<bool> step(shard::Shard& shard, std::uint64_t generation, EntityKind kind, Run* run);
    runtime::Task<Result<void>> gather_texts(bool typos, query::FeedPlan* plan, FeedPace* pace);
    runtime::Task<Result<void>> list_sources(bool typos, query::FeedPlan* plan, FeedPace* pace);
    runtime::Task<Result<void>> rank_pages(query::FeedPlan* plan, FeedPace* pace,
                                           std::vector<query::ShardPage>* pages);
    Result<std::string> profile_of(const FeedCall& call, std::string* experiment) const;
    using Groups = std::map<ShardId, WriteGroup>;
    Groups group_by_shard(const std::vector<Write>& writes, const ImportChunk* chunk,
                          const schema::Schema& schema, const CallContext& context, Join& join);
    static void take_back(std::size_t line, Groups* groups);
    Result<void> name_target(record::Record* record);
    std::vector<ShardId> name_targets(Groups* groups, Join& join);
    void catch_up_with(std::vector<ShardId> shards, absl::AnyInvocable<void()> again);
    void name_cohorts(Groups* groups, Join& join);
    Result<void> name_cohorts(ShardId home, const query::Cohorts& known,
                              std::span<record::Record* const> signals);
    std::int64_t cohort_events(CohortId cohort, UnixMillis now_ms);
    Result<query::FeedCohort> cohort_of(const std::string& name, UnixMillis now_ms);
    query::FeedCohort read_as(const query::BoundCohort& asked, UnixMillis now_ms);
    std::vector<query::FeedCohort> own_cohorts(const EntityId& user, UnixMillis now_ms);
    static void name_import(const ImportChunk& chunk, const schema::Schema& schema,
                            std::size_t lines, Groups* groups);
    /// One outcome per record, or an error for all, from wherever the shard's leader is.
    /// @param only_here  kUnavailable "not_leader" where that is another node.
    void route(Proposal proposal, std::uint64_t timeout_ms, shard::Shard::Done done,
               bool only_here = false);
    void propose_here(Proposal proposal, std::uint64_t timeout_ms, shard::Shard::Done done);
    void propose_import(Proposal proposal, std::uint64_t timeout_ms, shard::Shard::Done done);
    ShardId goes_on_to(const record::Record& record) const;
    bool hides_by_session(const record::Record& record) const;
    void answer_lines(const GroupAnswer& answer, const std::shared_ptr<Join>& join,
                      const Result<std::vector<shard::Outcome>>& outcomes);
    void propose_groups(Groups groups, const CallContext& context, std::shared_ptr<Join> join);
    Result<void> add_item_relationships(record::RelationshipKind kind, RelationshipsReply* reply);
    Result<void> add_other_relationships(record::RelationshipKind kind, RelationshipsReply* reply);
    Result<query::Viewer> viewer_of(const EntityId& user, UnixMillis now_ms);
    /// Of a call that deletes users: answered once every shard has forgotten them.
    WritesDone after_erasures(const std::vector<Write>& writes, const CallContext& context,
                              WritesDone done);
    /// The first vshard of each other data shard.
    std::vector<VShard> others_than(ShardId home) const;
    /// Of a data shard; of the one behind the last kVShardCount.
    std::uint16_t first_vshard(std::size_t shard) const;
    void write_lines(std::vector<Write> writes, const ImportChunk* chunk,
                     const CallContext& context, WritesDone done);
    /// @param caught_up  Names that are unknown here are unknown.
    void write_joined(std::vector<Write> writes, const ImportChunk* chunk,
                      const CallContext& context, std::shared_ptr<Join> join,
                      bool caught_up = false);
    void catch_up_then_write(std::vector<Write> writes, const ImportChunk* chunk,
                             const CallContext& context, std::shared_ptr<Join> join);
    void widen_then_write(const schema::Schema& wider, std::vector<Write> writes,
                          const ImportChunk* chunk, const CallContext& context,
                          std::shared_ptr<Join> join);
    /// A call that came while another one waits for a wider schema: it keeps its place behind it.
    struct HeldWrite {
        std::vector<Write> writes;
        std::optional<ImportChunk> chunk;
        CallContext context;
        std::shared_ptr<Join> join;
    };
    Result<void> count_waiting(const std::vector<Write>& writes, Join* join);
    void end_widening();
    void write_held();
    shard::WriteConcern concern_of(const CallContext& context) const;
    ShardId shard_of(VShard vshard) const;
    Result<ShardId> shard_of(const EntityRequest& request) const;
    shard::Shard& shard(ShardId id) { return *shards_[id.value()]; }
    runtime::Executor& executor_of(ShardId id) {
        return *executors_[id.value() % executors_.size()];
    }
    Result<EntityReply> entity_in(shard::ShardState& state, EntityKind kind, const EntityId& id);
    Result<std::optional<EntityReply>> row_of(shard::ShardState& state, const query::FeedPlan& plan,
                                              const EntityId& id, bool id_alone);
    Result<std::vector<std::optional<EntityReply>>> rows_of(
        const query::FeedPlan& plan, const std::vector<query::ScoredItem>& page, bool ids_alone);
    std::vector<shard::StreamPosition> rows_under_way(const shard::StreamPosition& all);
    void wait_for(const Token& token, std::uint64_t timeout_ms, Done done);
    void wait_for_all(std::deque<shard::StreamPosition> sources, std::uint64_t deadline_ns,
                      Done done);
    void wait_for_these(const Token& token, std::uint64_t timeout_ms, Done done);

    RecentQueries recent_queries_;
    const DatabaseOptions options_;
    /// YAML, of a directory whose log has none yet; nullopt = the built-in one.
    std::optional<std::string> first_schema_;
    runtime::Runtime& runtime_;
    Identity identity_;
    std::shared_ptr<const query::CursorKey> cursor_key_;  ///< Of the identity's secret.
    UnixMillis started_ms_ = 0;
    std::unique_ptr<runtime::DiskLock> lock_;
    std::unique_ptr<storage::RowEngine> rows_;
    query::ShownStore shown_;  ///< Of long sequences of pages.
    std::unique_ptr<Transport> transport_;
    std::unique_ptr<shard::MemoryBudget> memory_budget_;  ///< nullptr = no limit.
    std::atomic<std::uint64_t> waiting_bytes_ = 0;        ///< Of writes, for a wider schema.
    std::vector<std::unique_ptr<shard::Shard>> shards_;   ///< By ShardId; 0 = metadata.
    std::vector<std::unique_ptr<shard::RelayPump>> pumps_;
    std::unique_ptr<PersonalArchive> archive_;  ///< Of log_; null where there is none.
    std::unique_ptr<wal::NodeLog> log_;
    std::optional<QueryGate> gate_;
    std::atomic<std::uint64_t> query_steps_ = 0;
    std::unique_ptr<ClusterNode> cluster_;  ///< Null = standalone.
    std::atomic<bool> ready_ = false;
    // Last: executors stop before anything they may still run on is destroyed.
    std::unique_ptr<runtime::Executor> background_;
    std::unique_ptr<runtime::Executor> graphs_;  ///< Links graphs of vectors.
    std::vector<std::unique_ptr<runtime::Executor>> executors_;

    mutable std::mutex mutex_;  ///< Guards what follows.
    std::shared_ptr<const schema::Schema> schema_;
    std::shared_ptr<const ranking::ProfileRegistry> profiles_;
    std::shared_ptr<const std::vector<ranking::Experiment>> experiments_;
    std::shared_ptr<const std::vector<StoredPolicy>> policies_ =
        std::make_shared<const std::vector<StoredPolicy>>();
    std::shared_ptr<const query::Cohorts> cohorts_ = std::make_shared<const query::Cohorts>();
    std::shared_ptr<const query::Collections> collections_ =
        std::make_shared<const query::Collections>();
    std::shared_ptr<const std::vector<StoredModel>> models_;
    std::shared_ptr<const text::Synonyms> search_synonyms_;  ///< Of all sets.
    /// Of the metadata shard, as of the newest publication.
    struct Published {
        SchemaVersion schema;
        HybridTime catalog;
        bool operator==(const Published&) const = default;
    };
    Published published_;
    /// On its way to be published.
    struct FetchedCatalog {
        Published as_of;
        std::uint64_t generation = 0;  ///< Of the metadata shard's state.
        std::vector<shard::CatalogEntry> entries;
    };
    std::shared_ptr<const std::vector<ApiKeyInfo>> api_keys_;
    std::shared_ptr<const std::vector<std::string>> api_key_hashes_;  ///< Of those, in order.
    bool schema_change_under_way_ = false;
    std::size_t widening_ = 0;  ///< Writes that wait for the schema to learn their fields.
    bool writing_held_ = false;
    std::deque<HeldWrite> held_;  ///< Came after those.
    Result<void> check_exportable();
    Result<std::unique_lock<std::mutex>> begin_export();
    UnixMillis known_through(ShardId id);
    Result<bool> visit_history(ShardId id, LogIndex from,
                               absl::FunctionRef<bool(const record::Record&)> visit);
    std::map<EntityId, HybridTime> erasures_of(const std::set<EntityId>& users);
    Result<ShownJoinOptions> join_options(std::int64_t within_ms);
    ShownJoin join_at(ShownJoinOptions options, const ExportPosition& position);
    void drop_erased(std::vector<JoinedImpression>* shown);
    Result<ranking::Experiment> find_experiment(const std::string& name);
    void count_settled(ExperimentCount* count, UnixMillis known_ms);
    Result<const TermIndex*> terms_of(ShardId shard, LogIndex applied);
    Result<void> check_whole(const std::vector<LogIndex>& from);
    std::mutex exporting_;  ///< Guards terms_; only members of a cluster have any.
    std::map<ShardId, std::unique_ptr<TermIndex>> terms_;
    /// One publication at a time, so that none overtakes a newer one. No shard is entered inside.
    std::mutex publishing_;
    Published taken_;  ///< Guarded by publishing_, as of the newest that came to be published.
    std::uint64_t taken_generation_ = 0;
};

}  // namespace tidal::api
