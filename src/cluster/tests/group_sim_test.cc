// Clusters of 3 and 5 nodes with every fault at once, from printed seeds.
// One seed again: TIDAL_CLUSTER_SEED=17 cluster_test
// --gtest_filter='GroupSimulation.KeepsEveryPromise' More of them:   TIDAL_CLUSTER_SEEDS=10000
// cluster_test --gtest_filter='GroupSimulation.KeepsEveryPromise'
#include "group_sim.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tidal::cluster {
namespace group_sim_test {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(GroupSimulation, KeepsEveryPromise) {
    const std::uint64_t only = from_environment("TIDAL_CLUSTER_SEED", 0);
    const std::uint64_t first = only ? only : 1;
    const std::uint64_t last = only ? only : from_environment("TIDAL_CLUSTER_SEEDS", 20);
    GroupSimResult total;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        const GroupSimResult run = simulate_groups({.seed = seed});
        ASSERT_EQ(run.failure, "") << "replay: TIDAL_CLUSTER_SEED=" << seed
                                   << " cluster_test "
                                      "--gtest_filter='GroupSimulation.KeepsEveryPromise'";
        total.elections += run.elections;
        total.committed += run.committed;
        total.acknowledged += run.acknowledged;
        total.superseded += run.superseded;
        total.reads += run.reads;
        total.installs += run.installs;
        total.crashes += run.crashes;
        total.full_disks += run.full_disks;
        total.failed_syncs += run.failed_syncs;
        total.changes += run.changes;
        total.virtual_ms += run.virtual_ms;
        total.trace ^= run.trace;
    }
    const auto n = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
    std::printf(
        "seeds %llu..%llu: %llu s of virtual time, %llu elections, %llu entries committed, %llu "
        "proposals acknowledged, %llu superseded, %llu reads, %llu snapshots, %llu crashes, %llu "
        "full disks, %llu failed syncs, %llu changes of members, trace %016llx\n",
        n(first), n(last), n(total.virtual_ms / 1000), n(total.elections), n(total.committed),
        n(total.acknowledged), n(total.superseded), n(total.reads), n(total.installs),
        n(total.crashes), n(total.full_disks), n(total.failed_syncs), n(total.changes),
        n(total.trace));
    if (only) return;
    // The rare paths ran.
    EXPECT_GT(total.elections, 3 * last);
    EXPECT_GT(total.acknowledged, 20 * last);
    EXPECT_GT(total.reads, 0u);
    EXPECT_GT(total.superseded, 0u);
    EXPECT_GT(total.installs, 0u);
    EXPECT_GT(total.changes, 0u);
    EXPECT_GT(total.failed_syncs, 0u);
}

TEST(GroupSimulation, TheSameSeedGivesTheSameRun) {
    const GroupSimPlan plan{.seed = 7, .steps = 300};
    EXPECT_EQ(simulate_groups(plan).trace, simulate_groups(plan).trace);
    EXPECT_NE(simulate_groups(plan).trace, simulate_groups({.seed = 8, .steps = 300}).trace);
}

/// The tests can fail: how many seeds it takes to find a planted bug.
std::uint64_t seeds_to_find(GroupSimPlan plan, std::string* failure) {
    for (plan.seed = 1; plan.seed <= 50; ++plan.seed) {
        *failure = simulate_groups(plan).failure;
        if (!failure->empty()) return plan.seed;
    }
    return 0;
}

TEST(GroupSimulation, FindsANodeThatForgetsItsVote) {
    std::string failure;
    EXPECT_NE(seeds_to_find({.forget_terms = true}, &failure), 0u);
    EXPECT_NE(failure.find("term"), std::string::npos) << failure;
}

TEST(GroupSimulation, FindsADiskThatLies) {
    std::string failure;
    EXPECT_NE(seeds_to_find({.lying_disk = true}, &failure), 0u);
}

}  // namespace group_sim_test
}  // namespace tidal::cluster
