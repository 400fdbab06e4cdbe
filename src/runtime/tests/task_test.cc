#include "runtime/task.h"

#include <gtest/gtest.h>

#include <thread>

#include "runtime/real_runtime.h"
#include "runtime/sim_task.h"

namespace tidal::runtime {
namespace task_test {

Task<int> number(int n) {
    co_return n;
}

Task<int> sum(int count) {
    int total = 0;
    for (int i = 0; i < count; ++i) total += co_await number(1);
    co_return total;
}

Task<Result<int>> half(int n) {
    if (n % 2 != 0) co_return Error(ErrorCode::kInvalidArgument, "odd");
    co_return n / 2;
}

Task<Result<int>> quarter(int n) {
    TIDAL_CO_ASSIGN(const int h, co_await half(n));
    TIDAL_CO_ASSIGN(const int q, co_await half(h));
    co_return q;
}

TEST(Task, ReturnsValuesThroughCallers) {
    EXPECT_EQ(sync_wait(number(7)), 7);
    EXPECT_EQ(*sync_wait(quarter(12)), 3);
    EXPECT_EQ(sync_wait(quarter(6)).error().message(), "odd");
}

TEST(Task, AMillionChildrenThatDoNotWaitNeedNoStack) {
    EXPECT_EQ(sync_wait(sum(1'000'000)), 1'000'000);
}

Task<void> set(bool* flag) {
    *flag = true;
    co_return;
}

TEST(Task, IsLazyAndMayBeDroppedUnstarted) {
    bool flag = false;
    { auto task = set(&flag); }
    EXPECT_FALSE(flag);
    auto task = set(&flag);
    auto moved = std::move(task);
    EXPECT_FALSE(flag);
    sync_wait(std::move(moved));
    EXPECT_TRUE(flag);
}

Task<std::unique_ptr<int>> boxed(std::unique_ptr<int> box) {
    co_return box;
}

TEST(Task, CarriesMoveOnlyValues) {
    EXPECT_EQ(*sync_wait(boxed(std::make_unique<int>(5))), 5);
}

Task<Result<std::thread::id>> where(Executor* executor) {
    TIDAL_CO_TRY(co_await schedule(*executor));
    co_return std::this_thread::get_id();
}

TEST(Task, ScheduleMovesToTheExecutor) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto executor = runtime->executors().create_executor("e");
    const auto there = sync_wait(where(executor.get()));
    ASSERT_TRUE(there.ok());
    EXPECT_NE(*there, std::this_thread::get_id());
    EXPECT_EQ(*sync_wait(where(executor.get())), *there);
}

Task<Result<int>> hop(Executor* a, Executor* b, int hops) {
    for (int i = 0; i < hops; ++i) TIDAL_CO_TRY(co_await schedule(i % 2 == 0 ? *a : *b));
    co_return hops;
}

TEST(Task, HopsBetweenThreads) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto a = runtime->executors().create_executor("a");
    auto b = runtime->executors().create_executor("b");
    EXPECT_EQ(*sync_wait(hop(a.get(), b.get(), 5000)), 5000);
}

/// The child ends on another thread while the parent may still be suspending.
Task<Result<int>> race(Executor* executor, int rounds) {
    int total = 0;
    for (int i = 0; i < rounds; ++i) {
        TIDAL_CO_ASSIGN(const int one, co_await hop(executor, executor, 1));
        total += one;
    }
    co_return total;
}

TEST(Task, AChildMayEndOnAnotherThreadWhileItsParentSuspends) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto a = runtime->executors().create_executor("a");
    EXPECT_EQ(*sync_wait(race(a.get(), 5000)), 5000);
}

TEST(Task, AStoppedExecutorCompletesItsWaitersWithUnavailable) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto executor = runtime->executors().create_executor("e");
    executor->stop();
    EXPECT_EQ(sync_wait(where(executor.get())).error().code(), ErrorCode::kUnavailable);
}

Task<Result<void>> sleep_long(Executor* executor) {
    co_return co_await sleep_for(*executor, 3'600'000'000'000);
}

Task<void> record(Task<Result<void>> task, std::optional<ErrorCode>* code) {
    auto result = co_await std::move(task);
    *code = result.ok() ? ErrorCode::kInternal : result.error().code();
}

TEST(Task, SleepersWakeWhenTheirExecutorStops) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto executor = runtime->executors().create_executor("e");
    std::optional<ErrorCode> code;
    spawn(record(sleep_long(executor.get()), &code));
    EXPECT_FALSE(code.has_value());
    executor->stop();
    EXPECT_EQ(code, ErrorCode::kUnavailable);
}

Task<Result<std::uint64_t>> sleep_and_tell(Executor* executor, Clock* clock, std::uint64_t ns) {
    TIDAL_CO_TRY(co_await sleep_for(*executor, ns));
    co_return clock->monotonic_ns();
}

TEST(Task, SleepsOnTheMonotonicClock) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto executor = runtime->executors().create_executor("e");
    const auto start = runtime->clock().monotonic_ns();
    EXPECT_GE(*sync_wait(sleep_and_tell(executor.get(), &runtime->clock(), 2'000'000)),
              start + 2'000'000);
}

TEST(Task, RunsOnVirtualTime) {
    SimWorld world(1);
    SimDisk disk;
    auto node = world.create_node("n", disk);
    auto executor = node->executors().create_executor("e");
    const auto start = world.now_ns();
    const auto woke =
        run_task(world, sleep_and_tell(executor.get(), &node->clock(), 5'000'000'000));
    ASSERT_TRUE(woke.has_value());
    EXPECT_EQ(**woke, start + 5'000'000'000);
    std::optional<ErrorCode> code;
    spawn(record(sleep_long(executor.get()), &code));
    world.advance(1);
    node->kill();
    EXPECT_FALSE(code.has_value());
    EXPECT_FALSE(world.step()) << "nothing of a dead node runs";
    executor->stop();
    EXPECT_EQ(code, ErrorCode::kUnavailable);
}

Task<Result<int>> await_completion(Completion<int>* completion) {
    co_return co_await *completion;
}

TEST(Completion, CompletesInEitherOrder) {
    Completion<int> early;
    early.completer()(3);
    EXPECT_EQ(*sync_wait(await_completion(&early)), 3);

    auto runtime = std::move(make_real_runtime({})).value();
    auto executor = runtime->executors().create_executor("e");
    Completion<int> late;
    executor->post_after(2'000'000, [done = late.completer()]() mutable { done(4); });
    EXPECT_EQ(*sync_wait(await_completion(&late)), 4);
}

TEST(Completion, ADroppedCompleterIsUnavailable) {
    Completion<int> dropped;
    { auto completer = dropped.completer(); }
    EXPECT_EQ(sync_wait(await_completion(&dropped)).error().code(), ErrorCode::kUnavailable);
}

TEST(Completion, RacesWithItsWaiter) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto executor = runtime->executors().create_executor("e");
    for (int i = 0; i < 2000; ++i) {
        Completion<int> completion;
        executor->post([done = completion.completer(), i]() mutable { done(i); });
        ASSERT_EQ(*sync_wait(await_completion(&completion)), i);
    }
}

}  // namespace task_test
}  // namespace tidal::runtime
