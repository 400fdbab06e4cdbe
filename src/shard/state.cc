#include "shard/state.h"

#include <array>
#include <cassert>

#include "base/codec.h"
#include "query/top_views.h"
#include "ranking/shard_view.h"
#include "record/budget_codec.h"
#include "shard/internal/graph_files.h"
#include "shard/internal/indexed_texts.h"
#include "shard/internal/planted.h"
#include "shard/internal/queued_pairs.h"

namespace tidal::shard {
namespace {

constexpr std::string_view kConfigKey = "c/config";
constexpr std::string_view kProgressKey = "c/progress";
constexpr std::string_view kSchemaKey = "s/schema";
constexpr std::string_view kImportPrefix = "i/";
constexpr std::string_view kGroupKey = "r/group";

constexpr EntityKind kKinds[] = {EntityKind::kItem, EntityKind::kUser, EntityKind::kCreator};

}  // namespace

ShardState::ShardState(const Options& options, storage::ShardStore& store)
    : options_(options),
      store_(store),
      saved_searches_(store),
      archive_keys_(store),
      deliveries_(store),
      queued_pairs_(std::make_unique<QueuedPairs>()) {}
ShardState::~ShardState() = default;

Result<std::unique_ptr<ShardState>> ShardState::open(const Options& options,
                                                     storage::ShardStore& store) {
    std::unique_ptr<ShardState> state(new ShardState(options, store));
    TIDAL_TRY(state->load());
    return state;
}

Result<void> ShardState::load() {
    applied_ = store_.checkpoint_index();
    TIDAL_ASSIGN(IdempotencyTable idempotency,
                 IdempotencyTable::open(store_, options_.idempotency_bytes_max));
    idempotency_ = std::make_unique<IdempotencyTable>(std::move(idempotency));
    TIDAL_ASSIGN(Outbox outbox, Outbox::open(store_));
    outbox_ = std::make_unique<Outbox>(std::move(outbox));
    TIDAL_ASSIGN(Marks marks, Marks::open(store_, options_.shard, options_.incarnation));
    marks_ = std::make_unique<Marks>(std::move(marks));
    TIDAL_ASSIGN(Catalog catalog, Catalog::open(store_));
    catalog_ = std::make_unique<Catalog>(std::move(catalog));

    TIDAL_ASSIGN(auto config, store_.get(kConfigKey));
    if (config) {
        Decoder in(*config);
        config_.apply_version = ApplyVersion(in.u16());
        config_.epoch = Epoch(in.u32());
        config_.vshard_begin = in.u16();
        config_.vshard_end = in.u16();
        if (in.remaining() > 0) config_.memory = record::decode_budgets(&in);
        TIDAL_TRY(in.finish("shard configuration"));
    }
    TIDAL_ASSIGN(auto schema, store_.get(kSchemaKey));
    if (schema) {
        TIDAL_ASSIGN(schema::Schema decoded, schema::decode_schema(*schema));
        schema_ = std::make_shared<const schema::Schema>(std::move(decoded));
        TIDAL_TRY(open_tables());
    }
    TIDAL_ASSIGN(auto progress, store_.get(kProgressKey));
    if (progress) {
        Decoder in(*progress);
        last_stamp_ = HybridTime::from_bits(in.u64());
        for (std::size_t kind = 0; kind < kEntityKindCount; ++kind) {
            const std::size_t origins = in.count(1);
            for (std::size_t i = 0; i < origins && !in.failed(); ++i)
                TIDAL_TRY(ledger(kKinds[kind], RegionId(static_cast<std::uint16_t>(in.varint()))));
        }
        TIDAL_TRY(in.finish("shard progress"));
    }
    TIDAL_TRY(load_place());
    if (schema_ != nullptr) open_views();
    return {};
}

Result<void> ShardState::load_place() {
    TIDAL_ASSIGN(auto row, store_.get(kGroupKey));
    if (!row) return {};
    Decoder in(*row);
    const LogIndex index(in.varint());
    term_ = Term(in.varint());
    members_ = in.bytes();
    TIDAL_TRY(in.finish("place of a group"));
    if (index == applied_) return {};
    return Error(ErrorCode::kCorruption, "the checkpoint's place in its group is another one's")
        .with("index", index.value())
        .with("checkpoint", applied_.value());
}

Result<void> ShardState::open_tables() {
    for (const EntityKind kind : kKinds) {
        const auto at = static_cast<std::size_t>(kind);
        texts_[at] = std::make_unique<IndexedTexts>(kind);
        texts_[at]->set_schema(*schema_);
        texts_[at]->begin_open({options_.disk, options_.directory, options_.shard},
                               options_.logger);
        TIDAL_ASSIGN(entities_[at],
                     entity::EntityTable::open(kind, store_, schema_, texts_[at].get()));
        texts_[at]->finish_open();
        TIDAL_TRY(vectors_[at].load(*schema_, *entities_[at]));
        signal::UniqueTable::Options options;
        options.kind = kind;
        options.bytes_max = options_.unique_bytes_max / kEntityKindCount;
        TIDAL_ASSIGN(uniques_[at], signal::UniqueTable::open(options, store_, *schema_));
    }
    open_graphs();
    const record::MemoryBudgets budgets = memory();
    TIDAL_ASSIGN(user_states_,
                 audience::UserStates::open({.bytes_max = budgets.user_states}, store_, *schema_));
    TIDAL_ASSIGN(relationships_, audience::Relationships::open(store_));
    TIDAL_ASSIGN(sessions_,
                 audience::Sessions::open({.sessions_max = options_.sessions_max}, store_));
    TIDAL_ASSIGN(tastes_, audience::Tastes::open({.bytes_max = budgets.tastes}, store_));
    TIDAL_ASSIGN(co_engagement_,
                 audience::CoEngagement::open({.bytes_max = budgets.co_engagement}, store_));
    TIDAL_ASSIGN(cohorts_, audience::CohortLedgers::open({.bytes_max = budgets.cohorts}, store_));
    TIDAL_ASSIGN(cohort_uniques_,
                 signal::CohortUniqueTable::open({.bytes_max = budgets.cohorts}, store_));
    TIDAL_ASSIGN(collections_,
                 audience::Collections::open({.bytes_max = budgets.collections}, store_));
    return {};
}

/// The newest first: older ones have what it has not, if anything.
void ShardState::open_graphs() {
    if (options_.disk == nullptr) return;
    const GraphFiles files{options_.disk, options_.directory, options_.shard};
    const auto warn = [&](const std::string& path, const Error& cause) {
        options_.logger.warning("a file of a graph of vectors cannot be used: it is made again",
                                {{"file", path}, {"cause", cause.to_string()}});
    };
    auto numbers = files.list();
    if (!numbers.ok()) return warn(files.directory, numbers.error());
    struct Opened {
        GraphFiles::Found file;
        std::shared_ptr<const vector::Graph> graph;
    };
    std::vector<Opened> opened;
    for (auto number = numbers->rbegin(); number != numbers->rend(); ++number) {
        graph_file_last_ = std::max(graph_file_last_, *number);
        auto found = files.open(*number);
        if (!found.ok() && found.error().code() == ErrorCode::kNotFound) continue;  // begun only
        auto graph = found.ok() ? vectors(found->head.kind).open_graph(found->head, found->bytes)
                                : Result<std::shared_ptr<const vector::Graph>>(found.take_error());
        if (!graph.ok()) {
            warn(files.path(*number), graph.error());
            continue;
        }
        // What comes before the codes has been compared, and is read no more.
        found->rows.leave(found->bytes.get(), vector::GraphLayout(found->head.shape).rows);
        if (*graph != nullptr) {
            opened.push_back({*std::move(found), *std::move(graph)});
        }
    }
    // As when they were written: the oldest has most of a block, and newer ones what came since.
    for (auto each = opened.rbegin(); each != opened.rend(); ++each) {
        const auto& [head, bytes, rows] = each->file;
        std::size_t block = 0;
        while (vectors(head.kind).map_rows(head.slot, *each->graph, rows, block)) ++block;
    }
}

void ShardState::open_views() {
    // An event may be dated this far ahead of its commit (semantics.md §2).
    constexpr UnixMillis kAheadMs = 60'000;
    query::TopViews::Options options;
    options.entities_min = options_.view_items_min;
    options.matched_min = options_.view_items_min / 2;
    item_views_ = std::make_unique<query::TopViews>(options, entities(EntityKind::kItem),
                                                    last_stamp_.wall_ms() + kAheadMs);
}

ranking::ShardView ShardState::view(EntityKind kind) {
    auto& tables = viewed_ledgers_[static_cast<std::size_t>(kind)];
    tables.clear();
    for (auto& [origin, table] : ledgers(kind)) tables.push_back(table.get());
    const bool item = kind == EntityKind::kItem;
    return {*schema_,
            kind,
            entities(kind),
            tables,
            &uniques(kind),
            &texts(kind),
            &vectors(kind),
            item ? user_states_.get() : nullptr,
            item ? co_engagement_.get() : nullptr,
            item ? cohorts_.get() : nullptr,
            item ? collections_.get() : nullptr,
            item ? cohort_uniques_.get() : nullptr};
}

text::TextIndex& ShardState::texts(EntityKind kind) {
    return texts_[static_cast<std::size_t>(kind)]->index();
}

Result<void> ShardState::step_views(std::uint32_t slots) {
    return item_views_->step(view(EntityKind::kItem), last_stamp_.wall_ms(), slots);
}

Result<signal::LedgerTable*> ShardState::ledger(EntityKind kind, RegionId origin) {
    auto& table = ledgers(kind)[origin];
    if (table == nullptr) {
        signal::LedgerTable::Options options;
        options.kind = kind;
        options.origin = origin;
        options.resident_bytes_max = options_.ledger_bytes_max;
        TIDAL_ASSIGN(table, signal::LedgerTable::open(options, store_, *schema_));
    }
    return table.get();
}

void ShardState::apply_control(LogIndex index, Term term, std::string_view members) {
    assert(index == applied_.next() && term >= term_);
    applied_ = index;
    term_ = term;
    if (!members.empty()) members_ = members;
}

Result<void> ShardState::apply(std::span<const record::Record> records,
                               std::vector<Outcome>* outcomes) {
    outcomes->clear();
    outcomes->reserve(records.size());
    std::array<Met, kPrefetched> met;
    for (std::size_t i = 0; i < records.size(); ++i) {
        if (i % kPrefetched == 0)
            prefetch(records.subspan(i, std::min(kPrefetched, records.size() - i)), met.data());
        auto applied = apply_one(records[i], met[i % kPrefetched], &outcomes->emplace_back());
        if (applied.ok()) continue;
        outcomes->pop_back();
        return applied;
    }
    return {};
}

Result<void> ShardState::apply_one(const record::Record& record, const Met& met, Outcome* outcome) {
    const record::Envelope& envelope = record.envelope;
    assert(envelope.index == applied_.next());
    if (envelope.apply_version > kApplyVersion)
        return Error(ErrorCode::kIncompatible, "a newer build wrote to the log")
            .with("shard", envelope.shard.value())
            .with("index", envelope.index.value())
            .with("apply_version", envelope.apply_version.value())
            .with("this_build_knows", kApplyVersion.value())
            .with_hint("start the newer build again");
    applied_ = envelope.index;
    last_stamp_ = std::max(last_stamp_, envelope.stamp);

    const auto* signal = std::get_if<record::SignalBody>(&record.body);
    const bool configures = std::holds_alternative<record::ShardConfigBody>(record.body) ||
                            std::holds_alternative<record::SchemaBody>(record.body);
    if (auto refused = configures ? std::nullopt : check_place(envelope)) {
        *outcome = Outcome::refuse(std::move(*refused));
        return {};
    }
    if (planted(Bug::kFirstAppliedTwice) && applied_ == store_.checkpoint_index().next()) {
        if (auto twice = dispatch(record); !twice) return twice.take_error();
    }
    // Most records are these: what they give is written where it is to be.
    if (signal != nullptr && envelope.idempotency_key.empty())
        return apply_signal(envelope, *signal, met, outcome);
    TIDAL_ASSIGN(*outcome,
                 envelope.idempotency_key.empty() ? dispatch(record) : apply_with_key(record));
    return {};
}

std::optional<Error> ShardState::check_place(const record::Envelope& envelope) const {
    if (!configured())
        return Error(ErrorCode::kInternal, "record before the shard's configuration");
    if (envelope.epoch != config_.epoch)
        return Error(ErrorCode::kConflict, "record of another routing epoch")
            .with_reason("stale_epoch")
            .with("epoch", envelope.epoch.value())
            .with("current", config_.epoch.value());
    if (envelope.schema_version > schema_->version)
        return Error(ErrorCode::kConflict, "record of a schema this shard has not seen")
            .with_reason("schema_ahead")
            .with("version", envelope.schema_version.value())
            .with("current", schema_->version.value());
    return std::nullopt;
}

Result<Outcome> ShardState::apply_with_key(const record::Record& record) {
    const record::Envelope& envelope = record.envelope;
    const std::string key =
        IdempotencyTable::row_key(envelope.tenant, envelope.principal, envelope.idempotency_key);
    TIDAL_ASSIGN(auto seen, find_answer(key, record.body));
    if (seen) return std::move(*seen);
    TIDAL_ASSIGN(Outcome outcome, dispatch(record));
    if (!outcome.ok()) return outcome;
    KeyEntry entry;
    entry.body_hash = record::body_hash(record.body);
    entry.stamp = envelope.stamp;
    entry.answer = outcome;
    if (const auto* signal = std::get_if<record::SignalBody>(&record.body))
        entry.undo = undo_entry(envelope, *signal);
    if (const auto* sent = std::get_if<record::SessionSignalBody>(&record.body)) {
        TIDAL_ASSIGN(entry.undo, undo_in_session(envelope, *sent, outcome));
    }
    TIDAL_TRY(idempotency_->insert(key, entry));
    return outcome;
}

Result<std::optional<Outcome>> ShardState::find_answer(const std::string& row_key,
                                                       const record::Body& body) {
    TIDAL_ASSIGN(auto seen, idempotency_->find(row_key));
    if (!seen || planted(Bug::kKeyNotChecked)) return std::optional<Outcome>();
    if (seen->body_hash != record::body_hash(body))
        return std::optional(Outcome::refuse(key_of_another_body()));
    seen->answer.repeated = true;
    return std::optional(std::move(seen->answer));
}

Result<Outcome> ShardState::dispatch(const record::Record& record) {
    return std::visit([&](const auto& body) { return apply_body(record.envelope, body); },
                      record.body);
}

Outcome ShardState::accepted(const record::Envelope& envelope) const {
    Outcome outcome;
    outcome.index = envelope.index;
    outcome.version = envelope.stamp;
    return outcome;
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::SchemaBody& body) {
    TIDAL_ASSIGN(schema::Schema next, schema::decode_schema(body.schema));
    if (schema_ != nullptr && next.version <= schema_->version)
        return accepted(envelope);  // a repeat
    store_.put(kSchemaKey, body.schema);
    const bool first = schema_ == nullptr;
    schema_ = std::make_shared<const schema::Schema>(std::move(next));
    if (first) {
        TIDAL_TRY(open_tables());
        open_views();
        return accepted(envelope);
    }
    TIDAL_TRY(settle());
    for (const EntityKind kind : kKinds) {
        texts_[static_cast<std::size_t>(kind)]->set_schema(*schema_);
        entities(kind).set_schema(schema_);
        vectors_[static_cast<std::size_t>(kind)].set_schema(*schema_);
        uniques(kind).set_schema(*schema_);
        for (auto& [origin, table] : ledgers(kind)) table->set_schema(*schema_);
    }
    user_states_->set_schema(*schema_);
    return accepted(envelope);
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::ShardConfigBody& body) {
    config_ = body;
    Encoder out;
    out.u16(body.apply_version.value());
    out.u32(body.epoch.value());
    out.u16(body.vshard_begin);
    out.u16(body.vshard_end);
    if (body.memory) record::encode_budgets(*body.memory, &out);
    store_.put(kConfigKey, out.view());
    if (schema_ == nullptr) return accepted(envelope);
    const record::MemoryBudgets budgets = memory();
    user_states_->set_bytes_max(budgets.user_states);
    tastes_->set_bytes_max(budgets.tastes);
    co_engagement_->set_bytes_max(budgets.co_engagement);
    cohorts_->set_bytes_max(budgets.cohorts);
    cohort_uniques_->set_bytes_max(budgets.cohorts);
    collections_->set_bytes_max(budgets.collections);
    return accepted(envelope);
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope, const record::TickBody&) {
    TIDAL_TRY(idempotency_->expire(envelope.stamp));
    TIDAL_TRY(sessions_->sweep(envelope.stamp.wall_ms()));
    return accepted(envelope);
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::ImportMarkBody& body) {
    Encoder out;
    out.varint(body.position);
    store_.put(std::string(kImportPrefix) + body.import_id, out.view());
    return accepted(envelope);
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::CatalogBody& body) {
    auto changed = catalog_->apply(body, envelope.stamp);
    if (!changed) return Outcome::refuse(changed.take_error());
    Outcome outcome = accepted(envelope);
    outcome.created = *changed;
    outcome.repeated = !*changed;
    return outcome;
}

Result<Outcome> ShardState::apply_body(const record::Envelope& envelope,
                                       const record::ArchiveKeysBody& body) {
    for (const record::ArchiveKey& key : body.keys) {
        if (!owns(record::vshard_of(envelope.tenant, EntityKind::kUser, key.user))) continue;
        if (key.newest > tastes_->erased(key.user)) TIDAL_TRY(archive_keys_.apply(key));
    }
    return accepted(envelope);
}

Result<std::uint64_t> ShardState::import_position(std::string_view import_id) {
    TIDAL_ASSIGN(auto row, store_.get(std::string(kImportPrefix) + std::string(import_id)));
    if (!row) return std::uint64_t{0};
    Decoder in(*row);
    const std::uint64_t position = in.varint();
    TIDAL_TRY(in.finish("import position"));
    return position;
}

std::vector<ShardState::TextsDue> ShardState::texts_due() const {
    std::vector<TextsDue> out;
    if (options_.disk == nullptr) return out;
    for (const EntityKind kind : kKinds) {
        const auto& texts = texts_[static_cast<std::size_t>(kind)];
        if (texts != nullptr && texts->file_due(options_.text_changes_min))
            out.push_back({kind, texts->changes()});
    }
    return out;
}

void ShardState::texts_filed(const TextsDue& done) {
    texts_[static_cast<std::size_t>(done.kind)]->filed(done.changes);
}

bool ShardState::write_rows(std::size_t most) {
    return user_states_ == nullptr || planted(Bug::kStatesNotKept) ||
           user_states_->write_rows(most);
}

void ShardState::prepare_checkpoint() {
    Encoder out;
    out.u64(last_stamp_.bits());
    for (const EntityKind kind : kKinds) {
        out.varint(ledgers(kind).size());
        for (auto& [origin, table] : ledgers(kind)) {
            out.varint(origin.value());
            table->prepare_checkpoint();
        }
        if (uniques_[static_cast<std::size_t>(kind)] != nullptr) uniques(kind).prepare_checkpoint();
    }
    store_.put(kProgressKey, out.view());
    if (term_.value() > 0) {
        out.clear();
        out.varint(applied_.value());
        out.varint(term_.value());
        out.bytes(members_);
        store_.put(kGroupKey, out.view());
    }
    if (user_states_ != nullptr && !planted(Bug::kStatesNotKept))
        user_states_->prepare_checkpoint();
    if (cohorts_ != nullptr) cohorts_->prepare_checkpoint();
    if (cohort_uniques_ != nullptr) cohort_uniques_->prepare_checkpoint();
    outbox_->prepare_checkpoint();
    if (!planted(Bug::kMarksNotKept)) marks_->prepare_checkpoint();
}

void ShardState::freeze_rows() {
    if (schema_ == nullptr) return;
    tastes_->freeze_rows();
    co_engagement_->freeze_rows();
    if (!planted(Bug::kCohortsNotKept)) cohorts_->freeze_rows();
}

bool ShardState::write_frozen_rows(std::size_t cost_max) {
    return schema_ == nullptr ||
           (tastes_->write_frozen_rows(cost_max) && co_engagement_->write_frozen_rows(cost_max) &&
            cohorts_->write_frozen_rows(cost_max));
}

Result<bool> ShardState::evict_cold(std::size_t steps_max) {
    for (; evict_kind_ < kEntityKindCount; ++evict_kind_, evicted_origin_ = RegionId(0)) {
        Ledgers& tables = ledgers_[evict_kind_];
        for (auto at = tables.upper_bound(evicted_origin_); at != tables.end(); ++at) {
            TIDAL_ASSIGN(const bool done, at->second->evict(steps_max));
            if (!done) return false;
            evicted_origin_ = at->first;
        }
    }
    evict_kind_ = 0;
    return true;
}

}  // namespace tidal::shard
