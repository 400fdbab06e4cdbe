// Many seeds of sim/restores.h (docs/development.md, "Simulations").
//
//     TIDAL_API_RESTORES_SEED=17 api_sim_test --gtest_filter='Restores.*'      one seed, again
//     TIDAL_API_RESTORES_SEEDS=1000 api_sim_test --gtest_filter='Restores.*'   many
#include "api/tests/sim/restores.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace tidal::api {
namespace {

constexpr std::uint64_t kSeeds = 40;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Restores, BringBackAllThatIsPersonal) {
    const std::uint64_t one = from_environment("TIDAL_API_RESTORES_SEED", 0);
    const std::uint64_t first = one != 0 ? one : 1;
    const std::uint64_t otherwise = from_environment("TIDAL_API_CLUSTER_SEEDS", kSeeds);
    const std::uint64_t count =
        one != 0 ? 1 : from_environment("TIDAL_API_RESTORES_SEEDS", otherwise);
    RestoresResult sum;
    PersonalModel::Sizes& compared = sum.people.compared;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const RestoresResult run = run_restores(seed);
        ASSERT_EQ(run.failure, "")
            << "replay: TIDAL_API_RESTORES_SEED=" << seed
            << " api_sim_test --gtest_filter='Restores.*'\nfinal hash " << std::hex << run.trace;
        sum.deaths += run.deaths;
        sum.checkpoints += run.checkpoints;
        sum.failed_syncs += run.failed_syncs;
        sum.stalls += run.stalls;
        sum.backups += run.backups;
        sum.backups_failed += run.backups_failed;
        sum.restores += run.restores;
        sum.restores_cut += run.restores_cut;
        sum.other_pasts += run.other_pasts;
        sum.under_way += run.under_way;
        sum.people.signals += run.people.signals;
        sum.people.acknowledged += run.people.acknowledged;
        sum.people.pages += run.people.pages;
        sum.people.told += run.people.told;
        sum.people.told_none += run.people.told_none;
        sum.people.models += run.people.models;
        compared.states += run.people.compared.states;
        compared.relationships += run.people.compared.relationships;
        compared.positives += run.people.compared.positives;
        compared.negatives += run.people.compared.negatives;
        compared.pairs += run.people.compared.pairs;
        compared.undone += run.people.compared.undone;
        compared.sessions += run.people.compared.sessions;
        compared.in_sessions += run.people.compared.in_sessions;
        compared.undone_in_sessions += run.people.compared.undone_in_sessions;
        compared.erased += run.people.compared.erased;
        compared.cohort_cells += run.people.compared.cohort_cells;
        compared.cohort_users += run.people.compared.cohort_users;
        sum.trace ^= run.trace;
    }
    const auto n = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
    std::printf(
        "%llu seeds: %llu backups, %llu given up; %llu restores, %llu of a past left behind, %llu "
        "with effects under way, and %llu cut; %llu deaths, %llu checkpoints, %llu failing syncs, "
        "%llu stalls; people: %llu signals, %llu acknowledged, %llu pages, %llu told of some, %llu "
        "of none; %llu models, at the end with %llu states, %llu relationships, %llu liked, %llu "
        "disliked, %llu pairs, %llu taken back, %llu sessions, %llu items of sessions, %llu of "
        "undos in them, %llu erasures, %llu ledgers of cohorts, %llu with users; trace %016llx\n",
        n(count), n(sum.backups), n(sum.backups_failed), n(sum.restores), n(sum.other_pasts),
        n(sum.under_way), n(sum.restores_cut), n(sum.deaths), n(sum.checkpoints),
        n(sum.failed_syncs), n(sum.stalls), n(sum.people.signals), n(sum.people.acknowledged),
        n(sum.people.pages), n(sum.people.told), n(sum.people.told_none), n(sum.people.models),
        n(compared.states), n(compared.relationships), n(compared.positives), n(compared.negatives),
        n(compared.pairs), n(compared.undone), n(compared.sessions), n(compared.in_sessions),
        n(compared.undone_in_sessions), n(compared.erased), n(compared.cohort_cells),
        n(compared.cohort_users), n(sum.trace));
    if (count < 10) return;
    for (const std::uint64_t each : {sum.backups,
                                     sum.backups_failed,
                                     sum.restores,
                                     sum.restores_cut,
                                     sum.other_pasts,
                                     sum.under_way,
                                     sum.deaths,
                                     sum.checkpoints,
                                     sum.failed_syncs,
                                     sum.stalls,
                                     sum.people.acknowledged,
                                     sum.people.pages,
                                     sum.people.told,
                                     sum.people.told_none,
                                     compared.states,
                                     compared.relationships,
                                     compared.positives,
                                     compared.negatives,
                                     compared.pairs,
                                     compared.undone,
                                     compared.sessions,
                                     compared.in_sessions,
                                     compared.undone_in_sessions,
                                     compared.erased,
                                     compared.cohort_cells,
                                     compared.cohort_users})
        EXPECT_GT(each, 0u);
    EXPECT_GT(sum.people.models, sum.restores / 2);
}

TEST(Restores, TheSameSeedGivesTheSameRun) {
    EXPECT_EQ(run_restores(3).trace, run_restores(3).trace);
}

}  // namespace
}  // namespace tidal::api
