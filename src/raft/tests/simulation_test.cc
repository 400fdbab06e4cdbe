// Clusters with every fault at once, from printed seeds.
// One seed again: TIDAL_RAFT_SEED=17 raft_test --gtest_filter='RaftSimulation.*'
// More of them:   TIDAL_RAFT_SEEDS=10000 raft_test --gtest_filter='RaftSimulation.*'
#include <gtest/gtest.h>

#include <cstdlib>

#include "raft/tests/simulation.h"

namespace tidal::raft {
namespace simulation_test {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(RaftSimulation, KeepsEveryPromise) {
    const std::uint64_t only = from_environment("TIDAL_RAFT_SEED", 0);
    const std::uint64_t first = only ? only : 1;
    const std::uint64_t last = only ? only : from_environment("TIDAL_RAFT_SEEDS", 200);
    SimulationResult total;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        const SimulationResult run = simulate({.seed = seed, .steps = 10000});
        ASSERT_EQ(run.failure, "")
            << "replay: TIDAL_RAFT_SEED=" << seed << " raft_test --gtest_filter='RaftSimulation.*'";
        total.steps += run.steps;
        total.elections += run.elections;
        total.committed += run.committed;
        total.reads += run.reads;
        total.installs += run.installs;
        total.crashes += run.crashes;
        total.member_changes += run.member_changes;
        total.transfers += run.transfers;
        total.trace ^= run.trace;
    }
    std::printf(
        "seeds %llu..%llu: %llu steps, %llu elections, %llu entries committed, %llu reads, "
        "%llu snapshots installed, %llu crashes, %llu changes of members, %llu transfers, "
        "trace %016llx\n",
        static_cast<unsigned long long>(first), static_cast<unsigned long long>(last),
        static_cast<unsigned long long>(total.steps),
        static_cast<unsigned long long>(total.elections),
        static_cast<unsigned long long>(total.committed),
        static_cast<unsigned long long>(total.reads),
        static_cast<unsigned long long>(total.installs),
        static_cast<unsigned long long>(total.crashes),
        static_cast<unsigned long long>(total.member_changes),
        static_cast<unsigned long long>(total.transfers),
        static_cast<unsigned long long>(total.trace));
    if (only) return;
    // The rare paths ran.
    EXPECT_GT(total.elections, 2 * last);
    EXPECT_GT(total.committed, 10 * last);
    EXPECT_GT(total.reads, 0u);
    EXPECT_GT(total.installs, 0u);
    EXPECT_GT(total.member_changes, 0u);
    EXPECT_GT(total.transfers, 0u);
}

TEST(RaftSimulation, TheSameSeedGivesTheSameRun) {
    const SimulationPlan plan{.seed = 7, .steps = 1500};
    EXPECT_EQ(simulate(plan).trace, simulate(plan).trace);
    EXPECT_NE(simulate(plan).trace, simulate({.seed = 8, .steps = 1500}).trace);
}

}  // namespace simulation_test
}  // namespace tidal::raft
