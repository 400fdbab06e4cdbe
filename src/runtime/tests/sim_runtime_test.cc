// Virtual time, and how a simulated node dies.
#include <gtest/gtest.h>

#include "runtime/sim_runtime.h"

namespace tidal::runtime {
namespace sim_runtime_test {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(SimWorld, TimeMovesOnlyToTimers) {
    SimWorld world(1);
    SimDisk disk;
    auto node = world.create_node("n", disk);
    auto executor = node->executors().create_executor("e");
    const auto start = world.now_ns();
    executor->post([] {});
    EXPECT_EQ(world.run_until_idle(), 1U);
    EXPECT_EQ(world.now_ns(), start);
    executor->post_after(5 * kSecond, [] {});
    EXPECT_EQ(world.run_until_idle(), 0U);
    world.advance(4 * kSecond);
    EXPECT_EQ(world.steps(), 1U);
    world.advance(kSecond);
    EXPECT_EQ(world.steps(), 2U);
    EXPECT_EQ(world.now_ns(), start + 5 * kSecond);
    EXPECT_FALSE(world.step());
}

TEST(SimWorld, RunUntilGivesUpAtItsDeadline) {
    SimWorld world(1);
    SimDisk disk;
    auto node = world.create_node("n", disk);
    auto executor = node->executors().create_executor("e");
    int ticks = 0;
    std::function<void()> tick = [&] {
        ++ticks;
        executor->post_after(kSecond, [&] { tick(); });
    };
    tick();
    EXPECT_TRUE(world.run_until([&] { return ticks == 10; }));
    EXPECT_FALSE(world.run_until([&] { return ticks == 1000; }, 5 * kSecond));
    EXPECT_EQ(ticks, 15);
}

TEST(SimWorld, ALivelockEndsAtTheStepLimit) {
    SimWorld world({.seed = 1, .steps_max = 1000});
    SimDisk disk;
    auto node = world.create_node("n", disk);
    auto executor = node->executors().create_executor("e");
    std::function<void()> spin = [&] { executor->post([&] { spin(); }); };
    spin();
    EXPECT_FALSE(world.run_until([] { return false; }));
    world.run_until_idle();
    EXPECT_LE(world.steps(), 2001U);
}

TEST(SimRuntime, TheWallClockJumpsAndDriftsOnOneNodeOnly) {
    SimWorld world(1);
    SimDisk disk_a, disk_b;
    auto a = world.create_node("a", disk_a);
    auto b = world.create_node("b", disk_b);
    const auto start = a->clock().wall_ms();
    EXPECT_EQ(b->clock().wall_ms(), start);
    a->jump_wall(-3'600'000);
    EXPECT_EQ(a->clock().wall_ms(), start - 3'600'000);
    a->jump_wall(3'600'000);
    a->set_wall_drift(200);
    world.advance(10'000 * kSecond);
    EXPECT_EQ(b->clock().wall_ms(), start + 10'000'000);
    EXPECT_EQ(a->clock().wall_ms(), start + 10'002'000);
    a->set_wall_drift(0);
    world.advance(kSecond);
    EXPECT_EQ(a->clock().wall_ms(), start + 10'003'000);
}

TEST(SimRuntime, APausedNodeDoesItsWorkLater) {
    SimWorld world(1);
    SimDisk disk_a, disk_b;
    auto a = world.create_node("a", disk_a);
    auto b = world.create_node("b", disk_b);
    auto on_a = a->executors().create_executor("e");
    auto files_of_a = a->executors().create_executor("files");
    auto on_b = b->executors().create_executor("e");
    std::string done;
    on_a->post_after(kSecond, [&] { done += "timer of a, "; });
    a->pause(3 * kSecond);
    files_of_a->post([&] { done += "files of a, "; });
    on_b->post([&] { done += "b, "; });
    world.advance(2 * kSecond);
    EXPECT_EQ(done, "b, ");
    a->pause(3 * kSecond, "e");  // Longer, but only the one.
    world.advance(2 * kSecond);
    EXPECT_EQ(done, "b, files of a, ");
    world.advance(kSecond);
    EXPECT_EQ(done, "b, files of a, timer of a, ");
}

TEST(SimRuntime, OthersComeInWhereWorkMakesRoom) {
    SimWorld world({.seed = 5, .work_ns = 1'000, .crowd_permille = 1000});
    SimDisk disk;
    const auto node = world.create_node("node", disk);
    const auto at_work = node->executors().create_executor("at-work");
    const auto other = node->executors().create_executor("other");
    ASSERT_TRUE(node->crowd()->waits());
    int others = 0, others_inside = 0;
    bool working = false, nested = false;
    at_work->post([&] {
        working = true;
        for (int i = 0; i < 100; ++i) node->crowd()->come_in();
        others_inside = others;
        working = false;
    });
    at_work->post([&] { nested = working; });
    for (int i = 0; i < 10; ++i) other->post_after(10'000, [&] { ++others; });
    world.advance(1'000'000'000);
    EXPECT_EQ(others_inside, 10);
    EXPECT_FALSE(nested) << "never two pieces of one executor at once";
    EXPECT_EQ(world.let_in(), 100u);
}

TEST(SimRuntime, WithoutACrowdNobodyWaits) {
    SimWorld world(5);
    SimDisk disk;
    EXPECT_EQ(world.create_node("node", disk)->crowd(), nullptr);
}

TEST(SimRuntime, ASlowDiskTakesVirtualTime) {
    SimWorld world(1);
    SimDisk disk({.read_ns = 10, .write_ns = 100, .sync_ns = 5'000'000});
    auto node = world.create_node("n", disk);
    const auto start = node->clock().monotonic_ns();
    auto file = std::move(node->disk().open("a", OpenMode::kCreate)).value();
    ASSERT_TRUE(file->write_at(0, "x").ok());
    ASSERT_TRUE(file->sync().ok());
    EXPECT_EQ(node->clock().monotonic_ns(), start + 5'000'200);
}

TEST(SimRuntime, FatalCrashesTheNodeAndDropsItsWork) {
    SimWorld world(1);
    SimDisk disk, other_disk;
    auto node = world.create_node("n", disk);
    auto other = world.create_node("o", other_disk);
    auto executor = node->executors().create_executor("e");
    auto survivor = other->executors().create_executor("e");
    int ran = 0, survived = 0;
    executor->post([&] {
        ++ran;
        executor->post([&] { ++ran; });
        node->fatal(Error(ErrorCode::kIo, "fdatasync failed"));
        executor->post([&] { ++ran; });
    });
    executor->post([&] { ++ran; });
    executor->post_after(kSecond, [&] { ++ran; });
    survivor->post_after(2 * kSecond, [&] { ++survived; });
    world.advance(10 * kSecond);
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(survived, 1);
    EXPECT_TRUE(node->crashed());
    EXPECT_FALSE(other->crashed());
    ASSERT_TRUE(node->fatal_error().has_value());
    EXPECT_EQ(node->fatal_error()->message(), "fdatasync failed");
    EXPECT_FALSE(node->disk().open("a", OpenMode::kCreate).ok());
    disk.crash();
    // The dead node cannot take the next life with it, whatever it still does.
    auto next = world.create_node("n", disk);
    node->fatal(Error(ErrorCode::kIo, "again"));
    EXPECT_FALSE(node->disk().open("a", OpenMode::kCreate).ok());
    node.reset();
    EXPECT_FALSE(next->crashed());
    EXPECT_TRUE(next->disk().open("a", OpenMode::kCreate).ok());
    next->kill();
    EXPECT_TRUE(next->crashed());
    EXPECT_TRUE(disk.dead());
}

TEST(SimRuntime, TheCrashPointOfTheDiskCrashesTheNode) {
    SimWorld world(1);
    SimDisk disk;
    auto node = world.create_node("n", disk);
    auto executor = node->executors().create_executor("e");
    int acknowledged = 0;
    auto file = std::move(node->disk().open("a", OpenMode::kCreate)).value();
    for (std::uint64_t i = 0; i < 10; ++i)
        executor->post([&, i] {
            if (file->write_at(i, "x").ok() && file->sync().ok()) ++acknowledged;
        });
    disk.set_crash_after(7);
    world.run_until_idle();
    EXPECT_EQ(acknowledged, 3);
    EXPECT_TRUE(node->crashed());
    EXPECT_FALSE(node->fatal_error().has_value());
}

/// Two nodes, four executors, timers, posts across, a disk that dies: everything that can vary.
std::uint64_t eventful_life(std::uint64_t seed) {
    SimWorld world({.seed = seed, .work_ns = 10});
    SimDisk disk({.seed = seed, .sync_ns = 1000});
    auto node = world.create_node("n", disk);
    std::vector<std::unique_ptr<Executor>> executors;
    for (int i = 0; i < 4; ++i) executors.push_back(node->executors().create_executor("e"));
    auto file = std::move(node->disk().open("a", OpenMode::kCreate)).value();
    std::function<void(std::uint64_t)> work = [&](std::uint64_t depth) {
        world.note(depth);
        if (depth > 200) return;
        if (depth % 7 == 0 && file->write_at(depth * 100, "bytes").ok())
            world.note(file->sync().ok() ? "synced" : "lost");
        auto& next = *executors[node->random().below(4)];
        if (depth % 3 == 0)
            next.post_after(node->random().below(5000), [&, depth] { work(depth + 1); });
        else
            next.post([&, depth] { work(depth + 1); });
    };
    disk.set_crash_after(50);
    for (auto& executor : executors) executor->post([&] { work(1); });
    world.advance(kSecond);
    disk.crash();
    return world.trace_hash() ^ mix64(disk.trace_hash() ^ disk.content_hash());
}

TEST(SimWorld, TheSameSeedGivesTheSameTrace) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        const auto hash = eventful_life(seed);
        EXPECT_EQ(hash, eventful_life(seed)) << "seed " << seed;
        seen.insert(hash);
    }
    EXPECT_EQ(seen.size(), 50U);
}

TEST(SimWorld, TheSeedChoosesAmongExecutorsButNotWithinOne) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SimWorld world(seed);
        SimDisk disk;
        auto node = world.create_node("n", disk);
        auto a = node->executors().create_executor("a");
        auto b = node->executors().create_executor("b");
        std::string order;
        a->post([&] { order += "1"; });
        a->post([&] { order += "2"; });
        b->post([&] { order += "x"; });
        b->post([&] { order += "y"; });
        world.run_until_idle();
        EXPECT_LT(order.find('1'), order.find('2'));
        EXPECT_LT(order.find('x'), order.find('y'));
        orders.insert(order);
    }
    EXPECT_EQ(orders.size(), 6U);
}

TEST(SimWorld, AFiredTimerThatHasNotRunCanStillBeCancelled) {
    SimWorld world(1);
    SimDisk disk;
    auto node = world.create_node("n", disk);
    auto executor = node->executors().create_executor("e");
    bool fired = false;
    Executor::TimerId second = 0;
    executor->post_after(kSecond, [&] { EXPECT_TRUE(executor->cancel(second)); });
    second = executor->post_after(kSecond, [&] { fired = true; });
    world.advance(2 * kSecond);
    EXPECT_FALSE(fired);
}

TEST(SimWorld, ItsOwnWorkRunsAtItsTimeAndOutlivesCrashes) {
    SimWorld world(1);
    SimDisk disk;
    auto node = world.create_node("n", disk);
    auto executor = node->executors().create_executor("e");
    std::string order;
    executor->post_after(kSecond, [&] { order += "node "; });
    world.at(world.now_ns() + kSecond, [&] { order += "world "; });
    world.at(world.now_ns() + 2 * kSecond, [&] { order += "later"; });
    world.advance(kSecond);
    node->kill();
    world.advance(kSecond);
    EXPECT_EQ(order, "world node later");
}

}  // namespace sim_runtime_test
}  // namespace tidal::runtime
