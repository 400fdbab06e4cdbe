// Rows between shards take effect exactly once, whatever happens to their deliveries.
#include <algorithm>

#include "runtime/seeded_random.h"
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace relay_test {

constexpr VShard kTarget{3};

record::RelayBody delivery(std::uint64_t first, std::uint64_t last,
                           Incarnation incarnation = Incarnation(1)) {
    record::RelayBody body{kOther, incarnation, kTarget, {}};
    for (std::uint64_t sequence = first; sequence <= last; ++sequence) {
        record::RelayRow row;
        row.sequence = sequence;
        row.target = creator_where(true);
        row.signal = kLike;
        row.weight = static_cast<record::FixedWeight>(sequence) * record::kWeightOne;
        row.event_time_ms = kStartMs;
        body.rows.push_back(row);
    }
    return body;
}

std::int64_t sum(OneShard& shard) {
    return shard.total(EntityKind::kCreator, creator_where(true), kLike).sum / record::kWeightOne;
}

TEST(Relay, TakesEachRowOnceAndInOrder) {
    OneShard shard;
    EXPECT_EQ(shard.apply(delivery(1, 3)).mark, 3u);
    EXPECT_EQ(shard.apply(delivery(1, 3)).mark, 3u) << "a repeat";
    EXPECT_EQ(sum(shard), 1 + 2 + 3);
    EXPECT_EQ(shard.apply(delivery(2, 5)).mark, 5u) << "an overlap";
    EXPECT_EQ(sum(shard), 15);
    EXPECT_EQ(shard.apply(delivery(7, 9)).mark, 5u) << "a gap";
    EXPECT_EQ(sum(shard), 15);
    EXPECT_EQ(shard.apply(delivery(6, 9)).mark, 9u);
    EXPECT_EQ(sum(shard), 45);
}

TEST(Relay, AGapInsideADeliveryEndsIt) {
    OneShard shard;
    record::RelayBody body = delivery(1, 4);
    body.rows.erase(body.rows.begin() + 2);
    EXPECT_EQ(shard.apply(body).mark, 2u);
    EXPECT_EQ(sum(shard), 3);
}

TEST(Relay, StreamsAreTheirOwn) {
    OneShard shard;
    shard.apply(delivery(1, 2));
    EXPECT_EQ(shard.apply(delivery(1, 1, Incarnation(2))).mark, 1u);
    record::RelayBody body = delivery(1, 1);
    body.source = ShardId(3);
    EXPECT_EQ(shard.apply(body).mark, 1u);
    body.source = kOther;
    body.target = VShard(4);
    EXPECT_EQ(shard.apply(body).mark, 1u);
    EXPECT_EQ(sum(shard), 1 + 2 + 1 + 1 + 1);
}

TEST(Relay, RowsOfAVshardElsewhereAreRefused) {
    OneShard shard;
    record::RelayBody body = delivery(1, 1);
    body.target = VShard(kOwnedEnd);
    const Outcome outcome = shard.apply(body);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.refused->reason(), "wrong_shard");
    EXPECT_EQ(sum(shard), 0);
}

TEST(Relay, MarksSurviveARestart) {
    OneShard shard;
    shard.apply(delivery(1, 3));
    shard.checkpoint();
    shard.apply(delivery(4, 4));
    shard.restart();
    EXPECT_EQ(shard.state().marks().get({kOther, Incarnation(1), kTarget}), 4u);
    EXPECT_EQ(shard.apply(delivery(1, 4)).mark, 4u);
    EXPECT_EQ(sum(shard), 10);
}

TEST(Relay, ExactlyOnceUnderDuplicatesReorderingAndRestarts) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        runtime::SeededRandom random(seed);
        OneShard shard;
        constexpr std::uint64_t kRows = 40;
        std::uint64_t mark = 0;
        while (mark < kRows) {
            // Any piece of the stream that the source still keeps, in any order.
            const std::uint64_t first = 1 + random.below(kRows);
            const std::uint64_t last = first + random.below(kRows - first + 1);
            const Outcome outcome = shard.apply(delivery(first, last));
            EXPECT_EQ(outcome.mark, first <= mark + 1 ? std::max(mark, last) : mark);
            mark = outcome.mark;
            if (random.below(8) == 0) shard.checkpoint();
            if (random.below(8) == 0) shard.restart();
        }
        ASSERT_EQ(sum(shard), static_cast<std::int64_t>(kRows * (kRows + 1) / 2))
            << "seed " << seed;
        ASSERT_EQ(shard.count(creator_where(true)), static_cast<std::int64_t>(kRows));
    }
}

TEST(Outbox, KeepsRowsUntilAcknowledgedAlsoOverRestarts) {
    OneShard shard;
    const EntityId creator = creator_where(false);
    shard.upsert(1, creator);
    for (int i = 1; i <= 5; ++i) {
        const Outcome outcome = shard.apply(like(1, i));
        ASSERT_EQ(outcome.relayed.size(), 1u);
        EXPECT_EQ(outcome.relayed[0].sequence, static_cast<std::uint64_t>(i)) << "dense from 1";
    }
    const VShard target = record::vshard_of(kDefaultTenant, EntityKind::kCreator, creator);
    EXPECT_EQ(shard.count(creator), 0) << "counted where its vshard lives";
    shard.checkpoint();
    shard.apply(record::RelayAckBody{kOther, target, 2});
    const std::uint64_t bytes = shard.state().outbox().bytes();
    shard.restart();
    const auto& rows = shard.state().outbox().streams().at(target);
    ASSERT_EQ(rows.size(), 3u);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(rows[i].sequence, i + 3);
        EXPECT_EQ(rows[i].weight, static_cast<std::int64_t>(i + 3) * record::kWeightOne / 16);
        EXPECT_EQ(rows[i].target, creator);
    }
    EXPECT_EQ(shard.state().outbox().bytes(), bytes);
    shard.apply(record::RelayAckBody{kOther, target, 1});
    EXPECT_EQ(shard.state().outbox().rows(), 3u) << "an old acknowledgement";
    shard.apply(record::RelayAckBody{kOther, target, 5});
    EXPECT_EQ(shard.state().outbox().rows(), 0u);
    EXPECT_EQ(shard.state().outbox().bytes(), 0u);
    shard.checkpoint();
    shard.restart();
    EXPECT_EQ(shard.apply(like(1)).relayed[0].sequence, 6u) << "sequences go on";
}

}  // namespace relay_test
}  // namespace tidal::shard
