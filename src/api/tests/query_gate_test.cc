// Levels, refusals and waiting, by a clock that the test moves.
#include "api/query_gate.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "runtime/sim_runtime.h"
#include "runtime/task.h"

namespace tidal::api {
namespace query_gate_test {

constexpr std::uint64_t kMs = 1'000'000;
constexpr QueryGate::Kind kLong = 1, kShort = 2, kUnknown = 3;

class Gate : public testing::Test {
protected:
    void SetUp() override {
        gate_.learn(kLong, true);
        gate_.learn(kShort, true);
        gate_.learn(kShort, false);
    }
    /// Whoever still waits is let in: a coroutine that does not end is memory lost.
    void TearDown() override {
        EXPECT_TRUE(world_.run_until([&] {
            for (const auto& query : queries_) query->leave();
            return std::ranges::all_of(queries_,
                                       [](const auto& query) { return !!query->entered; });
        }));
    }
    void pass_time(std::uint64_t ms) { world_.advance(ms * kMs); }
    struct Query {
        std::optional<Result<void>> entered;
        QueryGate::Pass pass;
        void leave() { pass = QueryGate::Pass(); }
    };
    runtime::Task<void> run(Query* query, std::uint8_t urgency) {
        auto entry = gate_.enter(urgency);
        auto pass = co_await entry;
        query->entered.emplace(pass.ok() ? Result<void>() : Result<void>(pass.error()));
        if (pass.ok()) query->pass = std::move(*pass);
    }
    Query& enter(std::uint8_t urgency = kUrgencyDefault) {
        queries_.push_back(std::make_unique<Query>());
        runtime::spawn(run(queries_.back().get(), urgency));
        return *queries_.back();
    }
    std::uint64_t admitted(std::uint64_t delay_ms, std::uint8_t urgency = kUrgencyDefault,
                           QueryGate::Kind kind = kLong) {
        const auto level = gate_.admit(urgency, delay_ms * kMs, kind);
        if (level.ok()) return *level;
        EXPECT_EQ(level.error().code(), ErrorCode::kUnavailable);
        EXPECT_EQ(level.error().reason(), "overloaded");
        return QueryGate::kRefusing;
    }

