// A shard with few writes does not keep the log of the others.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace log_pin_test {

TEST(LogPin, AShardThatPinsTheLogCheckpointsBeforeItsInterval) {
    constexpr std::uint64_t kLogBytesMax = 256 << 10;
    SimNode node({.shards = 2,
                  .checkpoint_interval_ms = 24ULL * 3600 * 1000,
                  .checkpoint_events = 500,
                  .log_bytes_max = kLogBytesMax});
    node.options().log.file_bytes = 64 << 10;
    ASSERT_OK(node.open());
    const std::uint64_t quiet = id_at(EntityKind::kItem, 1, 2);
    const std::uint64_t busy = id_at(EntityKind::kItem, 2, 2);
    node.put(item(quiet));
    node.put(item(busy));
    const std::vector<Write> signals(500, signal(busy, "like"));
    std::uint64_t pinned_max = 0;
    for (int i = 0; i < 40; ++i) {
        for (const auto& reply : node.write(signals)) ASSERT_OK(reply);
        pinned_max = std::max(pinned_max, node->stats().shards[1].log_bytes_pinned);
        node.world().advance(2 * kSecondNs);
    }
    EXPECT_GT(pinned_max, kLogBytesMax) << "the quiet shard's item was in the way";
    EXPECT_EQ(node->stats().shards[1].log_bytes_pinned, 0u);
    EXPECT_EQ(node->stats().shards[1].checkpointed, node->stats().shards[1].applied);
    // What the busy shard wrote since its last checkpoint, and the file being written.
    EXPECT_LE(node->stats().log.files, 2 + 2 * kLogBytesMax / node.options().log.file_bytes);
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node.count(busy, "like"), 40 * 500);
}

}  // namespace log_pin_test
}  // namespace tidal::api
