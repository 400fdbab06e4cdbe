// shard/shard.h: one shard of a node: a monitor around its state, its place in the log,
// checkpoints.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/functional/any_invocable.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/trouble.h"
#include "query/view_miss.h"
#include "runtime/runtime.h"
#include "shard/committer.h"
#include "shard/group_events.h"
#include "shard/memory_budget.h"
#include "shard/monitor.h"
#include "shard/query_turns.h"
#include "shard/replicator.h"
#include "shard/state.h"
#include "shard/write_concern.h"

namespace tidal::shard {

/// Threads: any caller, one inside at a time (`mutex_`). Callbacks run on the shard's executor, or
/// on the caller's thread when the answer is known at once; never inside the monitor. Lifetime:
/// `stop()` must have finished before destruction.
class Shard {
public:
    struct Options {
        ShardState::Options state;
        RegionId region = kFirstRegion;
        std::uint64_t checkpoint_interval_ms = 30'000;
        std::uint64_t checkpoint_events = 1'000'000;
        /// A shard that keeps more of the log than this from going checkpoints at once.
        std::uint64_t log_bytes_max = 1ULL << 30;
        /// Where graphs of vectors are linked, a piece at a time; nullptr = none are made. Stop it
        /// before the shard's executor.
        runtime::Executor* graphs = nullptr;
        /// Asked before anything is logged that grows; nullptr = everything may. Outlives the
        /// shard.
        MemoryBudget* memory = nullptr;
        std::uint64_t outbox_bytes_max = 256ULL << 20;
        /// Records of a batch between two looks whether somebody waits: about 40 us of signals,
        /// which who enters waits for. Above 0, as the next.
        std::size_t batch_slice = ShardState::kPrefetched / 2;
        /// Records of a group applied in one go inside the monitor: some hundred microseconds.
        std::size_t group_slice = 64;
        Logger logger;  ///< Of checkpoints that fail: when it begins and when it ends.
        std::uint64_t proposed_bytes_max = 256ULL
                                           << 20;  ///< In flight; above it writes are refused.
    };
    using Done = absl::AnyInvocable<void(Result<std::vector<Outcome>>)>;
    using Waiter = absl::AnyInvocable<void(Result<void>)>;

    /// Opens the state at its newest checkpoint. Feed the log through `replay`, then `start`; or,
    /// without a replay, `start_replicated`: then the group delivers what is committed.
    static Result<std::unique_ptr<Shard>> open(const Options& options, runtime::Runtime& runtime,
                                               runtime::Executor& executor,
                                               runtime::Executor& background,
                                               std::unique_ptr<storage::ShardStore> store);
    ~Shard();

    /// One batch of the log, in log order. Batches the checkpoint covers, and batches that were
    /// refused before a gap (see `commit_failed`), change nothing.
    Result<void> replay(const wal::BatchHeader& header, std::string_view payload);
    void start(std::unique_ptr<Committer> committer);
    /// `replicator` must outlive the shard's executor.
    /// @param  members  GroupPlace's, of a group that never ran: its first ones; empty = unknown.
    void start_replicated(Replicator& replicator, std::string_view members);

    /// Stamps the records in order (origin, index, stamp, versions, generation), commits them as
    /// one batch and applies them. `done` gets one outcome per record, or one error for all:
    /// kOverloaded and kDiskFull changed nothing; after kTimeout (checked each second) they may
    /// still be applied.
    /// Replicated: kUnavailable "not_leader" (context leader=NUMBER when known), "no_leader" and
    /// "transfer_under_way", kOverloaded and kTooLarge changed nothing and never will, so that the
    /// batch may go elsewhere; single records may be refused that way when only the first few got
    /// through. kInvalidArgument of field "w": memory, or more replicas than there are voters.
    /// Where memory is full each record that grows is refused, kOverloaded "memory_full", and the
    /// others are taken; of an import all are refused, so that its position stays.
    /// `import_mark`: the records are rows of an import and, last, its new position. kConflict
    /// unless it stands at `import_mark` and nothing of it is in flight, whose fate is open.
    void propose(std::vector<record::Record> records, WriteConcern concern,
                 std::uint64_t timeout_ms, Done done,
                 std::optional<std::uint64_t> import_mark = std::nullopt);