    runtime::SimWorld world_{runtime::SimWorldOptions{.seed = 1, .work_ns = 1'000}};
    runtime::SimDisk disk_;
    std::unique_ptr<runtime::SimRuntime> node_ = world_.create_node("node", disk_);
    std::unique_ptr<runtime::Executor> executor_ = node_->executors().create_executor("shard");
    LoadLimits limits_{
        .level_1_ms = 20, .level_2_ms = 50, .shed_ms = 200, .running_max = 2, .waiting_max = 3};
    QueryGate gate_{limits_, *executor_, node_->clock()};
    std::vector<std::unique_ptr<Query>> queries_;
};

TEST_F(Gate, LevelsRiseAtOnceAndFallOneByOneWhenItIsCalm) {
    EXPECT_EQ(admitted(19), 0u);
    EXPECT_EQ(admitted(20), 1u);
    EXPECT_EQ(admitted(60), 2u);
    pass_time(400);
    EXPECT_EQ(admitted(0), 2u) << "not calm for long enough";
    pass_time(200);
    EXPECT_EQ(admitted(30), 2u) << "half of what level 2 begins at: not calm";
    pass_time(400);
    EXPECT_EQ(admitted(10), 2u);
    pass_time(200);
    EXPECT_EQ(admitted(10), 1u);
    pass_time(300);
    EXPECT_EQ(admitted(5), 1u);
    pass_time(200);
    EXPECT_EQ(admitted(5), 0u);
    EXPECT_EQ(gate_.stats().admitted, (std::array<std::uint64_t, 3>{2, 3, 4}));
    admitted(300);
    pass_time(5'000);
    EXPECT_EQ(admitted(0), 0u) << "nobody came for long";
}

TEST_F(Gate, TheLessUrgentAreRefusedFirst) {
    EXPECT_EQ(admitted(99, 7), 2u);
    EXPECT_EQ(admitted(100, 5), QueryGate::kRefusing);
    EXPECT_EQ(admitted(199, 4), 2u);
    EXPECT_EQ(admitted(200, 2), QueryGate::kRefusing);
    EXPECT_EQ(admitted(399, 1), 2u);
    EXPECT_EQ(admitted(400, 0), QueryGate::kRefusing);
    EXPECT_EQ(gate_.stats().refused, 3u);
    EXPECT_EQ(gate_.stats().level, QueryGate::kRefusing);
}

TEST_F(Gate, SoManyRunAndTheOthersWaitInTheirOrder) {
    Query &a = enter(), &b = enter(), &c = enter(), &d = enter();
    EXPECT_TRUE(a.entered && b.entered && !c.entered && !d.entered);
    pass_time(15);
    EXPECT_EQ(admitted(0), 0u) << "one has waited for 15 ms";
    b.leave();
    pass_time(1);
    EXPECT_TRUE(c.entered && c.entered->ok() && !d.entered);
    a.leave();
    pass_time(1);
    EXPECT_TRUE(d.entered && d.entered->ok());
    EXPECT_EQ(gate_.stats().running, 2u);
    EXPECT_EQ(gate_.stats().waiting, 0u);
}

TEST_F(Gate, TheNewestEnterFirstWhereMoreComeThanRun) {
    Query &a = enter(), &b = enter();
    Query& oldest = enter();
    pass_time(10);
    Query& urgent = enter(1);
    pass_time(15);
    EXPECT_EQ(admitted(0), 1u) << "one has waited for 25 ms";
    Query& newest = enter();
    a.leave();
    pass_time(1);
    EXPECT_TRUE(urgent.entered && urgent.entered->ok() && !newest.entered && !oldest.entered);
    b.leave();
    pass_time(1);
    EXPECT_TRUE(newest.entered && newest.entered->ok() && !oldest.entered);
    urgent.leave();
    pass_time(1);
    EXPECT_TRUE(oldest.entered && oldest.entered->ok());
}

TEST_F(Gate, TheLastOfAStandingQueueEnters) {
    Query& a = enter();
    enter();
    Query &first = enter(), *last = nullptr;
    pass_time(180);
    last = &enter();
    pass_time(50);
    a.leave();
    pass_time(1);
    EXPECT_TRUE(first.entered && !first.entered->ok());
    EXPECT_TRUE(last->entered && last->entered->ok()) << "50 ms are much, but nobody else waits";
}

TEST_F(Gate, WhoWaitedTooLongIsRefusedAndTheNextEnters) {
    Query &a = enter(), &b = enter();
    Query& late = enter();
    pass_time(150);
    Query& urgent = enter(0);
    pass_time(150);
    EXPECT_EQ(admitted(0), QueryGate::kRefusing);
    a.leave();
    pass_time(1);
    ASSERT_TRUE(late.entered && urgent.entered);
    EXPECT_EQ(late.entered->error().code(), ErrorCode::kUnavailable);
    EXPECT_TRUE(urgent.entered->ok());
    b.leave();
}

TEST_F(Gate, AQueueThatStandsIsNoBurst) {
    Query& a = enter();
    enter();
    Query& first = enter();
    pass_time(190);
    EXPECT_EQ(admitted(0), 2u) << "a burst: nobody is refused yet";
    Query& second = enter();
    Query& urgent = enter(1);
    pass_time(30);
    EXPECT_EQ(admitted(0), QueryGate::kRefusing) << "somebody has waited for 220 ms";
    a.leave();
    pass_time(1);
    EXPECT_TRUE(first.entered && !first.entered->ok()) << "waited for more than shed_ms";
    EXPECT_TRUE(second.entered && !second.entered->ok()) << "31 ms are enough in such a queue";
    EXPECT_TRUE(urgent.entered && urgent.entered->ok());
    Query& third = enter();
    pass_time(150);
    urgent.leave();
    pass_time(1);
    EXPECT_TRUE(third.entered && third.entered->ok()) << "the last of a queue";
    third.leave();
    Query &fourth = enter(), &fifth = enter();
    pass_time(150);
    fourth.leave();
    pass_time(1);
    EXPECT_TRUE(fifth.entered && fifth.entered->ok()) << "somebody left room: a burst again";
}

/// Two run and two wait, and the queue stands.
TEST_F(Gate, AQueueThatStandsIsNotMadeLonger) {
    Query& a = enter();
    Query& b = enter();
    enter();
    pass_time(215);
    enter();
    pass_time(10);
    EXPECT_EQ(admitted(0, 7, kShort), 2u) << "what needs one step is in nobody's way";
    EXPECT_EQ(admitted(0, 7, kUnknown), 2u);
    a.leave();
    pass_time(1);
    Query &c = enter(), &d = enter();
    EXPECT_FALSE(c.entered || d.entered);
    EXPECT_EQ(admitted(0), QueryGate::kRefusing) << "before its first step";
    EXPECT_EQ(admitted(0, 1), 2u) << "an urgent one";
    Query& e = enter();
    ASSERT_TRUE(e.entered) << "refused after it, where nobody knew its kind";
    EXPECT_EQ(e.entered->error().reason(), "overloaded");
    EXPECT_FALSE(enter(1).entered);
    b.leave();
    pass_time(1);
    EXPECT_EQ(gate_.stats().running, 2u);
}

TEST_F(Gate, AFewThatWaitShortlyAreNoQueue) {
    std::vector<Query*> running = {&enter(), &enter()}, waiting = {&enter(), &enter()};
    for (int i = 0; i < 100; ++i) {
        pass_time(9);
        EXPECT_EQ(admitted(0), 0u) << "never empty, but nobody waits for 20 ms";
        running[0]->leave();
        pass_time(1);
        ASSERT_TRUE(waiting[0]->entered && waiting[0]->entered->ok());
        running = {running[1], waiting[0]};
        waiting = {waiting[1], &enter()};
    }
    EXPECT_EQ(gate_.stats().refused, 0u);
}

TEST_F(Gate, TheQueueIsBoundedAndStopEndsIt) {
    Query &a = enter(), &b = enter();
    for (int i = 0; i < 3; ++i) enter();
    EXPECT_EQ(admitted(0), QueryGate::kRefusing);
    executor_->stop();
    gate_.stop();
    for (const auto& query : queries_) ASSERT_TRUE(query->entered);
    EXPECT_EQ(queries_.back()->entered->error().code(), ErrorCode::kUnavailable);
    EXPECT_TRUE(enter().entered);
    a.leave();
    b.leave();
}

TEST(LoadLimits, AreChecked) {
    EXPECT_TRUE(check_limits({}).ok());
    EXPECT_EQ(check_limits({.level_1_ms = 0}).error().field(), "degrade_1_ms");
    EXPECT_EQ(check_limits({.level_1_ms = 60, .level_2_ms = 50}).error().field(), "degrade_2_ms");
    EXPECT_EQ(check_limits({.shed_ms = 49}).error().field(), "shed_ms");
    EXPECT_EQ(with_default_running({}, 3).running_max, 6u);
    EXPECT_EQ(with_default_running({.running_max = 1}, 3).running_max, 1u);
}

}  // namespace query_gate_test
}  // namespace tidal::api
