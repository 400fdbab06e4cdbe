// What an idempotency key promises: the first answer again, for 24 hours, within a quota.
#include "shard/tests/state_fixture.h"

namespace tidal::shard {
namespace idempotency_test {

constexpr UnixMillis kHourMs = 3600 * 1000;

TEST(Idempotency, ARepeatGetsTheFirstAnswerAndCountsNothing) {
    OneShard shard;
    shard.upsert(1, creator_where(false));
    const Outcome first = shard.apply(like(1), "key");
    ASSERT_TRUE(first.ok());
    ASSERT_EQ(first.relayed.size(), 1u);
    const Outcome again = shard.apply(like(1), "key");
    EXPECT_TRUE(again.repeated);
    EXPECT_FALSE(first.repeated);
    EXPECT_EQ(again.index, first.index);
    EXPECT_EQ(again.version, first.version);
    ASSERT_EQ(again.relayed.size(), 1u);
    EXPECT_EQ(again.relayed[0].sequence, first.relayed[0].sequence);
    EXPECT_EQ(shard.count(1), 1);
    EXPECT_EQ(shard.state().outbox().rows(), 1u);
}

TEST(Idempotency, ARepeatedUpsertSaysCreatedAgain) {
    OneShard shard;
    record::UpsertBody body;
    body.id = EntityId(7);
    EXPECT_TRUE(shard.apply(body, "make").created);
    const Outcome again = shard.apply(body, "make");
    EXPECT_TRUE(again.created);
    EXPECT_TRUE(again.repeated);
}

TEST(Idempotency, AnotherBodyUnderTheSameKeyIsRefused) {
    OneShard shard;
    shard.upsert(1);
    shard.apply(like(1, 16), "key");
    const Outcome other = shard.apply(like(1, 32), "key");
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.refused->code(), ErrorCode::kIdempotencyMismatch);
    EXPECT_EQ(shard.count(1), 1);
    EXPECT_TRUE(shard.apply(like(1, 16), "key").repeated) << "the first answer stays";
}

TEST(Idempotency, KeysOfTwoPrincipalsAndTenantsAreTwoKeys) {
    OneShard shard;
    shard.upsert(1);
    shard.apply(like(1), "key");
    record::Record bob = shard.stamper.stamp(like(1), "key");
    bob.envelope.principal = "bob";
    EXPECT_FALSE(shard.apply(bob).repeated);
    record::Record other = shard.stamper.stamp(like(1), "key");
    other.envelope.tenant = TenantId(4);
    EXPECT_FALSE(shard.apply(other).repeated);
    EXPECT_EQ(shard.count(1), 3);
}

TEST(Idempotency, ARefusalIsNotRemembered) {
    OneShard shard;
    EXPECT_FALSE(shard.apply(like(1), "key").ok());
    shard.upsert(1);
    const Outcome mended = shard.apply(like(1), "key");
    EXPECT_TRUE(mended.ok());
    EXPECT_FALSE(mended.repeated);
}

TEST(Idempotency, AKeyLives24HoursAndGoesByATick) {
    OneShard shard;
    shard.upsert(1);
    shard.apply(like(1), "key");
    shard.stamper.advance(24 * kHourMs - 60'000);
    shard.apply(record::TickBody{});
    EXPECT_TRUE(shard.apply(like(1), "key").repeated);
    EXPECT_EQ(shard.state().idempotency().count(), 1u);
    shard.stamper.advance(2 * 60'000);
    EXPECT_TRUE(shard.apply(like(1), "key").repeated) << "time passes by ticks alone";
    shard.apply(record::TickBody{});
    EXPECT_EQ(shard.state().idempotency().count(), 0u);
    EXPECT_EQ(shard.state().idempotency().bytes(), 0u);
    EXPECT_FALSE(shard.state().idempotency().oldest_ms());
    EXPECT_FALSE(shard.apply(like(1), "key").repeated);
    EXPECT_EQ(shard.count(1), 2);
}

TEST(Idempotency, TheQuotaDropsTheOldest) {
    OneShard shard({.shard = kHere, .idempotency_bytes_max = 20'000});
    shard.upsert(1);
    for (int i = 0; i < 1000; ++i) {
        shard.apply(like(1), "key " + std::to_string(i));
        shard.stamper.advance(60'000);
        ASSERT_LE(shard.state().idempotency().bytes(), 20'000u);
    }
    const std::uint64_t kept = shard.state().idempotency().count();
    ASSERT_GT(kept, 20u);
    ASSERT_LT(kept, 1000u);
    const auto known = [&](int i) {
        return must(shard.state().find_answer(
                        IdempotencyTable::row_key(kDefaultTenant, "", "key " + std::to_string(i)),
                        like(1)))
            .has_value();
    };
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(known(i), i >= 1000 - static_cast<int>(kept)) << i;
}

TEST(Idempotency, KeysAndTheirAgesSurviveARestart) {
    OneShard shard;
    shard.upsert(1);
    shard.apply(like(1), "old");
    shard.stamper.advance(20 * kHourMs);
    shard.apply(like(1), "young");
    const std::uint64_t bytes = shard.state().idempotency().bytes();
    shard.checkpoint();
    shard.restart();
    EXPECT_EQ(shard.state().idempotency().bytes(), bytes);
    EXPECT_EQ(shard.state().idempotency().count(), 2u);
    EXPECT_EQ(shard.state().idempotency().oldest_ms(), kStartMs / 60'000 * 60'000);
    EXPECT_TRUE(shard.apply(like(1), "old").repeated);
    shard.stamper.advance(5 * kHourMs);
    shard.apply(record::TickBody{});
    EXPECT_EQ(shard.state().idempotency().count(), 1u);
    EXPECT_FALSE(shard.apply(like(1), "old").repeated);
    EXPECT_TRUE(shard.apply(like(1), "young").repeated);
}

}  // namespace idempotency_test
}  // namespace tidal::shard
