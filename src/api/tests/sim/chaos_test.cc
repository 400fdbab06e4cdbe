// Many seeds of sim/chaos.h (docs/development.md, "Simulations").
//
//     TIDAL_API_CLUSTER_SEED=17 api_sim_test --gtest_filter='ClusterChaos.*'      one seed, again
//     TIDAL_API_CLUSTER_SEEDS=1000 api_sim_test --gtest_filter='ClusterChaos.*'   many
//     TIDAL_API_CLUSTER_FIRST_SEED=501                                            from here on
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "api/tests/sim/chaos.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kSeeds = 40;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

void add(const ChurnCounts& run, ChurnCounts* sum) {
    sum->joins += run.joins;
    sum->joined += run.joined;
    sum->joins_failed += run.joins_failed;
    sum->removals += run.removals;
    sum->leaves += run.leaves;
    sum->removed += run.removed;
    sum->removed_dead += run.removed_dead;
    sum->removals_failed += run.removals_failed;
    sum->interrupted += run.interrupted;
    sum->zombies += run.zombies;
}

void add(const PeopleCounts& run, PeopleCounts* sum) {
    sum->signals += run.signals;
    sum->undos += run.undos;
    sum->relationships += run.relationships;
    sum->acknowledged += run.acknowledged;
    sum->pages += run.pages;
    sum->models += run.models;
    sum->compared.states += run.compared.states;
    sum->compared.relationships += run.compared.relationships;
    sum->compared.positives += run.compared.positives;
    sum->compared.negatives += run.compared.negatives;
    sum->compared.pairs += run.compared.pairs;
    sum->compared.undone += run.compared.undone;
    sum->compared.dropped += run.compared.dropped;
    sum->sessions += run.sessions;
    sum->in_sessions += run.in_sessions;
    sum->undos_in_sessions += run.undos_in_sessions;
    sum->compared.undone_in_sessions += run.compared.undone_in_sessions;
    sum->closed += run.closed;
    sum->erasures += run.erasures;
    sum->moves += run.moves;
    sum->compared.sessions += run.compared.sessions;
    sum->compared.in_sessions += run.compared.in_sessions;
    sum->compared.erased += run.compared.erased;
    sum->compared.cohort_cells += run.compared.cohort_cells;
    sum->compared.cohort_users += run.compared.cohort_users;
}