    /// Runs `read` inside the monitor; every applied record is counted.
    template <typename Read>
    auto with_state(Read read) {
        const std::lock_guard lock(mutex_);
        return read(*state_);
    }
    /// Likewise a read that must not go behind what was read before it: kUnavailable
    /// "state_replaced" while a snapshot takes the state's place, when what is there may be older.
    /// @param read  Returns a Result.
    template <typename Read>
    auto with_readable(Read read) -> decltype(read(std::declval<ShardState&>())) {
        const std::lock_guard lock(mutex_);
        TIDAL_TRY(readable());
        return read(*state_);
    }
    /// Likewise one step of a query: writes and short reads go before the next.
    template <typename Step>
    auto step_with_state(Step step) {
        Monitor::Steps steps(mutex_);
        const std::lock_guard lock(steps);
        return step(*state_);
    }
    /// A step of a query that began in `generation`: kUnavailable "state_replaced" once another
    /// state, from a snapshot, has taken that one's place, whose slots would mean nothing there.
    /// @param step  Returns a Result.
    template <typename Step>
    auto step_with_state(std::uint64_t generation, Step step)
        -> decltype(step(std::declval<ShardState&>())) {
        TIDAL_TRY(still(generation));
        Monitor::Steps steps(mutex_);
        const std::lock_guard lock(steps);
        TIDAL_TRY(still(generation));
        return step(*state_);
    }
    /// An item, or one that a write on its way makes: whether there is one, and its generation
    /// where that is known already (else 0).
    std::optional<HybridTime> generation_of(EntityKind kind, const EntityId& id);
    /// Rises whenever a snapshot takes the state's place.
    std::uint64_t generation() const { return generation_.load(); }
    /// kUnavailable "state_replaced" while that goes on. Ask before a read: with_state() and
    /// with_readable() would wait for it, which may take a while.
    Result<void> readable() const { return still(generation()); }
    /// What a read takes as now: the wall clock, but never before the newest commit stamp that a
    /// writer was told of. Any thread, without the monitor.
    UnixMillis read_time_ms(UnixMillis wall_ms) const {
        return std::max(wall_ms, newest_stamp_ms_.load());
    }
    /// Whether anything waited for other shards when records were last applied. Any thread, without
    /// the monitor.
    bool has_relays() const { return has_relays_.load(); }
    /// Who takes the next step. Stop it after the shard's executor.
    QueryTurns& turns() { return turns_; }

    /// What doors go by, as of the newest record that was applied. Any thread, without the monitor:
    /// of another state's place it is the old one until that is open.
    struct Declared {
        std::shared_ptr<const schema::Schema> schema;  ///< nullptr = has none yet.
        bool configured = false;
        HybridTime catalog;  ///< Catalog::newest_stamp().
        SchemaVersion version() const { return schema ? schema->version : SchemaVersion(0); }
    };
    Declared declared();

    /// Goes on making views that readers asked for (ShardState::item_views), in slices on the
    /// executor, until none is left.
    void make_views();

    /// Calls back once the record at `index` is applied, or once the incoming stream's mark reaches
    /// `sequence`; with kTimeout after `timeout_ms` (checked each second), with kUnavailable at
    /// `stop`. Neither waits while a snapshot takes the state's place; when_applied() enters no
    /// monitor, so that it is for a node's loop of consensus, too.
    void when_applied(LogIndex index, std::uint64_t timeout_ms, Waiter waiter);
    void when_marked(const Marks::Stream& stream, std::uint64_t sequence, std::uint64_t timeout_ms,
                     Waiter waiter);

    /// Called on the executor after records were applied, after this replica became able to
    /// propose, and after a snapshot became the state. Set before `start`.
    void set_on_applied(absl::AnyInvocable<void()> hook) { on_applied_ = std::move(hook); }

    /// Starts a checkpoint unless one is under way. `done` when it is durable, or why not.
    void checkpoint(Waiter done);
    /// Runs `work` on the executor of checkpoints, with the place of the newest durable one: until
    /// it returns none becomes durable.
    void hold_checkpoints(absl::AnyInvocable<void(const GroupPlace&)> work);

    /// Refuses new proposals, waits for those in flight (replicated: two seconds at most, then they
    /// are answered kTimeout), writes a last checkpoint, calls back.
    void stop(absl::AnyInvocable<void()> done);

