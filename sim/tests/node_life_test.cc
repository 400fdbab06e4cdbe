#include "sim/node_life.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tidal::sim {
namespace node_life_test {

constexpr std::uint64_t kSeedsPerShardCount = 67;

/// `TIDAL_SIM_SEEDS=N` runs N for each number of shards; `tidal-sim --seeds` as many as one likes.
std::uint64_t seeds_per_shard_count() {
    const char* const text = std::getenv("TIDAL_SIM_SEEDS");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : kSeedsPerShardCount;
}

class NodeLife : public testing::TestWithParam<std::uint16_t> {};

TEST_P(NodeLife, LosesNothingAndCountsEverythingOnce) {
    std::uint64_t let_in = 0, reads_between = 0;
    for (std::uint64_t seed = 1; seed <= seeds_per_shard_count(); ++seed) {
        NodeLifeOptions options;
        options.seed = seed;
        options.shards = GetParam();
        const NodeLifeReport report = run_node_life(options);
        ASSERT_EQ(report.failure, "")
            << "replay: tidal-sim --seed " << seed << " --shards " << GetParam();
        EXPECT_EQ(report.crashes, options.lives - 1 + 2);
        let_in += report.let_in;
        reads_between += report.reads_between;
    }
    EXPECT_GT(let_in, 0u);
    EXPECT_GT(reads_between, 0u);
}

INSTANTIATE_TEST_SUITE_P(Shards, NodeLife, testing::Values(1, 2, 5));

TEST(NodeLife, TheSameSeedEndsInTheSameHash) {
    NodeLifeOptions options;
    options.seed = 7;
    options.shards = 3;
    const auto first = run_node_life(options);
    EXPECT_EQ(run_node_life(options).final_hash, first.final_hash);
    options.seed = 8;
    EXPECT_NE(run_node_life(options).final_hash, first.final_hash);
}

}  // namespace node_life_test
}  // namespace tidal::sim
