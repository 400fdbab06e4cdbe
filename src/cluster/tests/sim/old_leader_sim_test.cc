#include "old_leader_sim.h"

#include <gtest/gtest.h>

namespace tidal::cluster {
namespace {

TEST(OldLeader, ForgetsItsEntriesWithTheSnapshotThatReplacesThem) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
        ASSERT_EQ(simulate_old_leader(seed), "") << "seed " << seed;
}

}  // namespace
}  // namespace tidal::cluster