    // --- of a replicated shard; shard_replicated.cc, shard_replace.cc

    // What its group says, from one thread: queued only, and worked off on the executor in this
    // order. The replicator is told what is applied.
    void committed(ReplicatedRun run);
    void lead(Term term);
    void follow(Term term, std::uint64_t leader);  ///< 0 = unknown.
    void durable_at(LogIndex own, std::span<const LogIndex> voters);

    /// Whether this replica may propose: it leads, and all that earlier leaders wrote is applied. A
    /// standalone shard may always. Any thread, without the monitor.
    bool can_propose() const { return can_propose_.load(); }
    bool replicated() const { return replicator_ != nullptr; }
    struct Role {
        Term term;
        std::uint64_t leader = 0;  ///< 0 = unknown, or this replica...
        bool leads = false;        ///< ...which it then says.
    };
    /// As the group said last. Any thread, without the monitor.
    Role role();
    /// Where the state stands. Where the group's log begins, when asked before start_replicated().
    GroupPlace place();

    struct Replacement {
        /// Makes another checkpoint of the shard the newest, durably. kDiskFull: nothing changed.
        absl::AnyInvocable<Result<void>()> install;
        absl::AnyInvocable<Result<std::unique_ptr<storage::ShardStore>>()> open;
    };
    /// Closes store and state, installs, opens both anew. Runs on the executor of checkpoints, once
    /// none is under way; waits and proposals in flight go on. After kDiskFull nothing can be read
    /// until a later attempt succeeds; any other error is fatal, before `done`.
    void replace_state(Replacement replacement, Waiter done);

    struct Stats {
        ShardId shard;
        LogIndex applied, proposed, checkpointed;
        HybridTime last_stamp;
        std::uint64_t items = 0, users = 0, creators = 0;
        std::uint64_t ledger_pairs = 0, ledger_pairs_cold = 0, ledger_bytes = 0;
        std::uint64_t unique_bytes = 0;
        std::uint64_t uniques_refused = 0;  ///< Users not counted for want of memory, ever.
        std::uint64_t user_state_rows = 0, user_state_users = 0, user_state_bytes = 0;
        std::uint64_t user_states_refused = 0;  ///< Not kept for want of memory, since the start.
        std::uint64_t sessions = 0;  ///< Of users here: open ones, and ended ones that are kept.
        std::uint64_t sessions_open = 0;  ///< Of those, until somebody closes them or a sweep does.
        std::uint64_t taste_users = 0;
        std::uint64_t taste_bytes = 0;
        std::uint64_t tastes_refused = 0;  ///< The same, of tastes.
        std::uint64_t tastes_forgotten = 0;
        std::uint64_t co_engagement_pairs = 0;
        std::uint64_t co_engagement_bytes = 0;
        std::uint64_t co_engagement_refused = 0;  ///< The same, of neighbours of items.
        std::uint64_t cohort_cells = 0, cohort_bytes = 0;
        std::uint64_t cohort_user_bytes = 0, cohort_users_refused = 0;
        std::uint64_t cohort_refused = 0;
        std::uint64_t collection_members = 0, collection_bytes = 0;
        std::uint64_t row_cache_bytes = 0;            ///< Of all kinds of entities.
        std::uint64_t vectors = 0, vector_bytes = 0;  ///< In memory, of all kinds of entities.
        std::uint64_t vector_mapped_bytes = 0;        ///< Of those that are read in graphs' files.
        std::uint64_t graphs = 0, graph_vectors = 0, graph_bytes = 0;  ///< Of vectors.
        std::uint64_t graph_mapped_bytes = 0;                          ///< Of files, beside those.
        std::uint64_t graphs_filed = 0;  ///< That a start finds in files.
        std::uint64_t graph_builds = 0;  ///< Since the start.
        std::uint64_t views = 0;         ///< Top views ready.
        std::uint64_t view_risers = 0;   ///< Entities in them that negative weights may move up.
        std::uint64_t view_pages = 0;    ///< Pages read from them since the start...
        query::ViewMisses view_misses = {};  ///< ...and pages that were scanned instead.
        std::uint64_t view_builds = 0;       ///< Views made, refills among them.
        std::uint64_t outbox_rows = 0, idempotency_keys = 0, proposed_bytes = 0, checkpoints = 0;
        std::uint64_t log_bytes_pinned = 0;  ///< Of the log, until its next checkpoint.
        std::string checkpoint_error;        ///< Of the newest attempt; empty = none.
    };
    Stats stats();
    ShardId id() const { return options_.state.shard; }
    bool durable() const { return keeper_->durable(); }

private:
    /// A use of a key whose first use is in flight.
    struct Awaited {
        std::string key;  ///< Row of the key.
        record::Body body;
    };
    /// A line answered without the log.
    struct Early {
        std::size_t line = 0;  ///< Among all lines of the call; they rise.
        Outcome outcome;
        std::optional<std::size_t> repeats;  ///< The logged record whose outcome is its own, too.
        std::optional<Awaited> awaits;       ///< `outcome` follows from the state, later.
    };
    /// A call of which nothing is logged and something waits for what is in flight.
    struct Follower {
        std::vector<Early> early;
        std::uint64_t deadline_ns = 0;  ///< Monotonic.
        Done done;
    };
    struct InFlight {
        LogIndex first;     ///< Replicated: 0 until it is known.
        Ticket ticket = 0;  ///< Of a replicated shard.
        Term term;          ///< Likewise: stamped for.
        WriteConcern concern;
        std::vector<Outcome> outcomes;  ///< Replicated: of those applied so far.
        std::uint64_t bytes = 0;
        std::uint64_t deadline_ns = 0;  ///< Monotonic.
        std::vector<record::Record> records;
        std::vector<Early> early;
        std::vector<std::string> keys;  ///< Rows of its idempotency keys.
        std::vector<EntityId> makes;    ///< Items it upserts.
        std::vector<Follower> followers;
        Done done;
    };
    /// Applied, and not yet on as many voters as its client asked for.
    struct Spreading {
        LogIndex last;
        WriteConcern concern;
        std::uint64_t deadline_ns = 0;  ///< Monotonic.
        std::vector<Outcome> outcomes;
        Done done;
    };
    struct Committed {
        LogIndex first;
        Result<void> result;
    };
    struct Finished {
        Done done;
        Result<std::vector<Outcome>> result;
    };
    struct AppliedWait {
        LogIndex index;
        std::uint64_t deadline_ns;  ///< Monotonic.
        Waiter waiter;
    };
    struct MarkWait {
        Marks::Stream stream;
        std::uint64_t sequence;
        std::uint64_t deadline_ns;  ///< Monotonic.
        Waiter waiter;
    };

