// The contract of runtime/executor.h, held by threads and by the simulated timeline alike.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "runtime/internal/io_executor.h"
#include "runtime/io_executor.h"
#include "runtime/real_runtime.h"
#include "runtime/sim_runtime.h"

namespace tidal::runtime {
namespace executor_test {

constexpr std::uint64_t kMillisecond = 1'000'000;

struct RealExecutors {
    Runtime& runtime() { return *impl; }
    std::unique_ptr<Executor> make(std::string_view name) {
        return impl->executors().create_executor(name);
    }
    template <typename Predicate>
    bool wait(Predicate done) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::yield();
        }
        return true;
    }
    std::unique_ptr<Runtime> impl = std::move(make_real_runtime({})).value();
};

struct IoExecutors : RealExecutors {
    std::unique_ptr<Executor> make(std::string_view name) {
        return create_io_executor(impl->executors(), name);
    }
};

struct SimulatedExecutors {
    Runtime& runtime() { return *node; }
    std::unique_ptr<Executor> make(std::string_view name) {
        return create_io_executor(node->executors(), name);
    }
    template <typename Predicate>
    bool wait(Predicate done) {
        return world.run_until(done);
    }
    SimWorld world{7};
    SimDisk disk;
    std::unique_ptr<SimRuntime> node = world.create_node("n", disk);
};

template <typename T>
class ExecutorContract : public ::testing::Test {
protected:
    std::unique_ptr<Executor> make(std::string_view name = "worker") {
        return under_test_.make(name);
    }
    template <typename Predicate>
    bool wait(Predicate done) {
        return under_test_.wait(done);
    }
    T under_test_;
};

using Implementations = ::testing::Types<RealExecutors, IoExecutors, SimulatedExecutors>;
TYPED_TEST_SUITE(ExecutorContract, Implementations);

TYPED_TEST(ExecutorContract, RunsInTheOrderPosted) {
    auto executor = this->make();
    std::vector<int> seen;
    std::atomic<int> ran = 0;
    for (int i = 0; i < 1000; ++i)
        executor->post([&, i] {
            seen.push_back(i);
            ++ran;
        });
    ASSERT_TRUE(this->wait([&] { return ran == 1000; }));
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i);
}

TYPED_TEST(ExecutorContract, WorkPostedByWorkRuns) {
    auto executor = this->make("a name far longer than fifteen bytes");
    std::atomic<int> ran = 0;
    std::function<void()> again = [&] {
        if (++ran < 100) executor->post([&] { again(); });
    };
    executor->post([&] { again(); });
    EXPECT_TRUE(this->wait([&] { return ran == 100; }));
}

TYPED_TEST(ExecutorContract, TimersFireInOrderAndNotEarly) {
    auto executor = this->make();
    auto& clock = this->under_test_.runtime().clock();
    const std::uint64_t start = clock.monotonic_ns();
    std::vector<int> seen;
    std::atomic<int> ran = 0;
    const auto mark = [&](int delay_ms) {
        executor->post_after(static_cast<std::uint64_t>(delay_ms) * kMillisecond, [&, delay_ms] {
            EXPECT_GE(clock.monotonic_ns() - start,
                      static_cast<std::uint64_t>(delay_ms) * kMillisecond);
            seen.push_back(delay_ms);
            ++ran;
        });
    };
    mark(9);
    mark(1);
    mark(5);
    ASSERT_TRUE(this->wait([&] { return ran == 3; }));
    EXPECT_EQ(seen, (std::vector<int>{1, 5, 9}));
}

TYPED_TEST(ExecutorContract, ACancelledTimerNeverFires) {
    auto executor = this->make();
    std::atomic<bool> fired = false, done = false;
    const auto timer = executor->post_after(20 * kMillisecond, [&] { fired = true; });
    EXPECT_TRUE(executor->cancel(timer));
    EXPECT_FALSE(executor->cancel(timer));
    const auto past = executor->post_after(30 * kMillisecond, [&] { done = true; });
    ASSERT_TRUE(this->wait([&] { return done.load(); }));
    EXPECT_FALSE(fired);
    EXPECT_FALSE(executor->cancel(past));
    EXPECT_FALSE(executor->cancel(0));
}

TYPED_TEST(ExecutorContract, ATimerTooFarAwayToHappenIsHarmless) {
    auto executor = this->make();
    const auto timer = executor->post_after(~0ULL, [] { FAIL(); });
    std::atomic<bool> done = false;
    executor->post_after(kMillisecond, [&] { done = true; });
    EXPECT_TRUE(this->wait([&] { return done.load(); }));
    EXPECT_TRUE(executor->cancel(timer));
}

/// Counts its destruction, wherever it happens.
struct Tracked {
    explicit Tracked(std::atomic<int>& count) : dropped(&count) {}
    Tracked(Tracked&& other) noexcept : dropped(std::exchange(other.dropped, nullptr)) {}
    ~Tracked() {
        if (dropped != nullptr) ++*dropped;
    }
    std::atomic<int>* dropped;
};

