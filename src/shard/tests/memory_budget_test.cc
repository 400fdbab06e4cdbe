// A budget of memory of the process by itself: what it asks how often, and which records it is for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>

#include "runtime/sim_runtime.h"
#include "shard/memory_budget.h"

namespace tidal::shard {
namespace memory_budget_test {

constexpr std::uint64_t kMax = 1000;

class Budget : public testing::Test {
protected:
    Budget()
        : world(1),
          node(world.create_node("n", disk)),
          background(node->executors().create_executor("background")) {
        auto opened = MemoryBudget::open({.bytes_max = kMax, .logger = {}}, *node, *background);
        EXPECT_TRUE(opened.ok());
        budget = std::move(*opened);
    }
    ~Budget() override { background->stop(); }
    bool admits() { return budget->admit().ok(); }

    runtime::SimDisk disk;
    runtime::SimWorld world;
    std::unique_ptr<runtime::SimRuntime> node;
    std::unique_ptr<runtime::Executor> background;
    std::unique_ptr<MemoryBudget> budget;
};

TEST_F(Budget, AllOfItMayBeHeldAndNoByteMore) {
    node->set_held_bytes(kMax);
    EXPECT_TRUE(admits());
    node->set_held_bytes(kMax + 1);
    world.advance(MemoryBudget::kLookNs);
    const auto refused = budget->admit();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kOverloaded);
    EXPECT_EQ(refused.error().reason(), "memory_full");
    EXPECT_THAT(refused.error().context(),
                testing::Contains(std::pair<std::string, std::string>("held_bytes", "1001")));
    EXPECT_THAT(refused.error().hint(), testing::HasSubstr("--memory-mib"));
}

TEST_F(Budget, LooksOnlyWhenTheLastLookIsOld) {
    EXPECT_TRUE(admits());
    node->set_held_bytes(2 * kMax);
    world.advance(MemoryBudget::kLookNs - 1);
    EXPECT_TRUE(admits());
    world.advance(1);
    EXPECT_FALSE(admits());
    node->set_held_bytes(0);
    EXPECT_FALSE(admits());
    world.advance(MemoryBudget::kLookNs);
    EXPECT_TRUE(admits());
}

TEST_F(Budget, AsksForWhatIsFreeOnceASecond) {
    node->set_held_bytes(5 * kMax, kMax);
    EXPECT_FALSE(admits());
    world.run_until_idle();
    EXPECT_EQ(*node->memory().held_bytes(), 4 * kMax);
    node->set_held_bytes(5 * kMax, kMax);
    world.advance(MemoryBudget::kGiveBackNs - 1);
    EXPECT_FALSE(admits());
    world.run_until_idle();
    EXPECT_EQ(*node->memory().held_bytes(), 5 * kMax);
    world.advance(MemoryBudget::kLookNs);
    EXPECT_FALSE(admits());
    world.run_until_idle();
    EXPECT_EQ(*node->memory().held_bytes(), 4 * kMax);
}

TEST_F(Budget, WithRoomNothingIsAskedOfTheAllocator) {
    node->set_held_bytes(kMax, kMax / 2);
    EXPECT_TRUE(admits());
    world.run_until_idle();
    EXPECT_EQ(*node->memory().held_bytes(), kMax);
}

/// A world in which reading what is held does something.
class Watched final : public runtime::Runtime, public runtime::Memory {
public:
    explicit Watched(runtime::Runtime& world) : world_(world) {}
    runtime::Clock& clock() override { return world_.clock(); }
    runtime::Random& random() override { return world_.random(); }
    runtime::Disk& disk() override { return world_.disk(); }
    runtime::ExecutorFactory& executors() override { return world_.executors(); }
    runtime::Network& network() override { return world_.network(); }
    runtime::Memory& memory() override { return *this; }
    void fatal(const Error& error) override { world_.fatal(error); }
    void give_back() override {}
    Result<std::uint64_t> held_bytes() override {
        if (on_look) on_look();
        return 2 * kMax;
    }
    std::function<void()> on_look;

private:
    runtime::Runtime& world_;
};

TEST_F(Budget, NobodyLooksWhileAnotherDoes) {
    Watched watched(*node);
    auto opened = MemoryBudget::open({.bytes_max = kMax, .logger = {}}, watched, *background);
    ASSERT_TRUE(opened.ok());
    int looks = 0;
    watched.on_look = [&] {
        if (++looks > 1) return;
        world.advance(2 * MemoryBudget::kLookNs);  // It takes long.
        EXPECT_TRUE((*opened)->admit().ok());      // As was seen before.
    };
    EXPECT_FALSE((*opened)->admit().ok());
    EXPECT_EQ(looks, 1);
    EXPECT_FALSE((*opened)->admit().ok());
    EXPECT_EQ(looks, 2);
}

/// A log of an application may write, and wait for it.
TEST_F(Budget, WhoIsToldMayAsk) {
    bool answered = false;
    std::future<bool> other;
    const auto logger = Logger::to_callback(LogLevel::kError, [&](LogLevel, std::string_view) {
        other = std::async(std::launch::async, [&] { return budget->admit().ok(); });
        answered = other.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
    });
    budget =
        std::move(*MemoryBudget::open({.bytes_max = kMax, .logger = logger}, *node, *background));
    node->set_held_bytes(2 * kMax);
    EXPECT_FALSE(admits());
    EXPECT_TRUE(answered);
}

TEST(Grows, WhatAddsAndHasNoBudgetOfItsOwn) {
    const auto relation = [](record::RelationshipKind kind, bool ends) {
        return record::RelationshipBody{
            .kind = kind, .ends = ends, .user = EntityId(1), .target = EntityId(2)};
    };
    using Kind = record::RelationshipKind;
    EXPECT_TRUE(grows(record::UpsertBody{}));
    EXPECT_TRUE(grows(record::EmbeddingBody{}));
    EXPECT_TRUE(grows(record::SavedSearchBody{.user = EntityId(1), .name = "a", .text = "b"}));
    EXPECT_TRUE(grows(record::SessionBody{}));
    for (const Kind kind : {Kind::kFollows, Kind::kFriends}) {
        EXPECT_TRUE(grows(relation(kind, false)));
        EXPECT_FALSE(grows(relation(kind, true)));
    }
    for (const Kind kind : {Kind::kHides, Kind::kSaves, Kind::kBlocks, Kind::kMutes})
        EXPECT_FALSE(grows(relation(kind, false)));
    EXPECT_FALSE(grows(record::SavedSearchBody{.user = EntityId(1), .name = "a", .looked = true}));
    EXPECT_FALSE(grows(record::SessionBody{.act = record::SessionAct::kShow}));
    EXPECT_FALSE(grows(record::SessionBody{.act = record::SessionAct::kClose}));
    EXPECT_FALSE(grows(record::SignalBody{}));
    EXPECT_FALSE(grows(record::CollectionMemberBody{}));
    EXPECT_FALSE(grows(record::DeliveryBody{}));
    EXPECT_FALSE(grows(record::DeleteBody{}));
    EXPECT_FALSE(grows(record::EraseUserBody{}));
}

}  // namespace memory_budget_test
}  // namespace tidal::shard
