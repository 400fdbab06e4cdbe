// Undo takes back what the signal under a key did, once.
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace undo_test {

record::UndoBody undo(std::uint64_t item, std::string key) {
    return {EntityId(item), std::move(key)};
}

TEST(Undo, RestoresCountsWeightsAndDecayOfItemAndCreator) {
    const EntityId creator = creator_where(true);
    OneShard shard;
    shard.upsert(1, creator);
    shard.apply(like(1, 24));
    shard.stamper.advance(60'000);
    const auto item_before = shard.total(EntityKind::kItem, EntityId(1), kLike);
    shard.apply(like(1, 40), "key");
    EXPECT_EQ(shard.count(1), 2);
    EXPECT_EQ(shard.count(creator), 2);
    shard.stamper.advance(3 * 3600 * 1000);

    const Outcome undone = shard.apply(undo(1, "key"));
    ASSERT_TRUE(undone.ok());
    const auto item = shard.total(EntityKind::kItem, EntityId(1), kLike);
    EXPECT_EQ(item.count, item_before.count);
    EXPECT_EQ(item.sum, item_before.sum);
    const auto of_creator = shard.total(EntityKind::kCreator, creator, kLike);
    EXPECT_EQ(of_creator.count, 1);
    EXPECT_EQ(of_creator.sum, item_before.sum);
    const Slot slot = *shard.state().entities(EntityKind::kItem).find(EntityId(1));
    const auto reading = must(shard.state()
                                  .ledgers(EntityKind::kItem)
                                  .begin()
                                  ->second->read(slot, kLike, kStartMs + 60'000));
    EXPECT_NEAR(reading.decayed, 1.5, 1e-3);
}

TEST(Undo, ASecondUndoRepeatsTheFirst) {
    OneShard shard;
    shard.upsert(1);
    shard.apply(like(1), "key");
    const Outcome first = shard.apply(undo(1, "key"));
    const Outcome second = shard.apply(undo(1, "key"));
    EXPECT_FALSE(first.repeated);
    EXPECT_TRUE(second.repeated);
    EXPECT_EQ(second.index, first.index);
    EXPECT_EQ(shard.count(1), 0);
    shard.checkpoint();
    shard.restart();
    EXPECT_TRUE(shard.apply(undo(1, "key"), "another key").repeated) << "after a restart as well";
    EXPECT_EQ(shard.count(1), 0);
}

TEST(Undo, TheSignalsKeyStillAnswersAfterIt) {
    OneShard shard;
    shard.upsert(1);
    const Outcome signal = shard.apply(like(1), "key");
    shard.apply(undo(1, "key"));
    const Outcome again = shard.apply(like(1), "key");
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.index, signal.index);
    EXPECT_EQ(shard.count(1), 0);
}

TEST(Undo, RefusesWhatItCannotTakeBack) {
    OneShard shard;
    shard.upsert(1);
    shard.upsert(2);
    shard.apply(like(1), "key");
    record::UpsertBody upsert;
    upsert.id = EntityId(1);
    shard.apply(upsert, "upsert");
    for (const Outcome& outcome : {shard.apply(undo(1, "nobody's key")),
                                   shard.apply(undo(2, "key")), shard.apply(undo(1, "upsert"))}) {
        ASSERT_FALSE(outcome.ok());
        EXPECT_EQ(outcome.refused->reason(), "unknown_undo_key");
    }
    EXPECT_EQ(shard.count(1), 1);
    EXPECT_EQ(shard.count(2), 0);
}

TEST(Undo, OfAnotherPrincipalIsRefused) {
    OneShard shard;
    shard.upsert(1);
    shard.apply(like(1), "key");
    record::Record mallory = shard.stamper.stamp(undo(1, "key"));
    mallory.envelope.principal = "mallory";
    EXPECT_FALSE(shard.apply(mallory).ok());
    EXPECT_EQ(shard.count(1), 1);
}

TEST(Undo, AfterTheKeyExpiredIsRefused) {
    OneShard shard;
    shard.upsert(1);
    shard.apply(like(1), "key");
    shard.stamper.advance(25 * 3600 * 1000);
    shard.apply(record::TickBody{});
    EXPECT_FALSE(shard.apply(undo(1, "key")).ok());
    EXPECT_EQ(shard.count(1), 1);
}

TEST(Undo, DoesNotReachAnItemMadeAnew) {
    const EntityId creator = creator_where(true);
    OneShard shard;
    shard.upsert(1, creator);
    shard.apply(like(1), "key");
    shard.erase(1);
    shard.upsert(1, creator);
    shard.apply(like(1));
    EXPECT_TRUE(shard.apply(undo(1, "key")).ok());
    EXPECT_EQ(shard.count(1), 1) << "the signal counted for the item before";
    EXPECT_EQ(shard.count(creator), 1) << "two signals, one taken back";
}

TEST(Undo, SendsARowToTheCreatorThatHadTheSignal) {
    const EntityId first = creator_where(false, 0);
    OneShard shard;
    shard.upsert(1, first);
    const Outcome signal = shard.apply(like(1, 40), "key");
    shard.upsert(1, creator_where(false, 1));
    const Outcome undone = shard.apply(undo(1, "key"));
    ASSERT_EQ(undone.relayed.size(), 1u);
    EXPECT_EQ(undone.relayed[0].target, signal.relayed[0].target);
    const auto& rows = shard.state().outbox().streams().at(undone.relayed[0].target);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[1].target, first);
    EXPECT_EQ(rows[1].count, -1);
    EXPECT_EQ(rows[1].weight, -rows[0].weight);
    EXPECT_EQ(rows[1].event_time_ms, rows[0].event_time_ms);
}

}  // namespace undo_test
}  // namespace tidal::shard