TEST(ClusterChaos, KeepsEveryPromise) {
    const std::uint64_t one = from_environment("TIDAL_API_CLUSTER_SEED", 0);
    const std::uint64_t first =
        one != 0 ? one : from_environment("TIDAL_API_CLUSTER_FIRST_SEED", 1);
    const std::uint64_t count = one != 0 ? 1 : from_environment("TIDAL_API_CLUSTER_SEEDS", kSeeds);
    const auto begun = std::chrono::steady_clock::now();
    ChaosResult sum;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const ChaosResult run = run_chaos(seed);
        ASSERT_EQ(run.failure, "") << "replay: TIDAL_API_CLUSTER_SEED=" << seed
                                   << " api_sim_test --gtest_filter='ClusterChaos.*'\nfinal hash "
                                   << std::hex << run.trace;
        sum.writes += run.writes;
        sum.answered += run.answered;
        sum.acknowledged += run.acknowledged;
        sum.strong_reads += run.strong_reads;
        sum.bounded_reads += run.bounded_reads;
        sum.eventual_reads += run.eventual_reads;
        sum.token_reads += run.token_reads;
        sum.deaths += run.deaths;
        sum.pauses += run.pauses;
        sum.stalls += run.stalls;
        sum.failed_syncs += run.failed_syncs;
        sum.clock_faults += run.clock_faults;
        sum.partitions += run.partitions;
        sum.wiped += run.wiped;
        sum.whole_exports += run.whole_exports;
        sum.batches += run.batches;
        sum.between_slices += run.between_slices;
        add(run.churn, &sum.churn);
        add(run.people, &sum.people);
        sum.virtual_ns += run.virtual_ns;
        sum.trace ^= run.trace;
    }
    const auto n = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
    const double real_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    const double virtual_s = static_cast<double>(sum.virtual_ns) / 1e9;
    std::printf(
        "%llu seeds: %.2f cluster-hours in %.0f s, %.0f x real time; %llu writes, %llu answered, "
        "%llu acknowledged; reads: %llu strong, %llu bounded, %llu eventual, %llu with a token; "
        "%llu deaths, %llu pauses, %llu stalls, %llu failing syncs, %llu clocks disturbed, %llu "
        "partitions, %llu wiped; %llu batches, %llu times something between slices; members: %llu "
        "joins, %llu joined, %llu failed; %llu removals, %llu leaves, %llu removed (%llu dead), "
        "%llu failed; %llu changes interrupted, %llu nodes refused at the end; people: %llu "
        "signals, %llu undos, %llu relationships, %llu acknowledged, %llu pages; %llu models, with "
        "%llu states, %llu relationships, %llu liked, %llu disliked, %llu pairs, %llu taken back, "
        "%llu dropped from a full ring; %llu sessions opened, %llu closed, %llu signals in them, "
        "%llu undos, %llu moves, %llu erasures, and in the models %llu sessions, %llu items of "
        "sessions, %llu of undos, %llu erasures, %llu ledgers of cohorts, %llu with users; trace "
        "%016llx\n",
        n(count), virtual_s / 3600, real_s, virtual_s / real_s, n(sum.writes), n(sum.answered),
        n(sum.acknowledged), n(sum.strong_reads), n(sum.bounded_reads), n(sum.eventual_reads),
        n(sum.token_reads), n(sum.deaths), n(sum.pauses), n(sum.stalls), n(sum.failed_syncs),
        n(sum.clock_faults), n(sum.partitions), n(sum.wiped), n(sum.batches), n(sum.between_slices),
        n(sum.churn.joins), n(sum.churn.joined), n(sum.churn.joins_failed), n(sum.churn.removals),
        n(sum.churn.leaves), n(sum.churn.removed), n(sum.churn.removed_dead),
        n(sum.churn.removals_failed), n(sum.churn.interrupted), n(sum.churn.zombies),
        n(sum.people.signals), n(sum.people.undos), n(sum.people.relationships),
        n(sum.people.acknowledged), n(sum.people.pages), n(sum.people.models),
        n(sum.people.compared.states), n(sum.people.compared.relationships),
        n(sum.people.compared.positives), n(sum.people.compared.negatives),
        n(sum.people.compared.pairs), n(sum.people.compared.undone), n(sum.people.compared.dropped),
        n(sum.people.sessions), n(sum.people.closed), n(sum.people.in_sessions),
        n(sum.people.undos_in_sessions), n(sum.people.moves), n(sum.people.erasures),
        n(sum.people.compared.sessions), n(sum.people.compared.in_sessions),
        n(sum.people.compared.undone_in_sessions), n(sum.people.compared.erased),
        n(sum.people.compared.cohort_cells), n(sum.people.compared.cohort_users), n(sum.trace));
    EXPECT_GT(sum.people.models, 0u);
    if (count < 20) return;
    for (const std::uint64_t each : {sum.strong_reads,
                                     sum.bounded_reads,
                                     sum.eventual_reads,
                                     sum.token_reads,
                                     sum.deaths,
                                     sum.pauses,
                                     sum.stalls,
                                     sum.failed_syncs,
                                     sum.clock_faults,
                                     sum.partitions,
                                     sum.wiped,
                                     sum.whole_exports,
                                     sum.batches,
                                     sum.between_slices,
                                     sum.churn.joined,
                                     sum.churn.joins_failed,
                                     sum.churn.removals,
                                     sum.churn.leaves,
                                     sum.churn.removed,
                                     sum.churn.removed_dead,
                                     sum.churn.removals_failed,
                                     sum.churn.interrupted,
                                     sum.churn.zombies,
                                     sum.people.undos,
                                     sum.people.pages,
                                     sum.people.compared.states,
                                     sum.people.compared.relationships,
                                     sum.people.compared.negatives,
                                     sum.people.compared.pairs,
                                     sum.people.compared.undone,
                                     sum.people.compared.dropped,
                                     sum.people.closed,
                                     sum.people.moves,
                                     sum.people.compared.sessions,
                                     sum.people.compared.in_sessions,
                                     sum.people.compared.undone_in_sessions,
                                     sum.people.compared.erased,
                                     sum.people.compared.cohort_cells,
                                     sum.people.compared.cohort_users})
        EXPECT_GT(each, 0u);
}

TEST(ClusterChaos, TheSameSeedGivesTheSameRun) {
    EXPECT_EQ(run_chaos(3).trace, run_chaos(3).trace);
}

}  // namespace
}  // namespace tidal::api
