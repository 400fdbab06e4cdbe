// Each bug of internal/planted.h and two of the caller, planted in a copy of the core that only
// this program has, is found by the simulation (or by the run of figure 8) within a bounded number
// of seeds; without one, the same seeds find nothing.
#include <gtest/gtest.h>

#include "raft/internal/planted.h"
#include "raft/tests/scenario.h"
#include "raft/tests/simulation.h"

namespace tidal::raft {
namespace {

Bug g_bug = Bug::kNone;

struct Planted {
    Bug bug;
    const char* name;
    bool forget_votes = false;
    bool report_early = false;
};

/// The first seed that fails, and how; 0 if none does.
std::pair<std::uint64_t, std::string> hunt(const Planted& planted, std::uint64_t seeds) {
    g_bug = planted.bug;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const auto run = simulate({.seed = seed,
                                   .steps = 10000,
                                   .forget_votes = planted.forget_votes,
                                   .report_early = planted.report_early});
        // A promise broken, not only a group that got stuck.
        if (run.failure.empty() || run.failure.starts_with("no agreement")) continue;
        g_bug = Bug::kNone;
        return {seed, run.failure};
    }
    g_bug = Bug::kNone;
    return {0, ""};
}

class PlantedBug : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBug, IsFound) {
    const auto [seed, failure] = hunt(GetParam(), 400);
    std::printf("%s: seed %llu: %s\n", GetParam().name, static_cast<unsigned long long>(seed),
                failure.c_str());
    EXPECT_NE(seed, 0u) << GetParam().name << " was not found";
}

INSTANTIATE_TEST_SUITE_P(
    Raft, PlantedBug,
    testing::Values(Planted{Bug::kAcknowledgeReceived, "AcknowledgeReceived"},
                    Planted{Bug::kLeaderCountsUnsynced, "LeaderCountsUnsynced"},
                    Planted{Bug::kAnswerBeforeVoteDurable, "AnswerBeforeVoteDurable"},
                    Planted{Bug::kSkipJoint, "SkipJoint"},
                    Planted{Bug::kReadWithoutQuorum, "ReadWithoutQuorum"},
                    Planted{Bug::kVoteForShorterLog, "VoteForShorterLog"},
                    Planted{Bug::kCountOlderTerms, "CountOlderTerms"},
                    Planted{Bug::kNone, "ForgetVotes", true, false},
                    Planted{Bug::kNone, "ReportEarly", false, true}),
    [](const auto& test) { return test.param.name; });

TEST(PlantedBug, FigureEightShowsCountedOlderTerms) {
    const std::string path = TIDAL_TESTDATA_DIR "/figure_8.txt";
    EXPECT_EQ(replay_scenario(path), "");
    g_bug = Bug::kCountOlderTerms;
    EXPECT_NE(replay_scenario(path), "");
    g_bug = Bug::kNone;
}

TEST(PlantedBug, NoneIsFoundWhereNoneIs) {
    EXPECT_EQ(hunt({Bug::kNone, "None"}, 20).second, "");
}

}  // namespace

Bug planted_bug() {
    return g_bug;
}

}  // namespace tidal::raft
