// What the tests of this module share: one shard's state over a simulated disk, its lives, and
// records to apply.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "runtime/sim_disk.h"
#include "shard/internal/text_files.h"
#include "shard/state.h"

namespace tidal::shard {

/// The value, or the end of the test program with the error in sight.
template <typename T>
T must(Result<T> result) {
    if (!result.ok()) {
        std::fprintf(stderr, "unexpected error: %s\n", result.error().to_string().c_str());
        std::abort();
    }
    return std::move(result).value();
}
inline void must(const Result<void>& result) {
    if (!result.ok()) {
        std::fprintf(stderr, "unexpected error: %s\n", result.error().to_string().c_str());
        std::abort();
    }
}

inline constexpr std::string_view kTestSchema = R"(
items:
  ids: u64
  fields: {title: text, category: keyword, year: int}
  embeddings:
    default: {dimensions: 4, metric: cosine, storage: f32}
users: {ids: string}
creators: {ids: string, fields: {name: text}}
signals:
  view: {polarity: neutral, half_life: 1d, windows: [1h, 24h, all], unique: 24h, sets: [seen]}
  like: {polarity: positive, half_life: 7d, windows: [24h, all], sets: [liked, seen]}
)";
inline constexpr SignalTypeId kView{0}, kLike{1};

inline constexpr ShardId kHere{1}, kOther{2};
inline constexpr UnixMillis kStartMs = 1'700'000'000'000;
/// The shard of these tests owns the lower half of the vshards.
inline constexpr std::uint16_t kOwnedEnd = kVShardCount / 2;

inline record::ShardConfigBody test_config() {
    return {kApplyVersion, Epoch(1), 0, kOwnedEnd};
}
inline schema::Schema test_schema() {
    return must(schema::parse_schema(kTestSchema));
}

/// A text id of a creator whose vshard is, or is not, one of this shard's.
inline EntityId creator_where(bool owned, int number = 0) {
    for (int i = 0;; ++i) {
        EntityId id("creator " + std::to_string(i));
        const VShard vshard = record::vshard_of(kDefaultTenant, EntityKind::kCreator, id);
        if ((vshard.value() < kOwnedEnd) == owned && number-- == 0) return id;
    }
}

/// Gives records their envelopes, as the shard's leader does.
class Stamper {
public:
    record::Record stamp(record::Body body, std::string key = {}) {
        record::Record record;
        record::Envelope& envelope = record.envelope;
        index_ = index_.next();
        envelope.shard = kHere;
        envelope.incarnation = Incarnation(1);
        envelope.index = index_;
        envelope.stamp = clock_.tick(wall_ms_);
        envelope.event_time_ms = envelope.stamp.wall_ms();
        envelope.schema_version = schema_version_;
        envelope.apply_version = kApplyVersion;
        envelope.epoch = Epoch(1);
        envelope.idempotency_key = std::move(key);
        record.body = std::move(body);
        return record;
    }
    void advance(UnixMillis ms) { wall_ms_ += ms; }
    void set_schema_version(SchemaVersion version) { schema_version_ = version; }
    HybridTime last() const { return clock_.last(); }

private:
    HybridClock clock_;
    UnixMillis wall_ms_ = kStartMs;
    LogIndex index_;
    SchemaVersion schema_version_{1};
};

/// A state in one of its lives.
class StateLives {
public:
    explicit StateLives(ShardState::Options options = {.shard = kHere}) : options_(options) {
        open();
    }

    ShardState& state() { return *state_; }
    storage::ShardStore& store() { return *store_; }

    std::vector<Outcome> apply(std::span<const record::Record> records) {
        std::vector<Outcome> outcomes;
        must(state_->apply(records, &outcomes));
        return outcomes;
    }