    Shard(const Options& options, runtime::Runtime& runtime, runtime::Executor& executor,
          runtime::Executor& background, std::unique_ptr<storage::ShardStore> store);

    void begin();
    void note_progress();
    Stats stats_now();
    Result<void> admit(const std::vector<record::Record>& records);
    Result<void> admit_import(const record::Record& position, std::uint64_t mark);
    Result<void> admit_growth(const std::vector<record::Record>& records);
    /// What is known without the log: a repeat of an idempotency key, a signal for no item, what
    /// there is no room for. Such records are not logged, so that the log holds what happened once.
    Result<std::optional<Early>> answer_early(const record::Record& record,
                                              const Result<void>& room);
    void make_item(const record::Record& record, InFlight* batch);
    /// @param room  For what grows.
    Result<void> take_early_answers(std::vector<record::Record>* records, InFlight* batch,
                                    const Result<void>& room);
    using KeysOfCall = absl::flat_hash_map<std::string, std::size_t>;  ///< To their first record.
    static std::optional<Early> repeat_within(const record::Record& record, std::string key,
                                              const std::vector<record::Record>& ahead,
                                              KeysOfCall* keys);
    void forget_in_flight(const InFlight& batch);
    void forget_items(const InFlight& batch);
    void answer_awaited(std::vector<Early>* early);
    static bool awaits_any(const std::vector<Early>& early);
    std::vector<Outcome> promise(const std::vector<record::Record>& records) const;
    static std::vector<Outcome> merge_early(std::vector<Outcome> rest, std::vector<Early> early);
    /// Whether nobody is told of any of them before it is applied: their policy may refuse it.
    static bool waits(const std::vector<record::Record>& records);
    /// Exists, or is made by a write ahead in the log or in the call at hand.
    bool item_known(const EntityId& item) const;
    Result<void> admit_concern(const WriteConcern& concern) const;
    std::optional<Finished> commit_locally(InFlight batch);
    std::optional<Finished> replicate(InFlight batch);
    Error not_leading();
    Result<void> still(std::uint64_t generation) const;
    bool may_checkpoint() const;
    wal::PendingBatch stamp_and_encode(std::vector<record::Record>* records);
    void stamp(record::Record* record, LogIndex index);
    void on_committed(LogIndex first, Result<void> result);
    void drain();
    void apply_committed(std::deque<Committed> committed, std::vector<Finished>* finished);
    Result<std::vector<Outcome>> apply_in_slices(std::span<const record::Record> records,
                                                 LogIndex* entered);
    Result<void> give_way(LogIndex* entered);
    void finish(InFlight batch, Result<std::vector<Outcome>> result,
                std::vector<Finished>* finished);
    void collect_waiters(std::vector<Waiter>* ready);

