#include "runtime/data_clock.h"

#include <gtest/gtest.h>

#include "runtime/sim_runtime.h"

namespace tidal::runtime {
namespace data_clock_test {

TEST(DataClock, StandsStillUntilItIsMovedAndNeverGoesBack) {
    SimWorld world(SimWorldOptions{});
    SimDisk disk;
    const auto node = world.create_node("node", disk);
    DataClock clock(node->clock(), 1000);
    DataRuntime data(*node, clock);
    const std::uint64_t began_ns = clock.monotonic_ns();
    world.advance(5'000'000'000);
    EXPECT_EQ(data.clock().wall_ms(), 1000);
    EXPECT_GE(clock.monotonic_ns(), began_ns + 5'000'000'000);
    clock.advance_to(2000);
    EXPECT_EQ(data.clock().wall_ms(), 2000);
    clock.advance_to(1500);
    EXPECT_EQ(data.clock().wall_ms(), 2000);
}

}  // namespace data_clock_test
}  // namespace tidal::runtime