    void begin_checkpoint() {
        state_->prepare_checkpoint();
        store_->begin_checkpoint(state_->applied());
        state_->freeze_rows();
    }
    void end_checkpoint() {
        while (!store_->copy_out(1) || !state_->write_frozen_rows(1)) {
        }
        must(store_->write_checkpoint());
        store_->finish_checkpoint(true);
        must(state_->evict_cold());
    }
    void checkpoint() {
        must(state_->settle());
        begin_checkpoint();
        end_checkpoint();
    }
    /// What the executor of checkpoints does after one. @return how many files it made.
    std::size_t file_texts() {
        const auto due = state_->texts_due();
        for (const auto& each : due) {
            must(renew_text_file({disk_.get(), "store/s0001", kHere}, each.kind, *state_->schema(),
                                 *store_, store_->checkpoint_index(), 5));
            state_->texts_filed(each);
        }
        return due.size();
    }
    runtime::Disk& disk() { return *disk_; }
    runtime::SimDisk& medium() { return medium_; }
    /// The process dies with everything that is not in a checkpoint; applied() says what is.
    void reopen() {
        state_.reset();
        store_.reset();
        rows_.reset();
        disk_.reset();
        medium_.crash({.keep = runtime::CrashSpec::Keep::kNothing});
        open();
    }

private:
    void open() {
        disk_ = medium_.session();
        rows_ = must(storage::open_simple_rows(*disk_, "store/rows"));
        store_ = must(storage::ShardStore::open(*disk_, *rows_, kHere, "store/s0001"));
        ShardState::Options options = options_;
        options.disk = disk_.get();
        options.directory = "store/s0001";
        state_ = must(ShardState::open(options, *store_));
    }

    const ShardState::Options options_;
    runtime::SimDisk medium_;
    std::unique_ptr<runtime::Disk> disk_;
    std::unique_ptr<storage::RowEngine> rows_;
    std::unique_ptr<storage::ShardStore> store_;
    std::unique_ptr<ShardState> state_;
};

/// A configured shard that takes one record at a time, and keeps the log it took.
class OneShard : public StateLives {
public:
    explicit OneShard(ShardState::Options options = {.shard = kHere},
                      std::string_view schema = kTestSchema)
        : StateLives(options) {
        apply(test_config());
        apply(record::SchemaBody{schema::encode_schema(must(schema::parse_schema(schema)))});
    }

    Outcome apply(record::Body body, std::string key = {}) {
        return apply(stamper.stamp(std::move(body), std::move(key)));
    }
    Outcome apply(record::Record record) {
        log_.push_back(std::move(record));
        Outcome outcome = StateLives::apply(std::span(&log_.back(), 1)).front();
        must(state().settle());
        return outcome;
    }
    Outcome upsert(std::uint64_t item, std::optional<EntityId> creator = {}) {
        record::UpsertBody body;
        body.id = EntityId(item);
        if (creator) body.creator.emplace(std::move(creator));
        return apply(std::move(body));
    }
    Outcome erase(std::uint64_t item) {
        return apply(record::DeleteBody{EntityKind::kItem, EntityId(item), {}});
    }
    /// Dies, and applies again what its newest checkpoint does not hold.
    void restart() {
        reopen();
        const auto kept = static_cast<std::size_t>(state().applied().value());
        StateLives::apply(std::span(log_).subspan(kept));
        must(state().settle());
    }

    /// Total count and weight of a pair; 0 where nothing is known of it.
    signal::WindowValue total(EntityKind kind, const EntityId& id, SignalTypeId signal) {
        const auto slot = state().entities(kind).find_reserved(id);
        signal::WindowValue sum;
        if (!slot) return sum;
        for (auto& [origin, table] : state().ledgers(kind)) {
            const auto reading = must(table->read(*slot, signal, stamper.last().wall_ms()));
            const auto& all = reading.windows[static_cast<std::size_t>(schema::Window::kAll)];
            sum.count += all.count;
            sum.sum += all.sum;
        }
        return sum;
    }
    std::int64_t count(std::uint64_t item, SignalTypeId signal = kLike) {
        return total(EntityKind::kItem, EntityId(item), signal).count;
    }
    std::int64_t count(const EntityId& creator, SignalTypeId signal = kLike) {
        return total(EntityKind::kCreator, creator, signal).count;
    }

    Stamper stamper;

private:
    std::vector<record::Record> log_;
};

inline record::SignalBody like(std::uint64_t item, std::int64_t weight_sixteenths = 16) {
    record::SignalBody body;
    body.signal = kLike;
    body.item = EntityId(item);
    body.weight = weight_sixteenths * record::kWeightOne / 16;
    return body;
}

/// An outcome in a form that compares and prints.
inline std::string to_text(const Outcome& outcome) {
    if (!outcome.ok()) return "refused: " + outcome.refused->to_string();
    std::string text = outcome.repeated ? "repeated" : "accepted";
    text += outcome.created ? ", created" : "";
    text += ", index " + std::to_string(outcome.index.value());
    text += ", version " + std::to_string(outcome.version.bits());
    text += ", mark " + std::to_string(outcome.mark);
    for (const StreamPosition& position : outcome.relayed)
        text += ", row " + std::to_string(position.sequence) + " to " +
                std::to_string(position.target.value());
    return text;
}

}  // namespace tidal::shard