TYPED_TEST(ExecutorContract, StopDestroysWhatHasNotRunAndRefusesMore) {
    auto executor = this->make();
    std::atomic<int> dropped = 0;
    executor->post_after(3'600'000 * kMillisecond, [t = Tracked(dropped)] { FAIL(); });
    executor->stop();
    EXPECT_EQ(dropped, 1);
    executor->post([t = Tracked(dropped)] { FAIL(); });
    EXPECT_EQ(dropped, 2);
    const auto timer = executor->post_after(1, [t = Tracked(dropped)] { FAIL(); });
    EXPECT_EQ(dropped, 3);
    EXPECT_FALSE(executor->cancel(timer));
    executor->stop();
}

/// Posts to its executor while it is destroyed.
struct PostsOnDestruction {
    explicit PostsOnDestruction(Executor& e) : executor(&e) {}
    PostsOnDestruction(PostsOnDestruction&& other) noexcept
        : executor(std::exchange(other.executor, nullptr)) {}
    ~PostsOnDestruction() {
        if (executor != nullptr) executor->post([] { FAIL(); });
    }
    Executor* executor;
};

TYPED_TEST(ExecutorContract, WorkDestroyedByStopMayPost) {
    auto executor = this->make();
    executor->post_after(3'600'000 * kMillisecond, [t = PostsOnDestruction(*executor)] { FAIL(); });
    executor->stop();
}

TYPED_TEST(ExecutorContract, ExecutorsPostToEachOther) {
    auto a = this->make("a");
    auto b = this->make("b");
    std::atomic<int> hops = 0;
    std::function<void()> ping, pong;
    ping = [&] {
        if (++hops < 200) b->post([&] { pong(); });
    };
    pong = [&] {
        if (++hops < 200) a->post([&] { ping(); });
    };
    a->post([&] { ping(); });
    EXPECT_TRUE(this->wait([&] { return hops == 200; }));
    a->stop();
    b->stop();
}

TYPED_TEST(ExecutorContract, RandomIsUniformEnoughAndNotConstant) {
    auto& random = this->under_test_.runtime().random();
    std::set<std::uint64_t> seen;
    int buckets[8] = {};
    for (int i = 0; i < 8000; ++i) {
        seen.insert(random.u64());
        ++buckets[random.below(8)];
    }
    EXPECT_EQ(seen.size(), 8000U);
    for (const int count : buckets) EXPECT_NEAR(count, 1000, 200);
    EXPECT_EQ(random.below(1), 0U);
}

TYPED_TEST(ExecutorContract, TheMonotonicClockNeverGoesBack) {
    auto& clock = this->under_test_.runtime().clock();
    std::uint64_t last = clock.monotonic_ns();
    for (int i = 0; i < 1000; ++i) {
        const auto now = clock.monotonic_ns();
        EXPECT_GE(now, last);
        last = now;
    }
    EXPECT_GT(clock.wall_ms(), 1'600'000'000'000);
}

TEST(ThreadExecutor, PostsFromManyThreadsAllRun) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto executor = runtime->executors().create_executor("many");
    std::uint64_t ran = 0;  // Only touched on the executor: the sanitizer proves it.
    std::atomic<bool> all = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 5000; ++i)
                executor->post([&] {
                    if (++ran == 20'000) all = true;
                });
        });
    for (auto& thread : threads) thread.join();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!all && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(all);
    executor->stop();
    EXPECT_EQ(ran, 20'000U);
}

TEST(ThreadExecutor, TwoThreadsMayStopAtOnce) {
    auto runtime = std::move(make_real_runtime({})).value();
    for (int round = 0; round < 50; ++round) {
        auto executor = runtime->executors().create_executor("stop");
        executor->post([] {});
        std::thread other([&] { executor->stop(); });
        executor->stop();
        other.join();
    }
}

TEST(RealRuntime, FatalCallsTheHookAndEndsWithItsCode) {
    EXPECT_EXIT(
        {
            auto runtime =
                std::move(make_real_runtime(
                              {.root = "",
                               .on_fatal = [](const Error&) { std::fputs("hook\n", stderr); }}))
                    .value();
            runtime->fatal(Error(ErrorCode::kIo, "fdatasync failed").with("path", "wal/1"));
        },
        ::testing::ExitedWithCode(kFatalExitCode), "fdatasync failed.*\nhook");
}

TEST(RealRuntime, SaysWhyARootCannotBeOpened) {
    const auto runtime = make_real_runtime({.root = "/proc/none/data"});
    ASSERT_FALSE(runtime.ok());
    EXPECT_NE(runtime.error().to_string().find("/proc/none/data"), std::string::npos);
}

/// A peer that fills its socket without end.
TEST(IoExecutor, WorkHasItsTurnThoughASocketAlwaysHasMore) {
    RealExecutors real;
    internal::IoExecutor executor("io");
    std::atomic<bool> worked = false, due = false, enough = false;
    std::function<void()> more = [&] {
        if (!enough) boost::asio::post(*executor.io(), more);
    };
    boost::asio::post(*executor.io(), more);
    executor.post([&] { worked = true; });
    executor.post_after(kMillisecond, [&] { due = true; });
    EXPECT_TRUE(real.wait([&] { return worked && due; }));
    enough = true;
    executor.stop();
}

}  // namespace executor_test
}  // namespace tidal::runtime
