// Real shards on four nodes, one of which comes and goes, with every fault at once, from printed
// seeds (docs/development.md, "Simulations").
//
//     TIDAL_CLUSTER_SEED=17 cluster_sim_test --gtest_filter='ReplicaSimulation.*'     one, again
//     TIDAL_CLUSTER_SEEDS=10000 cluster_sim_test --gtest_filter='ReplicaSimulation.*' many
//     TIDAL_CLUSTER_FIRST_SEED=5001                                                   from here on
//     TIDAL_CLUSTER_REPEATS=1000                                                      of one seed
#include "replica_sim.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace tidal::cluster {
namespace {

constexpr std::uint64_t kSeeds = 160;
constexpr std::uint64_t kReportEach = 500;

unsigned long long n(std::uint64_t number) {
    return number;
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string replay(std::uint64_t seed) {
    return "replay: TIDAL_CLUSTER_SEED=" + std::to_string(seed) +
           " cluster_sim_test --gtest_filter='ReplicaSimulation.KeepsEveryPromise'";
}

struct Total {
    ReplicaSimResult sum;
    std::uint64_t seeds = 0;
    std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();

    void add(const ReplicaSimResult& run) {
        ++seeds;
        sum.keys += run.keys;
        sum.tries += run.tries;
        sum.acknowledged += run.acknowledged;
        sum.repeated += run.repeated;
        sum.promised += run.promised;
        sum.refused += run.refused;
        sum.unknown += run.unknown;
        sum.on_all += run.on_all;
        sum.strong_reads += run.strong_reads;
        sum.session_reads += run.session_reads;
        sum.leaders += run.leaders;
        sum.snapshots += run.snapshots;
        sum.hashes += run.hashes;
        sum.faults.add(run.faults);
        sum.virtual_ns += run.virtual_ns;
        sum.trace ^= run.trace;
    }

    void print() const {
        const double real_s =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
        const double virtual_s = static_cast<double>(sum.virtual_ns) / 1e9;
        std::printf(
            "%llu seeds: %.2f cluster-hours in %.0f s, %.0f x real time; %llu keys, %llu tries, "
            "%llu writes acknowledged, %llu repeated, %llu promised, %llu on all voters, %llu "
            "refused, %llu of unknown fate, %llu strong reads, %llu reads of sessions, %llu "
            "leaders, %llu snapshots installed, %llu hashes compared; %s; trace %016llx\n",
            n(seeds), virtual_s / 3600, real_s, virtual_s / real_s, n(sum.keys), n(sum.tries),
            n(sum.acknowledged), n(sum.repeated), n(sum.promised), n(sum.on_all), n(sum.refused),
            n(sum.unknown), n(sum.strong_reads), n(sum.session_reads), n(sum.leaders),
            n(sum.snapshots), n(sum.hashes), sum.faults.to_string().c_str(), n(sum.trace));
        std::fflush(stdout);
    }
};

/// The rare paths ran.
void expect_everything_happened(const Total& total) {
    const ReplicaSimResult& sum = total.sum;
    EXPECT_GT(sum.acknowledged, 100 * total.seeds);
    EXPECT_GT(sum.leaders, 3 * total.seeds);
    for (const std::uint64_t each : {sum.repeated,
                                     sum.promised,
                                     sum.on_all,
                                     sum.refused,
                                     sum.unknown,
                                     sum.snapshots,
                                     sum.strong_reads,
                                     sum.session_reads,
                                     sum.faults.crashes,
                                     sum.faults.mass_kills,
                                     sum.faults.crashes_at_an_operation,
                                     sum.faults.failed_starts,
                                     sum.faults.pauses,
                                     sum.faults.stalls,
                                     sum.faults.slow_disks,
                                     sum.faults.failed_syncs,
                                     sum.faults.full_disks,
                                     sum.faults.clock_faults,
                                     sum.faults.partitions,
                                     sum.faults.flaps,
                                     sum.faults.corrupted})
        EXPECT_GT(each, 0u);
}

TEST(ReplicaSimulation, KeepsEveryPromise) {
    const std::uint64_t only = from_environment("TIDAL_CLUSTER_SEED", 0);
    const std::uint64_t first = only ? only : from_environment("TIDAL_CLUSTER_FIRST_SEED", 1);
    const std::uint64_t count = only ? 1 : from_environment("TIDAL_CLUSTER_SEEDS", kSeeds);
    Total total;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const ReplicaSimResult run = simulate_replicas({.seed = seed});
        ASSERT_EQ(run.failure, "") << replay(seed) << "\nfinal hash " << std::hex << run.trace;
        total.add(run);
        if (total.seeds % kReportEach == 0 && total.seeds < count) total.print();
    }
    total.print();
    if (count >= 20) expect_everything_happened(total);
}

TEST(ReplicaSimulation, TheSameSeedGivesTheSameRun) {
    const ReplicaSimPlan plan{.seed = 7, .steps = 200};
    const std::uint64_t trace = simulate_replicas(plan).trace;
    std::printf("trace %016llx\n", static_cast<unsigned long long>(trace));
    const std::uint64_t repeats = from_environment("TIDAL_CLUSTER_REPEATS", 4);
    for (std::uint64_t i = 0; i < repeats; ++i)
        ASSERT_EQ(simulate_replicas(plan).trace, trace) << i;
}

TEST(ReplicaSimulation, FindsAClientThatRepeatsWithAnotherKey) {
    std::string failure;
    for (std::uint64_t seed = 1; seed <= 10 && failure.empty(); ++seed)
        failure = simulate_replicas({.seed = seed, .steps = 400, .new_key_per_try = true}).failure;
    EXPECT_NE(failure, "");
}

}  // namespace
}  // namespace tidal::cluster
