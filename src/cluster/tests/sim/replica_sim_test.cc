// Real shards on four nodes, one of which comes and goes, with every fault at once, from printed
// seeds. One seed again: TIDAL_CLUSTER_SEED=17 cluster_test
// --gtest_filter='ReplicaSimulation.KeepsEveryPromise' More of them:   TIDAL_CLUSTER_SEEDS=1000
#include "replica_sim.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tidal::cluster {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(ReplicaSimulation, KeepsEveryPromise) {
    const std::uint64_t only = from_environment("TIDAL_CLUSTER_SEED", 0);
    const std::uint64_t first = only ? only : 1;
    const std::uint64_t last = only ? only : from_environment("TIDAL_CLUSTER_SEEDS", 12);
    ReplicaSimResult total;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        const ReplicaSimResult run = simulate_replicas({.seed = seed});
        ASSERT_EQ(run.failure, "") << "replay: TIDAL_CLUSTER_SEED=" << seed
                                   << " cluster_test "
                                      "--gtest_filter='ReplicaSimulation.KeepsEveryPromise'";
        total.keys += run.keys;
        total.tries += run.tries;
        total.acknowledged += run.acknowledged;
        total.repeated += run.repeated;
        total.promised += run.promised;
        total.refused += run.refused;
        total.unknown += run.unknown;
        total.on_all += run.on_all;
        total.leaders += run.leaders;
        total.crashes += run.crashes;
        total.full_disks += run.full_disks;
        total.snapshots += run.snapshots;
        total.hashes += run.hashes;
        total.trace ^= run.trace;
    }
    const auto n = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
    std::printf(
        "seeds %llu..%llu: %llu keys, %llu tries, %llu writes acknowledged, %llu repeated, %llu "
        "promised, %llu on all voters, %llu refused, %llu of unknown fate, %llu leaders, %llu "
        "crashes, %llu full disks, %llu snapshots installed, %llu hashes compared, trace %016llx\n",
        n(first), n(last), n(total.keys), n(total.tries), n(total.acknowledged), n(total.repeated),
        n(total.promised), n(total.on_all), n(total.refused), n(total.unknown), n(total.leaders),
        n(total.crashes), n(total.full_disks), n(total.snapshots), n(total.hashes), n(total.trace));
    if (only) return;
    // The rare paths ran.
    EXPECT_GT(total.acknowledged, 100 * last);
    EXPECT_GT(total.leaders, 3 * last);
    EXPECT_GT(total.repeated, 0u);
    EXPECT_GT(total.promised, 0u);
    EXPECT_GT(total.on_all, 0u);
    EXPECT_GT(total.refused, 0u);
    EXPECT_GT(total.unknown, 0u);
    EXPECT_GT(total.snapshots, 0u);
}

TEST(ReplicaSimulation, TheSameSeedGivesTheSameRun) {
    const ReplicaSimPlan plan{.seed = 7, .steps = 200};
    EXPECT_EQ(simulate_replicas(plan).trace, simulate_replicas(plan).trace);
}

TEST(ReplicaSimulation, FindsAClientThatRepeatsWithAnotherKey) {
    std::string failure;
    for (std::uint64_t seed = 1; seed <= 10 && failure.empty(); ++seed)
        failure = simulate_replicas({.seed = seed, .steps = 400, .new_key_per_try = true}).failure;
    EXPECT_NE(failure.find("likes, not"), std::string::npos) << failure;
}

}  // namespace
}  // namespace tidal::cluster
