#include "shard/shard.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "query/top_views.h"
#include "shard/batch_records.h"
#include "shard/internal/item_prefetch.h"

namespace tidal::shard {
namespace {

// Events gathered during replay before they are counted: enough for prefetching, bounded memory.
constexpr std::uint64_t kReplaySettleRecords = 4096;

}  // namespace

Shard::Shard(const Options& options, runtime::Runtime& runtime, runtime::Executor& executor,
             runtime::Executor& background, std::unique_ptr<storage::ShardStore> store)
    : options_(options),
      runtime_(runtime),
      executor_(executor),
      background_(background),
      turns_(executor, runtime.clock()),
      checkpoint_trouble_(
          options.logger,
          "checkpoints of shard " + std::to_string(options.state.shard.value()) +
              " fail; the log keeps what they would hold",
          "checkpoints of shard " + std::to_string(options.state.shard.value()) + " succeed again"),
      texts_trouble_(options.logger,
                     "the indexed texts of shard " + std::to_string(options.state.shard.value()) +
                         " cannot be kept; a start will analyse the texts",
                     "the indexed texts of shard " + std::to_string(options.state.shard.value()) +
                         " are kept again"),
      graph_trouble_(options.logger,
                     "graphs of vectors of shard " + std::to_string(options.state.shard.value()) +
                         " cannot be made; searches compare every candidate",
                     "graphs of vectors of shard " + std::to_string(options.state.shard.value()) +
                         " are made again"),
      graph_files_trouble_(
          options.logger,
          "files of graphs of vectors of shard " + std::to_string(options.state.shard.value()) +
              " cannot be written or removed; a start makes graphs anew that have none",
          "files of graphs of vectors of shard " + std::to_string(options.state.shard.value()) +
              " are written and removed again"),
      mutex_(runtime.crowd()),
      store_(std::move(store)) {}

Shard::~Shard() = default;

Result<std::unique_ptr<Shard>> Shard::open(const Options& options, runtime::Runtime& runtime,
                                           runtime::Executor& executor,
                                           runtime::Executor& background,
                                           std::unique_ptr<storage::ShardStore> store) {
    std::unique_ptr<Shard> shard(
        new Shard(options, runtime, executor, background, std::move(store)));
    TIDAL_ASSIGN(shard->state_, ShardState::open(options.state, *shard->store_));
    shard->checkpoint_index_ = shard->state_->applied();
    shard->durable_place_ = shard->state_->place();
    shard->clock_.observe(shard->state_->last_stamp());
    shard->note_progress();
    return shard;
}

Result<void> Shard::replay(const wal::BatchHeader& header, std::string_view payload) {
    const LogIndex expected = state_->applied().next();
    if (header.last_index() < expected) return {};  // in the checkpoint
    // A batch after a gap was refused to its client: one before it met a full disk
    // (apply_committed).
    if (header.first_index > expected) return {};
    TIDAL_ASSIGN(auto records, decode_records(header, payload, &replayed_));
    for (const record::Record& record : records) clock_.observe(record.envelope.stamp);
    records = records.subspan(expected.value() - header.first_index.value());
    TIDAL_TRY(state_->apply(records, &replayed_outcomes_));
    note_progress();
    if (state_->applied().value() % kReplaySettleRecords < records.size())
        TIDAL_TRY(state_->settle());
    return {};
}

void Shard::start(std::unique_ptr<Committer> committer) {
    const std::lock_guard lock(mutex_);
    if (auto settled = state_->settle(); !settled) runtime_.fatal(settled.error());
    committer_ = std::move(committer);
    keeper_ = committer_.get();
    replayed_ = {};
    replayed_outcomes_ = {};
    // The log may have been cut off between a checkpoint and the sealing of what it covers.
    if (checkpoint_index_.value() > 0) keeper_->checkpointed(checkpoint_index_);
    begin();
    can_propose_ = true;
}

void Shard::begin() {
    last_index_ = state_->applied();
    checkpoint_ns_ = runtime_.clock().monotonic_ns();
    ticked_ms_ = state_->last_stamp().wall_ms();
    schedule_timer();
    if (checkpoint_index_.value() == 0) return;
    if (plan_texts()) background_.post([this] { file_texts(); });
    file_graphs();
}

Result<void> Shard::admit(const std::vector<record::Record>& records) {
    if (stopping_)
        return Error(ErrorCode::kUnavailable, "the node is shutting down")
            .with_reason("shutting_down");
    if (refusing_)
        return Error(ErrorCode::kDiskFull, "no space left for the log")
            .with_hint("free space; writes resume by themselves");
    if (proposed_bytes_ > options_.proposed_bytes_max)
        return Error(ErrorCode::kOverloaded, "too many writes in flight")
            .with("bytes", proposed_bytes_)
            .with("bytes_max", options_.proposed_bytes_max)
            .with_hint("retry, or send fewer at once; --writes-memory-mib says how much may wait");
    const bool relays = std::holds_alternative<record::SignalBody>(records.front().body) ||
                        std::holds_alternative<record::SessionSignalBody>(records.front().body) ||
                        std::holds_alternative<record::SessionUndoBody>(records.front().body) ||
                        std::holds_alternative<record::UndoBody>(records.front().body);
    if (relays && state_->outbox().bytes() > options_.outbox_bytes_max)
        return Error(ErrorCode::kOverloaded, "too many effects wait for other shards")
            .with_reason("relay_full")
            .with("bytes", state_->outbox().bytes());
    return {};
}

Result<void> Shard::admit_import(const record::Record& position, std::uint64_t mark) {
    const std::string& id = std::get<record::ImportMarkBody>(position.body).import_id;
    TIDAL_ASSIGN(const std::uint64_t stands_at, state_->import_position(id));
    const bool in_flight =
        std::any_of(in_flight_.begin(), in_flight_.end(), [&](const InFlight& batch) {
            const auto* ahead = std::get_if<record::ImportMarkBody>(&batch.records.back().body);
            return ahead != nullptr && ahead->import_id == id;
        });
    if (stands_at == mark && !in_flight) return {};
    return Error(ErrorCode::kConflict, "another try of this import is under way")
        .with_reason("import_under_way")
        .with("import", id)
        .with_hint("let it end, then retry: it goes on where that one stopped");
}

/// Outside the monitor: it may look at the process.
Result<void> Shard::admit_growth(const std::vector<record::Record>& records) {
    const auto adds = [](const record::Record& record) { return grows(record.body); };
    if (options_.memory == nullptr || std::ranges::none_of(records, adds)) return {};
    return options_.memory->admit();
}

void Shard::stamp(record::Record* record, LogIndex index) {
    record::Envelope& envelope = record->envelope;
    envelope.origin = options_.region;
    envelope.shard = options_.state.shard;
    envelope.incarnation = options_.state.incarnation;
    envelope.index = index;
    envelope.stamp = clock_.tick(runtime_.clock().wall_ms());
    if (!envelope.event_time_given) envelope.event_time_ms = envelope.stamp.wall_ms();
    envelope.apply_version = kApplyVersion;
    envelope.epoch = state_->config().epoch;
    if (state_->schema() == nullptr) return;
    if (envelope.schema_version.value() == 0) envelope.schema_version = state_->schema()->version;
    const auto* signal = std::get_if<record::SignalBody>(&record->body);
    if (signal == nullptr) return;
    entity::EntityTable& table =
        state_->entities(state_->schema()->signals[signal->signal.value()].target);
    if (const auto slot = table.find(signal->item))
        envelope.generation = table.generation_of(*slot);
}

wal::PendingBatch Shard::stamp_and_encode(std::vector<record::Record>* records) {
    const LogIndex first = last_index_.next();
    Encoder payload;
    Encoder one;
    prefetch_items(*state_, *records);
    for (record::Record& record : *records) {
        last_index_ = last_index_.next();
        stamp(&record, last_index_);
        one.clear();
        record::encode_record(record, options_.region, &one);
        payload.bytes(one.view());
    }
    wal::PendingBatch batch;
    batch.header.region = options_.region;
    batch.header.shard = options_.state.shard;
    batch.header.incarnation = options_.state.incarnation;
    batch.header.first_index = first;
    batch.header.count = static_cast<std::uint32_t>(records->size());
    batch.header.stamp = records->back().envelope.stamp;
    batch.payload = payload.take();
    batch.on_durable = [this, first](Result<void> result) {
        on_committed(first, std::move(result));
    };
    return batch;
}

/// What one node cannot give is refused.
Result<void> Shard::admit_concern(const WriteConcern& concern) const {
    const auto refuse = [](std::string_view why, std::string_view hint) {
        return Error(ErrorCode::kInvalidArgument, std::string(why)).with_field("w").with_hint(hint);
    };
    if (replicator_ != nullptr && concern.level == WriteConcern::kMemory)
        return refuse("a replicated write is never kept in memory alone", "local or more");
    const std::size_t voters = replicator_ != nullptr ? durable_.voters.size() : 1;
    if (concern.level == WriteConcern::kReplicas && concern.replicas > voters)
        return refuse("more replicas than the shard has", "at most " + std::to_string(voters));
    return {};
}

void Shard::propose(std::vector<record::Record> records, WriteConcern concern,
                    std::uint64_t timeout_ms, Done done, std::optional<std::uint64_t> import_mark) {
    assert(!records.empty());
    if (replicator_ != nullptr && !can_propose()) return done(not_leading());
    const Result<void> room = admit_growth(records);
    std::unique_lock lock(mutex_);
    Result<void> admitted = admit(records);
    if (admitted.ok()) admitted = admit_concern(concern);
    if (admitted.ok() && import_mark) admitted = admit_import(records.back(), *import_mark);
    if (admitted.ok() && import_mark && !room.ok()) {
        options_.memory->count_refused(records.size() - 1);
        admitted = Error(room.error());
    }
    InFlight batch;
    if (admitted.ok()) admitted = take_early_answers(&records, &batch, room);
    if (!admitted.ok()) {
        lock.unlock();
        done(admitted.take_error());
        return;
    }
    if (records.empty() && awaits_any(batch.early)) {
        // What it waits for is applied with the newest batch at the latest.
        in_flight_.back().followers.push_back(
            {std::move(batch.early), deadline_ns(timeout_ms), std::move(done)});
        return;
    }
    if (records.empty()) {
        auto outcomes = merge_early({}, std::move(batch.early));
        for (Outcome& each : outcomes) each.replicas = durable_.count(state_->applied());
        lock.unlock();
        done(std::move(outcomes));
        return;
    }
    batch.concern = concern;
    batch.deadline_ns = deadline_ns(timeout_ms);
    batch.records = std::move(records);
    batch.done = std::move(done);
    auto now =
        replicator_ != nullptr ? replicate(std::move(batch)) : commit_locally(std::move(batch));
    lock.unlock();
    if (now) now->done(std::move(now->result));
}

/// @return the answer, when it is known at once.
std::optional<Shard::Finished> Shard::commit_locally(InFlight batch) {
    wal::PendingBatch pending = stamp_and_encode(&batch.records);
    const LogIndex first = pending.header.first_index;
    batch.first = first;
    batch.bytes = pending.payload.size();
    std::optional<Finished> now;
    if (batch.concern == WriteConcern::kMemory && committer_->durable() &&
        !awaits_any(batch.early) && !waits(batch.records)) {
        auto promised = merge_early(promise(batch.records), std::move(batch.early));
        now = Finished{std::exchange(batch.done, Done()), std::move(promised)};
    }
    proposed_bytes_ += batch.bytes;
    in_flight_.push_back(std::move(batch));
    auto queued = committer_->commit(std::move(pending));
    if (queued.ok()) return now;
    InFlight refused = std::move(in_flight_.back());
    in_flight_.pop_back();
    forget_in_flight(refused);
    last_index_ = LogIndex(first.value() - 1);
    return Finished{now ? std::move(now->done) : std::move(refused.done), queued.take_error()};
}

void Shard::forget_in_flight(const InFlight& batch) {
    proposed_bytes_ -= batch.bytes;
    for (const std::string& key : batch.keys) keys_in_flight_.erase(key);
    forget_items(batch);
}

bool Shard::waits(const std::vector<record::Record>& records) {
    return std::ranges::any_of(records, [](const record::Record& record) {
        return std::holds_alternative<record::SessionBody>(record.body) ||
               std::holds_alternative<record::SessionSignalBody>(record.body) ||
               std::holds_alternative<record::SessionUndoBody>(record.body) ||
               std::holds_alternative<record::EraseUserBody>(record.body);
    });
}

std::vector<Outcome> Shard::promise(const std::vector<record::Record>& records) const {
    std::vector<Outcome> outcomes(records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
        outcomes[i].index = records[i].envelope.index;
        outcomes[i].version = records[i].envelope.stamp;
        outcomes[i].promised = true;
        if (std::holds_alternative<record::SignalBody>(records[i].body) ||
            std::holds_alternative<record::UndoBody>(records[i].body))
            outcomes[i].relayed.push_back(
                StreamPosition::all_of(options_.state.shard, options_.state.incarnation));
    }
    return outcomes;
}

std::uint64_t Shard::deadline_ns(std::uint64_t timeout_ms) const {
    return runtime_.clock().monotonic_ns() + timeout_ms * 1'000'000;
}

/// What others may know without the monitor. The index last: who sees it sees what came with it.
void Shard::note_progress() {
    newest_stamp_ms_ = state_->last_stamp().wall_ms();
    has_relays_ = state_->outbox().rows() > 0;
    const HybridTime catalog = state_->catalog().newest_stamp();
    if (state_->schema() != declared_.schema || state_->configured() != declared_.configured ||
        catalog != declared_.catalog) {
        const std::lock_guard lock(queue_mutex_);
        declared_ = {state_->schema(), state_->configured(), catalog};
    }
    applied_index_ = state_->applied().value();
}

Shard::Declared Shard::declared() {
    const std::lock_guard lock(queue_mutex_);
    return declared_;
}

void Shard::when_applied(LogIndex index, std::uint64_t timeout_ms, Waiter waiter) {
    {
        // Who applies notes how far it is, and then comes here for those who wait.
        const std::lock_guard lock(queue_mutex_);
        if (replacing_.load() || applied_index_.load() < index.value()) {
            applied_waits_.push_back({index, deadline_ns(timeout_ms), std::move(waiter)});
            return;
        }
    }
    waiter({});
}

void Shard::when_marked(const Marks::Stream& stream, std::uint64_t sequence,
                        std::uint64_t timeout_ms, Waiter waiter) {
    const auto wait = [&] {
        mark_waits_.push_back({stream, sequence, deadline_ns(timeout_ms), std::move(waiter)});
    };
    {
        const std::lock_guard lock(queue_mutex_);
        if (replacing_.load()) return wait();
    }
    {
        const std::lock_guard lock(mutex_);
        if (state_->marks().get(stream) < sequence) {
            const std::lock_guard queue_lock(queue_mutex_);
            return wait();
        }
    }
    waiter({});
}

GroupPlace Shard::place() {
    const std::lock_guard lock(mutex_);
    return state_->place();
}

Shard::Stats Shard::stats() {
    if (replacing_.load()) {
        const std::lock_guard lock(queue_mutex_);
        return last_stats_;
    }
    const std::lock_guard lock(mutex_);
    Stats stats = stats_now();
    const std::lock_guard queue_lock(queue_mutex_);
    last_stats_ = stats;
    return stats;
}

Shard::Stats Shard::stats_now() {
    Stats stats;
    stats.shard = options_.state.shard;
    stats.applied = state_->applied();
    stats.proposed = last_index_;
    stats.checkpointed = checkpoint_index_;
    stats.last_stamp = state_->last_stamp();
    stats.checkpoints = checkpoints_;
    stats.checkpoint_error = checkpoint_error_;
    stats.proposed_bytes = proposed_bytes_;
    stats.log_bytes_pinned = keeper_->bytes_pinned();
    stats.outbox_rows = state_->outbox().rows();
    stats.idempotency_keys = state_->idempotency().count();
    if (!state_->configured()) return stats;
    const auto views = state_->item_views()->stats();
    stats.views = views.views;
    stats.view_risers = views.risers;
    stats.view_pages = views.served;
    stats.view_misses = views.missed;
    stats.view_builds = views.built;
    stats.items = state_->entities(EntityKind::kItem).live_count();
    stats.users = state_->entities(EntityKind::kUser).live_count();
    stats.creators = state_->entities(EntityKind::kCreator).live_count();
    for (const EntityKind kind : {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator}) {
        stats.row_cache_bytes += state_->entities(kind).row_cache_bytes();
        stats.vectors += state_->vectors(kind).size();
        stats.vector_bytes += state_->vectors(kind).bytes();
        stats.vector_mapped_bytes += state_->vectors(kind).mapped_bytes();
        const auto graphs = state_->vectors(kind).graph_stats();
        stats.graphs += graphs.graphs;
        stats.graphs_filed += graphs.filed;
        stats.graph_vectors += graphs.vectors;
        stats.graph_bytes += graphs.bytes;
        stats.graph_mapped_bytes += graphs.mapped_bytes;
        stats.graph_builds += graphs.built;
        for (const auto& [origin, table] : state_->ledgers(kind)) {
            const auto ledger = table->stats();
            stats.ledger_pairs += ledger.pairs_resident;
            stats.ledger_pairs_cold += ledger.pairs_cold;
            stats.ledger_bytes += ledger.bytes;
        }
        const auto unique = state_->uniques(kind).stats();
        stats.unique_bytes += unique.bytes;
        stats.uniques_refused += unique.refused;
    }
    const auto states = state_->user_states().stats();
    stats.user_state_rows = states.rows;
    stats.user_state_users = states.users;
    stats.user_state_bytes = states.bytes;
    stats.user_states_refused = states.refused;
    stats.sessions = state_->sessions().size();
    stats.sessions_open = state_->sessions().open_count();
    const auto tastes = state_->tastes().stats();
    stats.taste_users = tastes.users;
    stats.taste_bytes = tastes.bytes;
    stats.tastes_refused = tastes.refused;
    stats.tastes_forgotten = tastes.forgotten;
    const auto pairs = state_->co_engagement().stats();
    stats.co_engagement_pairs = pairs.pairs;
    stats.co_engagement_bytes = pairs.bytes;
    stats.co_engagement_refused = pairs.refused;
    const auto cohorts = state_->cohorts().stats();
    stats.cohort_cells = cohorts.cells;
    stats.cohort_bytes = cohorts.bytes;
    stats.cohort_refused = cohorts.refused;
    const auto cohort_users = state_->cohort_uniques().stats();
    stats.cohort_user_bytes = cohort_users.bytes;
    stats.cohort_users_refused = cohort_users.refused;
    const auto collections = state_->collections().stats();
    stats.collection_members = collections.members;
    stats.collection_bytes = collections.bytes;
    return stats;
}

}  // namespace tidal::shard
