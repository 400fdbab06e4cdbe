// A full disk refuses writes, serves reads, and is over when there is space again.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace full_disk_test {

/// Writes signals until one is refused; how many were accepted.
int fill(SimNode& node, int* attempts) {
    node.disk().set_capacity(node.disk().used_bytes() + 1024);
    int accepted = 0;
    for (int i = 0; i < 2000; ++i, ++*attempts) {
        SignalWrite write = signal(1, "like", "key " + std::to_string(*attempts));
        write.context = std::string(200, 'x');
        const auto reply = node.write_one(write);
        if (!reply.ok()) {
            EXPECT_EQ(reply.error().code(), ErrorCode::kDiskFull) << reply.error().to_string();
            return accepted;
        }
        ++accepted;
    }
    ADD_FAILURE() << "the disk does not fill up";
    return accepted;
}

TEST(FullDisk, RefusesWritesServesReadsAndRecovers) {
    SimNode node;
    ASSERT_OK(node.open());
    node.put(item(1));
    int attempts = 0, accepted = 0;
    for (int round = 0; round < 3; ++round) {
        accepted += fill(node, &attempts);
        EXPECT_EQ(node.count(1, "like"), accepted) << "what was refused is not counted";
        EXPECT_TRUE(node->get({EntityKind::kItem, std::uint64_t{1}}).ok());
        EXPECT_FALSE(node.crashed()) << "a full disk is no reason to die";

        node.disk().set_capacity(~0ULL);
        const auto again = node.write_one(signal(1, "like", "key " + std::to_string(attempts)));
        // The refused write had another body: what it was refused for left its key free.
        ASSERT_OK(again);
        EXPECT_FALSE(again->repeated);
        ++accepted;
        ++attempts;
        EXPECT_EQ(node.count(1, "like"), accepted);
    }
    const auto before = node->content_hashes();
    ASSERT_OK(node.crash_and_open());
    const auto after = node->content_hashes();
    ASSERT_OK(before);
    ASSERT_OK(after);
    EXPECT_EQ(*before, *after);
    EXPECT_EQ(node.count(1, "like"), accepted);
}

TEST(FullDisk, WritesQueuedBehindARefusedOneAreAnsweredAndNotApplied) {
    SimNode node;
    ASSERT_OK(node.open());
    node.put(item(1));
    node.disk().set_capacity(node.disk().used_bytes());
    int refused = 0, accepted = 0;
    constexpr int kWrites = 300;
    for (int i = 0; i < kWrites; ++i) {
        SignalWrite write = signal(1, "like");
        write.context = std::string(500, 'x');
        node->write({write}, {},
                    [&](WriteReplies replies) { ++(replies.front().ok() ? accepted : refused); });
        // Some are on their way to the disk, some wait behind them, when the first is refused; some
        // come when there is space again and the refused ones are not all back.
        node.world().advance(20'000);
        if (refused > 0) node.disk().set_capacity(~0ULL);
    }
    ASSERT_TRUE(node.world().run_until([&] { return refused + accepted == kWrites; }));
    EXPECT_GT(accepted, 50);
    EXPECT_GT(refused, 0);
    for (const auto& shard : node->stats().shards) EXPECT_EQ(shard.proposed_bytes, 0u);
    EXPECT_EQ(node.count(1, "like"), accepted);
    node.put(signal(1, "like"));
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node.count(1, "like"), accepted + 1);
}

TEST(FullDisk, ACheckpointThatFindsNoRoomIsTriedAgain) {
    SimNode node;
    ASSERT_OK(node.open());
    node.put(item(1));
    for (int i = 0; i < 20; ++i) node.put(signal(1, "like"));
    node.disk().set_capacity(node.disk().used_bytes());
    const auto refused = node.checkpoint();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kDiskFull);
    EXPECT_FALSE(node.crashed());
    bool told = false;
    for (const auto& shard : node->stats().shards) told = told || !shard.checkpoint_error.empty();
    EXPECT_TRUE(told);
    node.disk().set_capacity(~0ULL);
    ASSERT_OK(node.checkpoint());
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node.count(1, "like"), 20);
}

}  // namespace full_disk_test
}  // namespace tidal::api
