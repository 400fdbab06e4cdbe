// Distinct users against sets of (user, time); the error of the sketches; the budget.
#include "signal/unique_table.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include "base/hash.h"
#include "brute_force.h"
#include "fake_store.h"
#include "history.h"
#include "signal/hyperloglog.h"

namespace tidal::signal {
namespace unique_table_test {

constexpr SignalTypeId kView{0};

schema::Schema schema_with(schema::Window window) {
    schema::Schema schema;
    schema.signals.resize(2);
    schema.signals[0].unique = schema::UniqueSpec{window};
    schema.signals[1].id = SignalTypeId(1);
    return schema;
}

std::unique_ptr<UniqueTable> open_table(storage::ShardStore& store, const schema::Schema& schema,
                                        std::uint64_t bytes_max = 1ULL << 30) {
    auto table = UniqueTable::open({.bytes_max = bytes_max}, store, schema);
    EXPECT_TRUE(table.ok()) << table.error().to_string();
    return std::move(table).value();
}

std::uint64_t user_hash(std::uint64_t user) {
    return hash64({reinterpret_cast<const char*>(&user), sizeof(user)});
}

constexpr std::pair<schema::Window, std::int64_t> kUniqueWindows[] = {
    {schema::Window::k1h, kHour},
    {schema::Window::k24h, kDay},
    {schema::Window::k7d, kWeek},
    {schema::Window::k30d, 30 * kDay},
    {schema::Window::k365d, kYear}};

/// Few users over any times: always a list.
void check_exact(std::uint64_t seed) {
    Dice dice(seed);
    const auto [window, window_ms] = kUniqueWindows[dice.pick(std::size(kUniqueWindows))];
    const auto schema = schema_with(window);
    auto store = std::make_unique<FakeStore>();
    auto table = open_table(*store, schema);
    std::vector<std::pair<std::uint64_t, UnixMillis>> seen[2];
    UnixMillis clock = dice.one_in(2) ? 1'700'000'000'000 : -5 * kDay;
    const std::uint64_t users = dice.pick(40) + 1;
    for (int i = 0; i < 80; ++i) {
        clock += dice.between(0, dice.one_in(10) ? window_ms : window_ms / 40);
        UnixMillis at = clock + (dice.one_in(8) ? dice.between(0, 60 * kSecond) : 0);
        if (dice.one_in(5)) at -= dice.between(0, window_ms);
        const auto slot = static_cast<std::uint32_t>(dice.pick(2));
        const std::uint64_t user = dice.pick(users);
        ASSERT_TRUE(table->add(Slot(slot), kView, user_hash(user), at).ok());
        seen[slot].emplace_back(user, at);
        if (dice.one_in(80)) {
            table->prepare_checkpoint();
            FakeImage image = store->checkpoint();
            table.reset();
            store = std::make_unique<FakeStore>(std::move(image));
            table = open_table(*store, schema);
        }
        if (!dice.one_in(6)) continue;
        const UnixMillis now =
            std::max(clock, at - 60 * kSecond) + dice.between(0, window_ms / 2) * dice.one_in(2);
        clock = now;
        for (std::uint32_t s = 0; s < 2; ++s)
            ASSERT_EQ(*table->estimate(Slot(s), kView, now),
                      static_cast<double>(brute_unique(seen[s], window_ms, now)))
                << "seed " << seed;
    }
}

RC_GTEST_PROP(UniqueTable, ExactForFewUsers, ()) {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    for (std::uint64_t i = 0; i < 100; ++i) {
        check_exact(seed + i);
        RC_ASSERT(!testing::Test::HasFailure());
    }
}

TEST(UniqueTable, ExactTo256UsersThenWithinAFewPercent) {
    FakeStore store;
    const auto table = open_table(store, schema_with(schema::Window::k24h));
    const UnixMillis start = 1'700'000'000'000;
    for (std::uint64_t user = 1; user <= 256; ++user) {
        ASSERT_TRUE(table->add(Slot(7), kView, user_hash(user), start).ok());
        ASSERT_EQ(*table->estimate(Slot(7), kView, start), static_cast<double>(user));
    }
    for (std::uint64_t user = 257; user <= 100'000; ++user) {
        ASSERT_TRUE(
            table->add(Slot(7), kView, user_hash(user), start + static_cast<std::int64_t>(user))
                .ok());
        if (user % 9'973 == 0) {
            ASSERT_NEAR(*table->estimate(Slot(7), kView, start + kHour), static_cast<double>(user),
                        0.05 * static_cast<double>(user));
        }
    }
}

TEST(UniqueTable, TypicalErrorOfSketchesIsBelowTwoPercent) {
    for (const std::size_t users : {300u, 1'000u, 5'000u, 12'000u, 40'000u}) {
        double squares = 0;
        constexpr int kTrials = 40;
        for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
            std::vector<std::uint64_t> memory(kDenseBytes / 8 + 1);
            auto* block = reinterpret_cast<std::byte*>(memory.data());
            start_sketch(block);
            std::vector<std::uint64_t> dense(kDenseBytes / 8 + 1);
            copy_sketch(block, reinterpret_cast<std::byte*>(dense.data()), kDenseBytes);
            for (std::uint64_t user = 0; user < users; ++user)
                add_to_sketch(reinterpret_cast<std::byte*>(dense.data()), kDenseBytes,
                              user_hash(trial * 1'000'003 + user));
            Registers registers{};
            merge_sketch(reinterpret_cast<const std::byte*>(dense.data()), &registers);
            const double error = estimate_users(registers) / static_cast<double>(users) - 1;
            squares += error * error;
        }
        EXPECT_LT(std::sqrt(squares / kTrials), 0.02) << users;
    }
}

TEST(UniqueTable, SketchesRollWithTheWindow) {
    FakeStore store;
    const auto table = open_table(store, schema_with(schema::Window::k24h));
    const UnixMillis start = 1'700'000'000'000 / (3 * kHour) * (3 * kHour);
    std::uint64_t user = 0;
    for (int slice = 0; slice < 20; ++slice)
        for (int i = 0; i < 1'000; ++i)
            ASSERT_TRUE(
                table->add(Slot(0), kView, user_hash(++user), start + slice * 3 * kHour + i).ok());
    const UnixMillis now = start + 19 * 3 * kHour + 5'000;
    EXPECT_NEAR(*table->estimate(Slot(0), kView, now), 9'000, 400);
    EXPECT_NEAR(*table->estimate(Slot(0), kView, now + 4 * 3 * kHour), 5'000, 250);
    EXPECT_EQ(*table->estimate(Slot(0), kView, now + 10 * 3 * kHour), 0);
    // After a long silence the pair starts as an exact list again.
    ASSERT_TRUE(table->add(Slot(0), kView, user_hash(1), now + 10 * kDay).ok());
    EXPECT_EQ(*table->estimate(Slot(0), kView, now + 10 * kDay), 1);
}

TEST(UniqueTable, LateUsersGoToTheirSlice) {
    FakeStore store;
    const auto table = open_table(store, schema_with(schema::Window::k1h));
    const UnixMillis now = 1'700'000'000'000;
    for (std::uint64_t user = 0; user < 2'000; ++user)
        ASSERT_TRUE(table->add(Slot(0), kView, user_hash(user), now).ok());
    for (std::uint64_t user = 2'000; user < 4'000; ++user)
        ASSERT_TRUE(table->add(Slot(0), kView, user_hash(user), now - 40 * kMinute).ok());
    EXPECT_NEAR(*table->estimate(Slot(0), kView, now), 4'000, 160);
    EXPECT_NEAR(*table->estimate(Slot(0), kView, now + 40 * kMinute), 2'000, 100);
}

TEST(UniqueTable, SignalsWithoutUniqueKeepNothing) {
    FakeStore store;
    const auto table = open_table(store, schema_with(schema::Window::k24h));
    ASSERT_TRUE(table->add(Slot(0), SignalTypeId(1), 5, 0).ok());
    EXPECT_EQ(*table->estimate(Slot(0), SignalTypeId(1), 0), 0);
    EXPECT_EQ(table->stats().bytes_kept, 0u);
    EXPECT_EQ(*table->content_hash(Slot(0)), 0u);
}

TEST(UniqueTable, DropForgets) {
    FakeStore store;
    const auto table = open_table(store, schema_with(schema::Window::k24h));
    for (std::uint64_t user = 0; user < 500; ++user)
        ASSERT_TRUE(table->add(Slot(user % 2 == 0 ? 3 : 4), kView, user_hash(user / 2), 0).ok());
    for (std::uint64_t user = 0; user < 500; ++user)
        ASSERT_TRUE(table->add(Slot(3), kView, user_hash(user), 0).ok());
    EXPECT_NE(*table->content_hash(Slot(3)), 0u);
    table->drop(Slot(3));
    EXPECT_EQ(*table->estimate(Slot(3), kView, 0), 0);
    EXPECT_EQ(*table->content_hash(Slot(3)), 0u);
    EXPECT_EQ(*table->estimate(Slot(4), kView, 0), 250);
    table->drop(Slot(4));
    EXPECT_EQ(table->stats().bytes_kept, 0u);
}

/// The budget binds; what it refuses is the same after restarts, and old users make room.
TEST(UniqueTable, BudgetRefusesTheSameHoweverOftenReopened) {
    const auto schema = schema_with(schema::Window::k1h);
    constexpr std::uint64_t kBudget = 100'000;
    std::vector<std::uint64_t> hashes[2];
    std::uint64_t refused[2] = {};
    for (const bool restarts : {false, true}) {
        Dice dice(99);
        auto store = std::make_unique<FakeStore>();
        auto table = open_table(*store, schema, kBudget);
        for (int i = 0; i < 30'000; ++i) {
            const Slot slot(
                static_cast<std::uint32_t>(dice.one_in(2) ? dice.pick(5) : dice.pick(5'000)));
            const UnixMillis at = i * 500 - static_cast<std::int64_t>(dice.pick(kHour / 2));
            ASSERT_TRUE(table->add(slot, kView, user_hash(dice.pick(3'000)), at).ok());
            ASSERT_LE(table->stats().bytes_kept, kBudget);
            if (restarts && i % 1'777 == 0) {
                table->prepare_checkpoint();
                FakeImage image = store->checkpoint();
                table.reset();
                store = std::make_unique<FakeStore>(std::move(image));
                table = open_table(*store, schema, kBudget);
            }
        }
        refused[restarts] = table->stats().refused;
        for (std::uint32_t slot = 0; slot < 5'000; ++slot)
            hashes[restarts].push_back(*table->content_hash(Slot(slot)));
        // Three hours later nothing of it counts, and adds free it bit by bit.
        for (int i = 0; i < 20'000; ++i)
            ASSERT_TRUE(table->add(Slot(9), kView, user_hash(1), 8 * kHour).ok());
        EXPECT_LT(table->stats().bytes_kept, 1'000u);
    }
    EXPECT_GT(refused[0], 100u);
    EXPECT_EQ(refused[0], refused[1]);
    EXPECT_EQ(hashes[0], hashes[1]);
}

}  // namespace unique_table_test
}  // namespace tidal::signal
