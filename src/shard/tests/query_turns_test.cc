// Who takes the next step, and what comes between steps.
#include "shard/query_turns.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "runtime/sim_runtime.h"
#include "runtime/task.h"
#include "shard/monitor.h"

namespace tidal::shard {
namespace query_turns_test {

class Turns : public testing::Test {
protected:
    /// A query of so many steps; each writes its name.
    runtime::Task<void> query(char name, int steps) {
        for (int i = 0; i < steps; ++i) {
            auto turn = i == 0 ? turns_.first() : turns_.next();
            const auto granted = co_await turn;
            if (!granted.ok()) {
                log_ += '!';
                co_return;
            }
            log_ += name;
        }
    }
    void settle() { world_.run_until_idle(); }

    runtime::SimWorld world_{runtime::SimWorldOptions{.seed = 1, .work_ns = 250'000}};
    runtime::SimDisk disk_;
    std::unique_ptr<runtime::SimRuntime> node_ = world_.create_node("node", disk_);
    std::unique_ptr<runtime::Executor> executor_ = node_->executors().create_executor("shard");
    QueryTurns turns_{*executor_, node_->clock()};
    std::string log_;
};

TEST_F(Turns, AStepOfEachInTurn) {
    runtime::spawn(query('a', 4));
    runtime::spawn(query('b', 2));
    runtime::spawn(query('c', 3));
    settle();
    EXPECT_EQ(log_, "aabcabcac") << "the first goes on at once where nobody waits";
}

TEST_F(Turns, WhatElseIsPostedWaitsForOneStepWhateverTheNumberOfQueries) {
    for (char name = 'a'; name < 'k'; ++name) runtime::spawn(query(name, 100));
    for (int i = 0; i < 5; ++i) {
        const std::size_t before = log_.size();
        bool applied = false;
        executor_->post([&] { applied = true; });
        world_.run_until([&] { return applied; }, 1'000'000'000);
        EXPECT_TRUE(applied);
        EXPECT_LE(log_.size(), before + 1);
    }
    EXPECT_GT(turns_.delay_ns(), 0u);
    settle();
    EXPECT_EQ(log_.size(), 1000u);
    EXPECT_EQ(turns_.delay_ns(), 0u);
}

TEST_F(Turns, LongWorkLetsInWhoIsNext) {
    runtime::spawn(query('a', 3));
    runtime::spawn(query('b', 2));
    EXPECT_EQ(log_, "a");
    executor_->post([&] {
        log_ += '(';
        for (int slice = 0; slice < 3; ++slice) {
            EXPECT_TRUE(turns_.is_awaited());
            turns_.let_in();
            log_ += '.';
        }
        log_ += ')';
    });
    settle();
    // One step is posted before that work, the others wait for their turn behind it.
    EXPECT_EQ(log_, "aa(b.a.b.)");
    EXPECT_FALSE(turns_.is_awaited());
    turns_.let_in();
    runtime::spawn(query('c', 2));
    settle();
    EXPECT_EQ(log_, "aa(b.a.b.)cc") << "as before where all were let in";
}

TEST_F(Turns, StopEndsThoseWhoWait) {
    runtime::spawn(query('a', 3));
    runtime::spawn(query('b', 3));
    executor_->stop();
    turns_.stop();
    EXPECT_EQ(log_, "a!!");
    runtime::spawn(query('c', 3));
    EXPECT_EQ(log_, "a!!!");
}

/// Two threads step without a pause, and one enters plainly all the same.
TEST(Monitor, OneInsideAtATimeAndStepsLetOthersIn) {
    Monitor monitor;
    int inside = 0, together = 0;
    bool ended = false;  // Guarded by the monitor, as all of them.
    const auto visit = [&] {
        together += ++inside > 1 ? 1 : 0;
        --inside;
    };
    const auto step_on = [&] {
        for (bool end = false; !end;) {
            Monitor::Steps turn(monitor);
            const std::lock_guard lock(turn);
            visit();
            end = ended;
        }
    };
    std::thread one(step_on), other(step_on);
    for (int i = 0; i < 2'000; ++i) {
        const std::lock_guard lock(monitor);
        visit();
        ended = i == 1'999;
    }
    one.join();
    other.join();
    EXPECT_EQ(together, 0);
}

TEST(Monitor, SaysWhetherSomebodyWaits) {
    Monitor monitor;
    monitor.lock();
    EXPECT_FALSE(monitor.is_awaited()) << "who is inside does not wait";
    std::thread other([&] { const std::lock_guard lock(monitor); });
    while (!monitor.is_awaited()) std::this_thread::yield();
    monitor.unlock();
    other.join();
    EXPECT_FALSE(monitor.is_awaited());
}

}  // namespace query_turns_test
}  // namespace tidal::shard