    // Replicated.
    void queue(GroupEvent event);
    bool drain_group();
    void handle_some(std::deque<GroupEvent>* events, std::vector<Finished>* finished);
    bool put_back(std::deque<GroupEvent> events);
    void post_drain_group();
    void handle(ReplicatedRun& run, std::vector<Finished>* finished);
    void handle(Appended& appended, std::vector<Finished>* finished);
    void handle(Decided& decided, std::vector<Finished>* finished);
    void handle(Leads& leads, std::vector<Finished>* finished);
    void handle(Follows& follows, std::vector<Finished>* finished);
    Result<void> apply_run(const ReplicatedRun& run);
    void hand_out(const ReplicatedRun& run);
    std::optional<InFlight> take_in_flight(Ticket ticket);
    void answer_committed(InFlight batch, std::uint32_t replicas, std::vector<Finished>* finished);
    void answer_durable(std::vector<Finished>* finished);
    std::uint32_t wanted_replicas(const WriteConcern& concern) const;
    Error spread_too_little(const Spreading& spreading) const;
    void give_up_spreading(std::vector<Finished>* finished);
    void give_up_in_flight();
    void begin_replacement();
    void replace();
    Result<void> reopen();
    void end_replacement(Result<void> result);

    void schedule_timer();
    void on_timer();
    bool checkpoint_due(std::uint64_t since_ms) const;
    std::vector<Finished> take_overdue();
    std::vector<Waiter> take_overdue_waiters();
    std::uint64_t deadline_ns(std::uint64_t timeout_ms) const;
    void begin_checkpoint_locked(Waiter done);
    void write_rows_slice();
    bool plan_texts();
    void file_texts();
    void finish_texts(std::vector<ShardState::TextsDue> filed);
    void copy_out_slice();
    void make_views_slice();
    void write_checkpoint();
    void finish_checkpoint(Result<void> written);
    void evict_slice();
    void advance_stop();

    // Graphs of vectors; shard_graphs.cc.
    struct GraphJob;
    using GraphJobPtr = std::shared_ptr<GraphJob>;
    GraphJobPtr begin_graph_locked();
    void copy_graph_slice(GraphJobPtr job);
    void link_graph_slice(GraphJobPtr job);
    void publish_graph(GraphJobPtr job);

    // Their files; shard_graph_files.cc.
    struct GraphFiling;
    using GraphFilingPtr = std::shared_ptr<GraphFiling>;
    void file_graphs();
    void file_graph_piece(GraphFilingPtr job);
    bool add_graph_rows(GraphFiling& job);
    void map_graph_rows(GraphFilingPtr job);
    void end_graph_filing(bool ok);
    vector::GraphHead head_of(const GraphFiling& job) const;
    void finish_graph_file(GraphFilingPtr job);
    void leave_unread_vectors(std::size_t kind, std::size_t block);

    /// How often a slice of work looks whether the monitor can be entered again.
    static constexpr std::uint64_t kReplacingNs = 50'000'000;

