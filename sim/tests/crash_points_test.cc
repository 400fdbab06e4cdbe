#include "sim/crash_points.h"

#include <gtest/gtest.h>

namespace tidal::sim {
namespace crash_points_test {

TEST(CrashPoints, NoOperationOfTheDiskIsABadPlaceToDie) {
    const CrashPointsReport report = run_crash_points({});
    ASSERT_EQ(report.failure, "");
    // The trace is long enough to hold what it should: relays, checkpoints, several log files.
    EXPECT_GT(report.operations, 150u);
    EXPECT_GT(report.endings, 3 * report.operations);
}

}  // namespace crash_points_test
}  // namespace tidal::sim
