#include "entity/entity_table.h"

#include <gmock/gmock.h>

#include <cmath>

#include "entity/tests/memory_store.h"
#include "entity/tests/sample.h"

namespace tidal::entity {
namespace entity_table_test {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Strings = std::vector<std::string>;

class EntityTableTest : public ::testing::Test {
protected:
    EntityTableTest() { reopen(); }

    void reopen() {
        auto opened = EntityTable::open(EntityKind::kItem, store_, schema_);
        ASSERT_TRUE(opened.ok()) << opened.error().to_string();
        table_ = std::move(*opened);
    }
    void create(std::uint64_t id, std::uint64_t tick) {
        ASSERT_EQ(*table_->upsert(upsert_of(EntityId(id)), at(tick)), UpsertOutcome::kCreated);
    }
    EntityView view(std::uint64_t id) {
        auto got = table_->get(EntityId(id));
        EXPECT_TRUE(got.ok() && got->has_value());
        return std::move(**got);
    }

    MemoryStore store_;
    std::shared_ptr<const schema::Schema> schema_ = sample_schema();
    std::unique_ptr<EntityTable> table_;
};

TEST_F(EntityTableTest, AnUpsertIsReadBackWholeAlsoAfterReopening) {
    auto body = upsert_of(EntityId(5), {{kTitle, std::string("Jazz Piano")},
                                        {kTags, Strings{"calm", "live"}},
                                        {kYear, std::int64_t{1959}},
                                        {kPlace, record::GeoPoint{48.5, 2.25}}});
    body.creator = EntityId("monk");
    body.created_at = 1000;
    body.publish_at = 2000;
    body.expires_at = 3000;
    ASSERT_TRUE(table_->upsert(body, at(50)).ok());
    for (int opening = 0; opening < 2; ++opening, reopen()) {
        const EntityView got = view(5);
        EXPECT_EQ(got.id, EntityId(5));
        EXPECT_EQ(got.slot, Slot(0));
        EXPECT_EQ(got.generation, at(50));
        EXPECT_EQ(got.version, at(50));
        EXPECT_EQ(got.creator, EntityId("monk"));
        EXPECT_EQ(got.created_at_ms, 1000);
        EXPECT_EQ(got.publish_at_ms, 2000);
        EXPECT_EQ(got.expires_at_ms, 3000);
        ASSERT_EQ(got.fields.size(), 4U);
        EXPECT_EQ(got.fields[0].first, field_id(kTitle));
        EXPECT_EQ(got.fields[0].second, record::Value(std::string("Jazz Piano")));
        EXPECT_EQ(got.fields[1].second, record::Value(Strings{"calm", "live"}));
        EXPECT_EQ(got.fields[3].second, record::Value(record::GeoPoint{48.5, 2.25}));
    }
}

TEST_F(EntityTableTest, AnUpsertReplacesNamedFieldsAndNullRemoves) {
    ASSERT_TRUE(
        table_
            ->upsert(upsert_of(EntityId(1), {{kTitle, std::string("a")}, {kYear, std::int64_t{1}}}),
                     at(1))
            .ok());
    EXPECT_EQ(
        *table_->upsert(upsert_of(EntityId(1), {{kYear, std::nullopt}, {kRating, 2.5}}), at(2)),
        UpsertOutcome::kUpdated);
    const EntityView got = view(1);
    ASSERT_EQ(got.fields.size(), 2U);
    EXPECT_EQ(got.fields[0].first, field_id(kTitle));
    EXPECT_EQ(got.fields[1].first, field_id(kRating));
    EXPECT_EQ(got.generation, at(1));
    EXPECT_EQ(got.version, at(2));
}

TEST_F(EntityTableTest, TheNewestWriterWinsEachFieldWhateverTheOrder) {
    ASSERT_TRUE(table_->upsert(upsert_of(EntityId(1), {{kTitle, std::string("new")}}), at(9)).ok());
    ASSERT_TRUE(table_
                    ->upsert(upsert_of(EntityId(1),
                                       {{kTitle, std::string("old")}, {kYear, std::int64_t{7}}}),
                             at(4))
                    .ok());
    const EntityView got = view(1);
    ASSERT_EQ(got.fields.size(), 2U);
    EXPECT_EQ(got.fields[0].second, record::Value(std::string("new")));
    EXPECT_EQ(got.fields[1].second, record::Value(std::int64_t{7}));
    EXPECT_EQ(got.version, at(9));
    EXPECT_EQ(got.generation, at(4));
}

TEST_F(EntityTableTest, ARemovedFieldDoesNotComeBackThroughAnOlderWrite) {
    create(1, 1);
    ASSERT_TRUE(table_->upsert(upsert_of(EntityId(1), {{kYear, std::nullopt}}), at(5)).ok());
    ASSERT_TRUE(table_->upsert(upsert_of(EntityId(1), {{kYear, std::int64_t{3}}}), at(4)).ok());
    EXPECT_THAT(view(1).fields, IsEmpty());
}

TEST_F(EntityTableTest, CreatedAtIsTheFirstUpsertUnlessGiven) {
    create(1, 40);
    EXPECT_EQ(view(1).created_at_ms, 40);
    EXPECT_EQ(table_->created_at_column()[0], 40);
    auto body = upsert_of(EntityId(1));
    body.created_at = 7;
    ASSERT_TRUE(table_->upsert(body, at(50)).ok());
    EXPECT_EQ(table_->created_at_column()[0], 7);
    body.created_at = std::optional<UnixMillis>();
    ASSERT_TRUE(table_->upsert(body, at(60)).ok());
    EXPECT_EQ(view(1).created_at_ms, 40);
    EXPECT_EQ(table_->created_at_column()[0], 40);
}

TEST_F(EntityTableTest, ADeleteTakesEverythingAndKeepsATombstone) {
    auto body = upsert_of(EntityId(1), {{kCategory, std::string("music")}, {kActive, true}});
    body.creator = EntityId(8);
    ASSERT_TRUE(table_->upsert(body, at(1)).ok());
    record::EmbeddingBody vector{EntityKind::kItem, EntityId(1), EmbeddingSlotId(0), {1, 2, 3}};
    ASSERT_TRUE(table_->set_embedding(vector, at(2)).ok());
    EXPECT_EQ(*table_->erase(delete_of(EntityId(1)), at(3)), Slot(0));

    EXPECT_FALSE(table_->find(EntityId(1)));
    EXPECT_EQ(table_->find_reserved(EntityId(1)), Slot(0));
    EXPECT_FALSE(table_->get(EntityId(1))->has_value());
    EXPECT_FALSE(table_->embedding(EntityId(1), EmbeddingSlotId(0))->has_value());
    EXPECT_EQ(table_->live_count(), 0U);
    EXPECT_TRUE(table_->live().isEmpty());
    EXPECT_EQ(table_->keyword_bitmap(field_id(kCategory), "music"), nullptr);
    EXPECT_EQ(table_->keyword_bitmap(field_id(kActive), "true"), nullptr);
    EXPECT_EQ(table_->creator_bitmap(EntityId(8)), nullptr);
    EXPECT_EQ(table_->creator_of(Slot(0)), nullptr);
    EXPECT_EQ(store_.rows.size(), 1U);
    EXPECT_EQ(table_->erase(delete_of(EntityId(1)), at(4)).error().code(), ErrorCode::kNotFound);
}

TEST_F(EntityTableTest, ADeletedEntityNeverComesBackThroughAnOlderStamp) {
    create(1, 1);
    ASSERT_TRUE(table_->erase(delete_of(EntityId(1)), at(5)).ok());
    for (int opening = 0; opening < 2; ++opening, reopen()) {
        EXPECT_EQ(*table_->upsert(upsert_of(EntityId(1)), at(4)), UpsertOutcome::kSuperseded);
        EXPECT_EQ(*table_->upsert(upsert_of(EntityId(1)), at(5)), UpsertOutcome::kSuperseded);
        EXPECT_FALSE(table_->find(EntityId(1)));
    }
}

TEST_F(EntityTableTest, ALaterUpsertStartsANewGenerationInTheSameSlot) {
    ASSERT_TRUE(table_->upsert(upsert_of(EntityId(1), {{kYear, std::int64_t{1}}}), at(1)).ok());
    ASSERT_TRUE(table_->erase(delete_of(EntityId(1)), at(5)).ok());
    EXPECT_EQ(table_->generation_of(Slot(0)), HybridTime());
    EXPECT_EQ(*table_->upsert(upsert_of(EntityId(1)), at(6)), UpsertOutcome::kCreated);
    EXPECT_EQ(table_->generation_of(Slot(0)), at(6));
    EXPECT_THAT(view(1).fields, IsEmpty());
    EXPECT_EQ(view(1).created_at_ms, 6);
    // Fields and vectors of the first generation stay away too.
    ASSERT_TRUE(table_->upsert(upsert_of(EntityId(1), {{kYear, std::int64_t{2}}}), at(3)).ok());
    ASSERT_TRUE(
        table_
            ->set_embedding({EntityKind::kItem, EntityId(1), EmbeddingSlotId(0), {1, 2, 3}}, at(4))
            .ok());
    EXPECT_THAT(view(1).fields, IsEmpty());
    EXPECT_FALSE(table_->embedding(EntityId(1), EmbeddingSlotId(0))->has_value());
}

TEST_F(EntityTableTest, ALateDeleteOfAnEarlierGenerationTakesNoLedger) {
    create(1, 1);
    ASSERT_TRUE(table_->erase(delete_of(EntityId(1)), at(5)).ok());
    create(1, 9);
    EXPECT_EQ(table_->erase(delete_of(EntityId(1)), at(7)).error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(view(1).generation, at(9));
    EXPECT_EQ(*table_->upsert(upsert_of(EntityId(1)), at(6)), UpsertOutcome::kSuperseded);
}

TEST_F(EntityTableTest, ADeleteThatCameBeforeItsUpsertHolds) {
    EXPECT_EQ(table_->erase(delete_of(EntityId(1)), at(5)).error().code(), ErrorCode::kNotFound);
    const Slot reserved = table_->find_or_reserve(EntityId("ann"));
    EXPECT_EQ(table_->erase(delete_of(EntityId("ann")), at(5)).error().code(),
              ErrorCode::kNotFound);
    EXPECT_EQ(table_->find_reserved(EntityId("ann")), reserved);
    for (const EntityId& id : {EntityId(1), EntityId("ann")}) {
        EXPECT_EQ(*table_->upsert(upsert_of(id), at(4)), UpsertOutcome::kSuperseded);
        EXPECT_FALSE(table_->find(id));
        EXPECT_EQ(*table_->upsert(upsert_of(id), at(6)), UpsertOutcome::kCreated);
    }
    auto erase = delete_of(EntityId(2));
    erase.if_match = at(1);
    EXPECT_EQ(table_->erase(erase, at(7)).error().code(), ErrorCode::kNotFound);
    EXPECT_FALSE(table_->find_reserved(EntityId(2))) << "nobody here has that version";
}

TEST_F(EntityTableTest, ALateDeleteKeepsWhatIsNewer) {
    ASSERT_TRUE(table_
                    ->upsert(upsert_of(EntityId(1),
                                       {{kYear, std::int64_t{1}}, {kCategory, std::string("x")}}),
                             at(1))
                    .ok());
    ASSERT_TRUE(table_->upsert(upsert_of(EntityId(1), {{kRating, 4.0}}), at(9)).ok());
    EXPECT_EQ(*table_->erase(delete_of(EntityId(1)), at(5)), Slot(0));
    const EntityView got = view(1);
    ASSERT_EQ(got.fields.size(), 1U);
    EXPECT_EQ(got.fields[0].first, field_id(kRating));
    EXPECT_EQ(got.generation, at(9));
    EXPECT_EQ(table_->keyword_bitmap(field_id(kCategory), "x"), nullptr);
}

TEST_F(EntityTableTest, ConditionsAreCheckedBeforeAnythingChanges) {
    auto patch = upsert_of(EntityId(1));
    patch.must_exist = true;
    EXPECT_EQ(table_->upsert(patch, at(1)).error().code(), ErrorCode::kNotFound);
    auto matched = upsert_of(EntityId(1));
    matched.if_match = at(1);
    EXPECT_EQ(table_->upsert(matched, at(1)).error().code(), ErrorCode::kPreconditionFailed);
    EXPECT_EQ(table_->slot_count(), 0U);
    create(1, 1);
    EXPECT_TRUE(table_->upsert(matched, at(2)).ok());
    EXPECT_EQ(table_->upsert(matched, at(3)).error().code(), ErrorCode::kPreconditionFailed);
    auto erase = delete_of(EntityId(1));
    erase.if_match = at(1);
    EXPECT_EQ(table_->erase(erase, at(4)).error().code(), ErrorCode::kPreconditionFailed);
    EXPECT_EQ(view(1).version, at(2));
    erase.if_match = at(2);
    EXPECT_TRUE(table_->erase(erase, at(5)).ok());
}

TEST_F(EntityTableTest, AnErrorChangesNothing) {
    create(1, 1);
    const auto rows = store_.rows;
    auto bad_field = upsert_of(EntityId(2));
    bad_field.fields.push_back({FieldId(77), record::Value(true)});
    EXPECT_EQ(table_->upsert(bad_field, at(2)).error().code(), ErrorCode::kUnknownName);
    EXPECT_EQ(table_->upsert(upsert_of(EntityId(2), {{kYear, std::string("1999")}}), at(2))
                  .error()
                  .code(),
              ErrorCode::kInvalidArgument);
    EXPECT_EQ(table_->upsert(upsert_of(EntityId(std::string(256, 'x'))), at(2)).error().code(),
              ErrorCode::kInvalidArgument);
    EXPECT_EQ(table_->upsert(upsert_of(EntityId(std::string())), at(2)).error().code(),
              ErrorCode::kInvalidArgument);
    store_.failing = true;
    EXPECT_EQ(table_->upsert(upsert_of(EntityId(1)), at(2)).error().code(), ErrorCode::kIo);
    EXPECT_EQ(table_->erase(delete_of(EntityId(1)), at(2)).error().code(), ErrorCode::kIo);
    store_.failing = false;
    EXPECT_EQ(store_.rows, rows);
    EXPECT_EQ(table_->slot_count(), 1U);
    EXPECT_EQ(view(1).version, at(1));
}

TEST_F(EntityTableTest, AReservedSlotIsNoEntityUntilItIsCreated) {
    const Slot slot = table_->find_or_reserve(EntityId("ann"));
    EXPECT_EQ(table_->find_or_reserve(EntityId("ann")), slot);
    for (int opening = 0; opening < 2; ++opening, reopen()) {
        EXPECT_FALSE(table_->find(EntityId("ann")));
        EXPECT_EQ(table_->find_reserved(EntityId("ann")), slot);
        EXPECT_EQ(table_->live_count(), 0U);
        EXPECT_EQ(table_->erase(delete_of(EntityId("ann")), at(1)).error().code(),
                  ErrorCode::kNotFound);
        EXPECT_FALSE(table_->get(EntityId("ann"))->has_value());
    }
    EXPECT_EQ(*table_->upsert(upsert_of(EntityId("ann")), at(2)), UpsertOutcome::kCreated);
    EXPECT_EQ(table_->find(EntityId("ann")), slot);
    EXPECT_EQ(table_->slot_count(), 1U);
}

TEST_F(EntityTableTest, ColumnsAndBitmapsFollowEachChange) {
    ASSERT_TRUE(table_
                    ->upsert(upsert_of(EntityId(1),
                                       {{kYear, std::int64_t{1959}}, {kTags, Strings{"a", "b"}}}),
                             at(1))
                    .ok());
    ASSERT_TRUE(
        table_->upsert(upsert_of(EntityId(2), {{kActive, false}, {kTags, Strings{"b"}}}), at(2))
            .ok());
    EXPECT_EQ(table_->number_column(field_id(kYear))[0], 1959.0);
    EXPECT_TRUE(std::isnan(table_->number_column(field_id(kYear))[1]));
    EXPECT_EQ(table_->number_column(field_id(kActive))[1], 0.0);
    EXPECT_TRUE(table_->number_column(field_id(kTitle)).empty());
    EXPECT_THAT(slots_of(table_->keyword_bitmap(field_id(kTags), "b")), ElementsAre(0, 1));
    EXPECT_THAT(slots_of(table_->keyword_bitmap(field_id(kActive), "false")), ElementsAre(1));
    EXPECT_THAT(slots_of(table_->present_bitmap(field_id(kYear))), ElementsAre(0));

    ASSERT_TRUE(
        table_
            ->upsert(upsert_of(EntityId(1), {{kTags, Strings{"b", "c"}}, {kYear, std::nullopt}}),
                     at(3))
            .ok());
    EXPECT_EQ(table_->keyword_bitmap(field_id(kTags), "a"), nullptr);
    EXPECT_THAT(slots_of(table_->keyword_bitmap(field_id(kTags), "c")), ElementsAre(0));
    EXPECT_TRUE(std::isnan(table_->number_column(field_id(kYear))[0]));
    EXPECT_THAT(slots_of(table_->present_bitmap(field_id(kYear))), IsEmpty());
}

TEST_F(EntityTableTest, PlacesHaveAColumn) {
    ASSERT_TRUE(
        table_->upsert(upsert_of(EntityId(1), {{kPlace, record::GeoPoint{48.5, 2.25}}}), at(1))
            .ok());
    create(2, 2);
    const auto place = [&](std::size_t slot) { return table_->geo_column(field_id(kPlace))[slot]; };
    EXPECT_EQ(place(0), (record::GeoPoint{48.5, 2.25}));
    EXPECT_TRUE(std::isnan(place(1).latitude));
    EXPECT_TRUE(table_->geo_column(field_id(kYear)).empty());
    reopen();
    EXPECT_EQ(place(0), (record::GeoPoint{48.5, 2.25}));
    EXPECT_TRUE(std::isnan(place(1).latitude));
    ASSERT_TRUE(table_->upsert(upsert_of(EntityId(1), {{kPlace, std::nullopt}}), at(3)).ok());
    EXPECT_TRUE(std::isnan(place(0).latitude));
}

TEST_F(EntityTableTest, EnforcedTimesHaveSentinelsWhereAbsent) {
    create(1, 1);
    EXPECT_EQ(table_->publish_at_column()[0], INT64_MIN);
    EXPECT_EQ(table_->expires_at_column()[0], INT64_MAX);
    auto body = upsert_of(EntityId(1));
    body.publish_at = 5;
    body.expires_at = 6;
    ASSERT_TRUE(table_->upsert(body, at(2)).ok());
    EXPECT_EQ(table_->publish_at_column()[0], 5);
    EXPECT_EQ(table_->expires_at_column()[0], 6);
    body.publish_at = body.expires_at = std::optional<UnixMillis>();
    ASSERT_TRUE(table_->upsert(body, at(3)).ok());
    EXPECT_EQ(table_->publish_at_column()[0], INT64_MIN);
    EXPECT_FALSE(view(1).expires_at_ms);
}

TEST_F(EntityTableTest, ItemsAreFoundByTheirCreator) {
    auto body = upsert_of(EntityId(1));
    body.creator = EntityId(70);
    ASSERT_TRUE(table_->upsert(body, at(1)).ok());
    body.id = EntityId(2);
    ASSERT_TRUE(table_->upsert(body, at(2)).ok());
    EXPECT_THAT(slots_of(table_->creator_bitmap(EntityId(70))), ElementsAre(0, 1));
    body.creator = EntityId("x");
    ASSERT_TRUE(table_->upsert(body, at(3)).ok());
    EXPECT_THAT(slots_of(table_->creator_bitmap(EntityId(70))), ElementsAre(0));
    EXPECT_EQ(*table_->creator_of(Slot(1)), EntityId("x"));
}

TEST_F(EntityTableTest, NewFieldsOfTheSchemaGetColumns) {
    schema_ = sample_schema(kYear);
    reopen();
    create(1, 1);
    EXPECT_EQ(
        table_->upsert(upsert_of(EntityId(1), {{kYear, std::int64_t{1}}}), at(2)).error().code(),
        ErrorCode::kUnknownName);
    table_->set_schema(sample_schema());
    ASSERT_EQ(table_->number_column(field_id(kYear)).size(), 1U);
    EXPECT_TRUE(std::isnan(table_->number_column(field_id(kYear))[0]));
    ASSERT_TRUE(table_->upsert(upsert_of(EntityId(1), {{kYear, std::int64_t{1}}}), at(3)).ok());
    EXPECT_EQ(table_->number_column(field_id(kYear))[0], 1.0);
    // Reopened with the older schema, the row holds a field nobody knows: damage, not a default.
    EXPECT_EQ(EntityTable::open(EntityKind::kItem, store_, schema_).error().code(),
              ErrorCode::kCorruption);
}

TEST_F(EntityTableTest, VectorsAreValidatedStoredAndReplacedByStamp) {
    create(1, 1);
    const auto set = [&](std::uint16_t slot, std::vector<float> values, std::uint64_t tick) {
        return table_->set_embedding(
            {EntityKind::kItem, EntityId(1), EmbeddingSlotId(slot), std::move(values)}, at(tick));
    };
    const auto got = [&](std::uint16_t slot) {
        return **table_->embedding(EntityId(1), EmbeddingSlotId(slot));
    };
    ASSERT_TRUE(set(0, {1, 2, 3}, 5).ok());
    ASSERT_TRUE(set(0, {3, 2, 1}, 4).ok());
    EXPECT_THAT(got(0), ElementsAre(1, 2, 3));
    ASSERT_TRUE(set(0, {3, 2, 1}, 6).ok());
    ASSERT_TRUE(set(1, {0.5F, 0}, 6).ok());
    ASSERT_TRUE(set(2, {127, -1}, 6).ok());
    reopen();
    EXPECT_THAT(got(0), ElementsAre(3, 2, 1));
    EXPECT_THAT(got(1), ElementsAre(0.5F, 0));
    EXPECT_THAT(got(2), ElementsAre(127, -1));
    EXPECT_EQ(set(0, {1, 2}, 7).error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(set(0, {0, 0, 0}, 7).error().field(), "full");
    EXPECT_EQ(set(9, {0}, 7).error().code(), ErrorCode::kUnknownName);
    EXPECT_EQ(
        table_
            ->set_embedding({EntityKind::kItem, EntityId(2), EmbeddingSlotId(0), {1, 2, 3}}, at(8))
            .error()
            .code(),
        ErrorCode::kNotFound);
}

TEST_F(EntityTableTest, KindsDoNotSeeEachOther) {
    create(1, 1);
    auto users = EntityTable::open(EntityKind::kUser, store_, schema_);
    ASSERT_TRUE(users.ok());
    EXPECT_EQ((*users)->slot_count(), 0U);
    auto user = upsert_of(EntityId(1));
    user.kind = EntityKind::kUser;
    ASSERT_TRUE((*users)->upsert(user, at(2)).ok());
    EXPECT_EQ(view(1).version, at(1));
}

TEST_F(EntityTableTest, DamagedRowsStopTheOpening) {
    create(1, 1);
    create(2, 2);
    const auto rows = store_.rows;
    const auto refused = [&] {
        return EntityTable::open(EntityKind::kItem, store_, schema_).error().code() ==
               ErrorCode::kCorruption;
    };
    store_.rows.begin()->second.pop_back();
    EXPECT_TRUE(refused());
    store_.rows = rows;
    store_.rows.erase(store_.rows.begin());  // a slot without an id
    EXPECT_TRUE(refused());
    store_.rows = rows;
    store_.rows.rbegin()->second = store_.rows.begin()->second;  // two ids in one slot
    EXPECT_TRUE(refused());
    store_.rows = rows;
    store_.rows.emplace("e/i/x", "");
    EXPECT_TRUE(refused());
}

TEST_F(EntityTableTest, TheContentHashIgnoresSlotsAndSeesEverythingElse) {
    create(1, 1);
    create(2, 2);
    const auto hash = [](EntityTable& table, std::uint64_t id) {
        return *table.content_hash(*table.find_reserved(EntityId(id)));
    };
    MemoryStore other_store;
    auto other = *EntityTable::open(EntityKind::kItem, other_store, schema_);
    ASSERT_TRUE(other->upsert(upsert_of(EntityId(2)), at(2)).ok());
    ASSERT_TRUE(other->upsert(upsert_of(EntityId(1)), at(1)).ok());
    EXPECT_EQ(hash(*table_, 1), hash(*other, 1));
    EXPECT_EQ(table_->sorted_ids(), other->sorted_ids());
    EXPECT_NE(hash(*table_, 1), hash(*table_, 2));
    const auto before = hash(*table_, 1);
    ASSERT_TRUE(
        table_
            ->set_embedding({EntityKind::kItem, EntityId(1), EmbeddingSlotId(0), {1, 2, 3}}, at(3))
            .ok());
    EXPECT_NE(hash(*table_, 1), before);
}

}  // namespace entity_table_test
}  // namespace tidal::entity