    const Options options_;
    runtime::Runtime& runtime_;
    runtime::Executor& executor_;
    runtime::Executor& background_;
    std::unique_ptr<Committer> committer_;
    Replicator* replicator_ = nullptr;  ///< In the committer's place.
    LogKeeper* keeper_ = nullptr;       ///< Whichever it is.
    absl::AnyInvocable<void()> on_applied_;
    std::atomic<bool> can_propose_ = false;
    std::atomic<std::uint64_t> generation_ = 1;
    /// ShardState::last_stamp(), before whoever wrote it is answered.
    std::atomic<UnixMillis> newest_stamp_ms_ = 0;
    std::atomic<bool> has_relays_ = false;
    std::atomic<std::uint64_t> applied_index_ = 0;  ///< ShardState::applied().
    /// The background executor is in the monitor, and may be for long: whoever can looks here
    /// before. Changed on the executor.
    std::atomic<bool> replacing_ = false;
    /// From then until it succeeded: what is here is given up.
    std::atomic<bool> stale_ = false;
    bool timer_skipped_ = false;  ///< Meanwhile. The executor's.
    GroupPlace durable_place_;    ///< Of the newest checkpoint. The background executor's.

    QueryTurns turns_;
    Trouble checkpoint_trouble_;   ///< The executor's own.
    Trouble texts_trouble_;        ///< The background executor's.
    Trouble graph_trouble_;        ///< Likewise.
    Trouble graph_files_trouble_;  ///< The executor's own.

    Monitor mutex_;  ///< The monitor. Guards everything below up to queue_mutex_.
    std::unique_ptr<storage::ShardStore> store_;
    std::unique_ptr<ShardState> state_;
    HybridClock clock_;
    LogIndex last_index_;  ///< Newest handed out.
    // Kept from batch to batch of a replay for their memory.
    std::vector<record::Record> replayed_;
    std::vector<Outcome> replayed_outcomes_;
    std::deque<InFlight> in_flight_;
    absl::flat_hash_set<std::string> keys_in_flight_;
    absl::flat_hash_map<EntityId, std::size_t>
        items_in_flight_;  ///< Upserts on their way, above 0.
    std::uint64_t proposed_bytes_ = 0;
    // Replicated.
    Ticket last_ticket_ = 0;
    bool leads_ = false;
    Term lead_term_;  ///< Of the newest leadership of this replica.
    DurableAt durable_;
    std::deque<Spreading> spreading_;
    std::optional<Replacement> replacement_;  ///< Waits for a checkpoint to end, or under way.
    Waiter replaced_;
    GroupPlace frozen_place_;  ///< Of the checkpoint under way.
    // Of plan_texts(), until finish_texts().
    bool filing_texts_ = false;
    bool checkpoint_files_texts_ = false;  ///< The checkpoint under way planned it.
    std::vector<ShardState::TextsDue> texts_due_;
    std::shared_ptr<const schema::Schema> texts_schema_;

    bool refusing_ = false;  ///< The disk was full: until the batches in flight have come back.
    LogIndex refused_from_;
    LogIndex checkpoint_index_;
    std::uint64_t checkpoint_ns_ = 0;  ///< Monotonic time of the last begin.
    std::uint64_t checkpoints_ = 0;
    bool checkpointing_ = false;
    bool evicting_ = false;  ///< A slice is posted or under way.
    bool making_views_ = false;
    bool making_graph_ = false;
    bool filing_graph_ = false;         ///< Or removing files.
    std::uint64_t left_unread_ns_ = 0;  ///< Monotonic time of the last time vectors were.
    bool graph_files_worn_ = true;      ///< Some may be of no use: a start does not know.
    std::string checkpoint_error_;
    std::vector<Waiter> checkpoint_waiters_;
    bool stopping_ = false, final_checkpoint_ = false;
    absl::AnyInvocable<void()> stopped_;
    runtime::Executor::TimerId timer_ = 0, stop_timer_ = 0;
    UnixMillis ticked_ms_ = 0;

    std::mutex queue_mutex_;  ///< Taken inside or without mutex_, never around it.
    std::deque<Committed> committed_;
    std::deque<GroupEvent> events_;
    std::optional<DurableAt> newest_durable_;  ///< Not yet looked at.
    bool durable_awaited_ = false;             ///< Somebody's answer depends on it.
    Role role_;
    Declared declared_;  ///< Written inside mutex_ as well.
    std::vector<AppliedWait> applied_waits_;
    std::vector<MarkWait> mark_waits_;
    Stats last_stats_;
    bool drain_posted_ = false;
};

}  // namespace tidal::shard
