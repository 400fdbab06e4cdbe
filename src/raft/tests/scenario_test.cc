// Transcripts: one case per file in src/raft/testdata. TIDAL_REWRITE=1 writes the outputs anew, to
// be reviewed as a difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "raft/tests/scenario.h"

namespace tidal::raft {
namespace scenario_test {

std::vector<std::string> files() {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(TIDAL_TESTDATA_DIR))
        if (entry.path().extension() == ".txt") paths.push_back(entry.path().string());
    std::sort(paths.begin(), paths.end());
    return paths;
}

class RaftScenario : public testing::TestWithParam<std::string> {};

TEST_P(RaftScenario, MatchesTranscript) {
    if (std::getenv("TIDAL_REWRITE")) {
        const std::string text = rewrite_scenario(GetParam());
        std::ofstream(GetParam()) << text;
    }
    EXPECT_EQ(replay_scenario(GetParam()), "");
}

INSTANTIATE_TEST_SUITE_P(Raft, RaftScenario, testing::ValuesIn(files()), [](const auto& file) {
    return std::filesystem::path(file.param).stem().string();
});

}  // namespace scenario_test
}  // namespace tidal::raft
