#include "base/hlc.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace tidal {
namespace hlc_test {

TEST(HybridClock, FollowsTheWallAndCountsWithinAMillisecond) {
    HybridClock clock;
    EXPECT_EQ(clock.tick(1000), HybridTime::from(1000, 0));
    EXPECT_EQ(clock.tick(1000), HybridTime::from(1000, 1));
    EXPECT_EQ(clock.tick(1001), HybridTime::from(1001, 0));
}

TEST(HybridClock, AWallThatGoesBackwardsDoesNot) {
    HybridClock clock;
    clock.tick(5000);
    EXPECT_EQ(clock.tick(10), HybridTime::from(5000, 1));
    EXPECT_EQ(clock.tick(-77), HybridTime::from(5000, 2));
    EXPECT_EQ(clock.tick(5001), HybridTime::from(5001, 0));
}

TEST(HybridClock, AFullCounterCarriesIntoTheMilliseconds) {
    HybridClock clock;
    clock.observe(HybridTime::from(5000, 0xffff));
    EXPECT_EQ(clock.tick(5000), HybridTime::from(5001, 0));
    EXPECT_EQ(clock.tick(5000), HybridTime::from(5001, 1));
}

TEST(HybridClock, StaysAboveWhatItObserved) {
    HybridClock clock;
    clock.tick(100);
    clock.observe(HybridTime::from(9000, 7));
    clock.observe(HybridTime::from(50, 0));
    EXPECT_EQ(clock.last(), HybridTime::from(9000, 7));
    EXPECT_EQ(clock.tick(101), HybridTime::from(9000, 8));
}

TEST(HybridClock, FirstStampIsNotNever) {
    HybridClock clock;
    EXPECT_GT(clock.tick(-5), HybridTime());
}

RC_GTEST_PROP(HybridClock, StrictlyRisesAndNeverLagsTheWall, ()) {
    // Small steps make standing still and going backwards common.
    const auto walls =
        *rc::gen::container<std::vector<UnixMillis>>(rc::gen::inRange<UnixMillis>(-3, 20));
    HybridClock clock;
    HybridTime last;
    for (const auto wall : walls) {
        const auto stamp = clock.tick(wall);
        RC_ASSERT(stamp > last);
        RC_ASSERT(stamp.wall_ms() >= wall);
        last = stamp;
    }
}

TEST(HybridTime, PartsAndOrder) {
    const auto time = HybridTime::from(0x7fffffffffff, 0xabcd);
    EXPECT_EQ(time.wall_ms(), 0x7fffffffffff);
    EXPECT_EQ(time.logical(), 0xabcd);
    EXPECT_LT(HybridTime::from(1, 0xffff), HybridTime::from(2, 0));
    EXPECT_EQ(HybridTime::from_bits(time.bits()), time);
}

}  // namespace hlc_test
}  // namespace tidal
