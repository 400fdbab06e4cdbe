// Deleted is deleted: no late signal brings an entity or its counts back.
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace delete_test {

TEST(Delete, ALaterSignalIsRefused) {
    OneShard shard;
    shard.upsert(1);
    shard.apply(like(1));
    EXPECT_TRUE(shard.erase(1).ok());
    const Outcome late = shard.apply(like(1));
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.refused->code(), ErrorCode::kNotFound);
    EXPECT_EQ(late.refused->reason(), "unknown_item");
    EXPECT_EQ(shard.count(1), 0);
}

TEST(Delete, ARecreatedItemStartsAtZero) {
    const EntityId creator = creator_where(true);
    OneShard shard;
    shard.upsert(1, creator);
    record::SignalBody view = like(1);
    view.signal = kView;
    view.user = EntityId("someone");
    shard.apply(view);
    shard.apply(like(1));
    shard.erase(1);
    EXPECT_TRUE(shard.upsert(1).created);
    EXPECT_EQ(shard.count(1), 0);
    EXPECT_EQ(shard.count(1, kView), 0);
    const Slot slot = *shard.state().entities(EntityKind::kItem).find(EntityId(1));
    EXPECT_EQ(must(shard.state().uniques(EntityKind::kItem).estimate(slot, kView, kStartMs)), 0);
    EXPECT_EQ(shard.count(creator), 1) << "what its creator was given stays";
    shard.apply(like(1));
    EXPECT_EQ(shard.count(1), 1);
    EXPECT_EQ(shard.count(creator), 1) << "the new item has no creator";
}

TEST(Delete, ASignalOfAnOlderGenerationIsRefused) {
    OneShard shard;
    const HybridTime first = shard.upsert(1).version;
    shard.erase(1);
    const HybridTime second = shard.upsert(1).version;
    record::Record late = shard.stamper.stamp(like(1));
    late.envelope.generation = first;
    const Outcome refused = shard.apply(late);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.refused->reason(), "stale_generation");
    EXPECT_EQ(shard.count(1), 0);
    record::Record current = shard.stamper.stamp(like(1));
    current.envelope.generation = second;
    EXPECT_TRUE(shard.apply(current).ok());
    EXPECT_EQ(shard.count(1), 1);
}

TEST(Delete, HoldsOverRestarts) {
    OneShard shard;
    const HybridTime first = shard.upsert(1).version;
    shard.apply(like(1));
    shard.checkpoint();
    shard.erase(1);
    shard.restart();
    EXPECT_FALSE(shard.apply(like(1)).ok());
    shard.checkpoint();
    shard.restart();
    EXPECT_FALSE(shard.apply(like(1)).ok());
    shard.upsert(1);
    EXPECT_EQ(shard.count(1), 0);
    record::Record late = shard.stamper.stamp(like(1));
    late.envelope.generation = first;
    EXPECT_FALSE(shard.apply(late).ok());
}

TEST(Delete, OfWhatIsNotThereIsRefused) {
    OneShard shard;
    const Outcome outcome = shard.erase(9);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.refused->reason(), "unknown_item");
}

TEST(Apply, NothingBeforeTheConfiguration) {
    StateLives lives;
    Stamper stamper;
    const record::Record records[] = {stamper.stamp(like(1)), stamper.stamp(test_config()),
                                      stamper.stamp(like(1))};
    for (const Outcome& outcome : lives.apply(records)) {
        if (outcome.index == LogIndex(2)) continue;
        EXPECT_FALSE(outcome.ok());
    }
    EXPECT_FALSE(lives.state().configured()) << "without a schema";
}

TEST(Apply, RecordsOfAnotherEpochOrALaterSchemaAreRefused) {
    OneShard shard;
    shard.upsert(1);
    record::Record epoch = shard.stamper.stamp(like(1));
    epoch.envelope.epoch = Epoch(2);
    EXPECT_EQ(shard.apply(epoch).refused->reason(), "stale_epoch");
    record::Record ahead = shard.stamper.stamp(like(1));
    ahead.envelope.schema_version = SchemaVersion(2);
    EXPECT_EQ(shard.apply(ahead).refused->reason(), "schema_ahead");
    record::SignalBody unknown = like(1);
    unknown.signal = SignalTypeId(9);
    EXPECT_EQ(shard.apply(unknown).refused->code(), ErrorCode::kUnknownName);
    EXPECT_EQ(shard.count(1), 0);
}

TEST(Apply, AnAdditionToTheSchemaCountsFromThenOn) {
    OneShard shard;
    shard.upsert(1);
    schema::Schema next = test_schema();
    schema::SignalSpec added = next.signals[1];
    added.id = SignalTypeId(2);
    added.name = "share";
    next.signals.push_back(added);
    next.version = SchemaVersion(2);
    shard.apply(record::SchemaBody{schema::encode_schema(next)});
    record::SignalBody share = like(1);
    share.signal = SignalTypeId(2);
    EXPECT_TRUE(shard.apply(share).ok());
    EXPECT_EQ(shard.count(1, SignalTypeId(2)), 1);
    shard.apply(record::SchemaBody{schema::encode_schema(test_schema())});
    EXPECT_EQ(shard.state().schema()->version, SchemaVersion(2)) << "an older one is a repeat";
    shard.checkpoint();
    shard.restart();
    EXPECT_EQ(shard.state().schema()->signals.size(), 3u);
    EXPECT_EQ(shard.count(1, SignalTypeId(2)), 1);
}

TEST(Apply, ImportPositionsSurviveARestart) {
    OneShard shard;
    EXPECT_EQ(must(shard.state().import_position("one")), 0u);
    shard.apply(record::ImportMarkBody{"one", 17});
    shard.checkpoint();
    shard.apply(record::ImportMarkBody{"two", 1ULL << 63});
    shard.restart();
    EXPECT_EQ(must(shard.state().import_position("one")), 17u);
    EXPECT_EQ(must(shard.state().import_position("two")), 1ULL << 63);
}

}  // namespace delete_test
}  // namespace tidal::shard
