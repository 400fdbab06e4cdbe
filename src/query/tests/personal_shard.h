// query/tests/personal_shard.h: the tables of one shard with all that is kept of users.
#pragma once

#include "audience/co_engagement.h"
#include "audience/cohort_ledgers.h"
#include "audience/collections.h"
#include "audience/user_states.h"
#include "entity/tests/memory_store.h"
#include "query/tests/random_filter.h"
#include "text/text_index.h"

namespace tidal::query {

class PersonalShard {
public:
    explicit PersonalShard(const std::shared_ptr<const schema::Schema>& schema)
        : items(schema, 1),
          states_(audience::UserStates::open({}, store_, *schema).value()),
          pairs_(audience::CoEngagement::open({}, store_).value()),
          cohorts_(audience::CohortLedgers::open({}, store_).value()),
          collections_(audience::Collections::open({}, store_).value()) {
        std::vector<text::TextIndex::Field> fields;
        for (const schema::FieldSpec& field : schema->kind(EntityKind::kItem).fields)
            if (field.type == schema::FieldType::kText)
                fields.push_back({field.id,
                                  field.name,
                                  {field.language, field.text.stop_words},
                                  {field.text.k1, field.text.b, field.text.boost}});
        texts_.set_fields(fields);
    }

    ranking::ShardView view() {
        ranking::ShardView out = items.view();
        out.user_states = states_.get();
        out.co_engagement = pairs_.get();
        out.cohorts = cohorts_.get();
        out.collections = collections_.get();
        out.texts = &texts_;
        return out;
    }
    Slot slot(const EntityId& item) { return *items.entities().find(item); }

    void set_state(const EntityId& user, audience::StateId state, const EntityId& item) {
        const auto set = states_->set(user, state, slot(item), HybridTime::from_bits(++stamp_),
                                      audience::Hold::kForGood);
        ASSERT_TRUE(set.ok());
    }
    audience::StateId state(std::string_view name) const { return *states_->names().find(name); }
    /// Of an item that had none there.
    void index(const EntityId& item, std::string_view field, std::string_view text) {
        texts_.change(slot(item), items.schema().find_field(EntityKind::kItem, field)->id, "",
                      text);
    }
    void collect(CollectionId collection, const EntityId& item, double position) {
        collections_->put(collection, slot(item), position, HybridTime::from_bits(++stamp_));
    }
    void like(const EntityId& item) { pairs_->count(slot(item), {}, 1, kFilterNow); }
    void like_both(const EntityId& item, const EntityId& other) {
        pairs_->count(slot(item), {&other, 1}, 0, kFilterNow);
    }
    void count(CohortId cohort, const EntityId& item, const signal::LedgerEvent& event) {
        cohorts_->count(
            slot(item), {&cohort, 1},
            {.signal = event.signal, .weight = event.weight, .count = 1, .at_ms = event.at_ms},
            kFilterNow);
    }

    ranking::SampleShard items;

private:
    entity::MemoryStore store_;
    std::unique_ptr<audience::UserStates> states_;
    std::unique_ptr<audience::CoEngagement> pairs_;
    std::unique_ptr<audience::CohortLedgers> cohorts_;
    std::unique_ptr<audience::Collections> collections_;
    text::TextIndex texts_;
    std::uint64_t stamp_ = 0;
};

}  // namespace tidal::query
