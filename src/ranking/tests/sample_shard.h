// ranking/tests/sample_shard.h: the tables of one shard on a simulated disk, and everything that
// was put into them as plain lists to compute answers from by brute force.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ranking/shard_view.h"
#include "runtime/sim_disk.h"
#include "signal/tests/brute_force.h"
#include "storage/shard_store.h"

namespace tidal::ranking {

/// Distinct users as told, without a window: what UniqueTable itself counts is tested in `signal`.
class ToldUniques final : public signal::UniqueTable {
public:
    void set_schema(const schema::Schema&) override {}
    Result<void> add(Slot slot, SignalTypeId signal, std::uint64_t user_hash, UnixMillis) override {
        users_[{slot, signal}].insert(user_hash);
        return {};
    }
    Result<double> estimate(Slot slot, SignalTypeId signal, UnixMillis) override {
        const auto found = users_.find({slot, signal});
        return found == users_.end() ? 0.0 : static_cast<double>(found->second.size());
    }
    void drop(Slot) override {}
    void prepare_checkpoint() override {}
    Result<std::uint64_t> content_hash(Slot) override { return std::uint64_t{0}; }
    Stats stats() const override { return {}; }

private:
    std::map<std::pair<Slot, SignalTypeId>, std::set<std::uint64_t>> users_;
};

struct SampleItem {
    EntityId id;
    std::optional<EntityId> creator;
    std::optional<UnixMillis> created_at, publish_at, expires_at;
    std::map<std::string, record::Value> fields;
};

class SampleShard {
public:
    explicit SampleShard(std::shared_ptr<const schema::Schema> schema, int regions = 2)
        : schema_(std::move(schema)), disk_(medium_.session()) {
        rows_ = must(storage::open_simple_rows(*disk_, "rows"));
        store_ = must(storage::ShardStore::open(*disk_, *rows_, ShardId(1), "shard"));
        entities_ = must(entity::EntityTable::open(EntityKind::kItem, *store_, schema_));
        EXPECT_TRUE(vectors_.load(*schema_, *entities_).ok());
        for (int region = 1; region <= regions; ++region) {
            ledgers_.push_back(must(signal::LedgerTable::open(
                {.kind = EntityKind::kItem, .origin = RegionId(static_cast<std::uint16_t>(region))},
                *store_, *schema_)));
            ledger_pointers_.push_back(ledgers_.back().get());
        }
    }

    ShardView view() {
        return {.schema = *schema_,
                .kind = EntityKind::kItem,
                .entities = *entities_,
                .ledgers = ledger_pointers_,
                .uniques = &uniques_,
                .vectors = &vectors_};
    }

    void put(const SampleItem& item) {
        record::UpsertBody body;
        body.id = item.id;
        if (item.creator) body.creator.emplace(item.creator);
        if (item.created_at) body.created_at.emplace(item.created_at);
        if (item.publish_at) body.publish_at.emplace(item.publish_at);
        if (item.expires_at) body.expires_at.emplace(item.expires_at);
        std::map<FieldId, record::Value> by_id;
        for (const auto& [name, value] : item.fields)
            by_id.emplace(schema_->find_field(EntityKind::kItem, name)->id, value);
        for (auto& [field, value] : by_id) body.fields.push_back({field, value});
        const auto done = entities_->upsert(body, HybridTime::from(++stamp_, 0));
        ASSERT_TRUE(done.ok()) << done.error().to_string();
    }

    void erase(const EntityId& id) {
        record::DeleteBody body;
        body.id = id;
        ASSERT_TRUE(entities_->erase(body, HybridTime::from(++stamp_, 0)).ok());
        ASSERT_TRUE(vectors_.refresh(id, *entities_).ok());
    }

    void embed(const EntityId& id, std::string_view slot, std::vector<float> values) {
        record::EmbeddingBody body;
        body.id = id;
        body.slot = schema_->find_embedding(EntityKind::kItem, slot)->id;
        body.values = std::move(values);
        const auto done = entities_->set_embedding(body, HybridTime::from(++stamp_, 0));
        ASSERT_TRUE(done.ok()) << done.error().to_string();
        ASSERT_TRUE(vectors_.refresh(id, body.slot, *entities_).ok());
    }

    /// As a shard does in the background.
    void make_graphs(std::uint64_t tail_max) {
        while (const auto slot = vectors_.wants_graph(tail_max)) {
            auto build = vectors_.graphs(*slot).begin_build(*vectors_.find(*slot), 1);
            while (!build->copy(*vectors_.find(*slot), 1000)) {
            }
            for (bool done = false; !done;) done = must(build->link(1000));
            vectors_.graphs(*slot).finish_build(build->take(), LogIndex(1));
        }
    }

    void signal(const EntityId& id, std::string_view name, double weight, UnixMillis at_ms,
                std::size_t region = 0) {
        const signal::LedgerEvent event{.slot = *entities_->find(id),
                                        .signal = schema_->find_signal(name)->id,
                                        .weight = *record::fixed_weight(weight),
                                        .at_ms = at_ms};
        ASSERT_TRUE(ledgers_[region]->apply({&event, 1}).ok());
        events_[{id, std::string(name)}].push_back(event);
    }

    void seen_by(const EntityId& id, std::string_view name, std::uint64_t user) {
        ASSERT_TRUE(
            uniques_.add(*entities_->find(id), schema_->find_signal(name)->id, user, 0).ok());
    }

    /// By brute force, of all regions.
    signal::WindowValue window(const EntityId& id, const std::string& name, schema::Window window,
                               UnixMillis now_ms) const {
        const auto found = events_.find({id, name});
        return found == events_.end() ? signal::WindowValue{}
                                      : signal::brute_window(found->second, window, now_ms);
    }
    double decayed(const EntityId& id, const std::string& name, UnixMillis now_ms) const {
        const auto found = events_.find({id, name});
        if (found == events_.end()) return 0;
        return signal::brute_decayed(*schema_->find_signal(name), found->second, now_ms).value;
    }
    double users(const EntityId& id, std::string_view name) {
        return *uniques_.estimate(*entities_->find(id), schema_->find_signal(name)->id, 0);
    }

    entity::EntityTable& entities() { return *entities_; }
    const schema::Schema& schema() const { return *schema_; }

private:
    template <typename T>
    static T must(Result<T> result) {
        if (!result.ok()) ADD_FAILURE() << result.error().to_string();
        return std::move(result).value();
    }

    std::shared_ptr<const schema::Schema> schema_;
    runtime::SimDisk medium_;
    std::unique_ptr<runtime::Disk> disk_;
    std::unique_ptr<storage::RowEngine> rows_;
    std::unique_ptr<storage::ShardStore> store_;
    std::unique_ptr<entity::EntityTable> entities_;
    vector::ShardVectors vectors_{EntityKind::kItem};
    std::vector<std::unique_ptr<signal::LedgerTable>> ledgers_;
    std::vector<signal::LedgerTable*> ledger_pointers_;
    ToldUniques uniques_;
    std::map<std::pair<EntityId, std::string>, std::vector<signal::LedgerEvent>> events_;
    UnixMillis stamp_ = 1'000;
};

}  // namespace tidal::ranking
