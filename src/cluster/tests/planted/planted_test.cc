// Each bug of shard/internal/planted.h and cluster/internal/planted.h that one shard on four nodes
// can show is found by the simulation of replicas within a bounded number of seeds; without one,
// the same seeds find nothing (cluster_sim_test). The rest is in api/tests/planted.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "cluster/internal/planted.h"
#include "cluster/tests/sim/old_leader_sim.h"
#include "cluster/tests/sim/replica_sim.h"
#include "shard/internal/planted.h"

namespace tidal::cluster {
namespace {

shard::Bug g_shard_bug = shard::Bug::kNone;
Bug g_cluster_bug = Bug::kNone;

std::string any_faults(std::uint64_t seed) {
    return simulate_replicas({.seed = seed}).failure;
}

struct Planted {
    const char* name;
    shard::Bug of_shard = shard::Bug::kNone;
    Bug of_cluster = Bug::kNone;
    std::uint64_t from = 1;  ///< About where one is known to show it.
    std::string (*simulate)(std::uint64_t seed) = any_faults;
};

constexpr std::uint64_t kSeeds = 60;

/// The first seed that fails, and how; 0 if none does.
std::pair<std::uint64_t, std::string> hunt(const Planted& planted, std::uint64_t seeds) {
    g_shard_bug = planted.of_shard;
    g_cluster_bug = planted.of_cluster;
    std::pair<std::uint64_t, std::string> found;
    for (std::uint64_t i = 0; i < seeds && found.first == 0; ++i) {
        const std::uint64_t seed = planted.from + i;
        const std::string failure = planted.simulate(seed);
        if (!failure.empty()) found = {seed, failure.substr(0, failure.find('\n'))};
    }
    g_shard_bug = shard::Bug::kNone;
    g_cluster_bug = Bug::kNone;
    return found;
}

class PlantedBug : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBug, IsFound) {
    const auto [seed, failure] = hunt(GetParam(), kSeeds);
    std::printf("%s: seed %llu: %s\n", GetParam().name, static_cast<unsigned long long>(seed),
                failure.c_str());
    EXPECT_NE(seed, 0u) << GetParam().name << " was not found";
}

Planted of_shard(const char* name, shard::Bug bug) {
    return {.name = name, .of_shard = bug};
}
Planted of_cluster(const char* name, Bug bug, std::uint64_t from = 1) {
    return {.name = name, .of_cluster = bug, .from = from};
}

INSTANTIATE_TEST_SUITE_P(
    Replicas, PlantedBug,
    testing::Values(of_shard("AnswerBeforeMajority", shard::Bug::kAnswerBeforeMajority),
                    of_shard("AllIsMajority", shard::Bug::kAllIsMajority),
                    of_shard("FirstAppliedTwice", shard::Bug::kFirstAppliedTwice),
                    of_shard("ProposeBeforeEmptyApplied", shard::Bug::kProposeBeforeEmptyApplied),
                    of_shard("KeyNotChecked", shard::Bug::kKeyNotChecked),
                    of_cluster("TellDurableEarly", Bug::kTellDurableEarly, 16),
                    of_cluster("ForgetVote", Bug::kForgetVote),
                    of_cluster("DecideByIndex", Bug::kDecideByIndex, 14),
                    Planted{.name = "NoBaseMark",
                            .of_cluster = Bug::kNoBaseMark,
                            .simulate = simulate_old_leader},
                    of_cluster("CompactBeyondCheckpoint", Bug::kCompactBeyondCheckpoint, 27),
                    of_cluster("FetchIgnoresTerm", Bug::kFetchIgnoresTerm, 15)),
    [](const auto& test) { return test.param.name; });

TEST(PlantedBug, NoneIsFoundWhereNoneIs) {
    EXPECT_EQ(hunt({.name = "None"}, 3).second, "");
}

}  // namespace

Bug planted_bug() {
    return g_cluster_bug;
}

}  // namespace tidal::cluster

namespace tidal::shard {

Bug planted_bug() {
    return cluster::g_shard_bug;
}

}  // namespace tidal::shard
