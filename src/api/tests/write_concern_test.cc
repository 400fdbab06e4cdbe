// What "accepted" means: memory, local, and a database that keeps nothing.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace write_concern_test {

CallContext with(shard::WriteConcern concern) {
    CallContext context;
    context.write_concern = concern;
    return context;
}

TEST(WriteConcern, LocalSurvivesAPowerCutAtOnce) {
    SimNode node;
    ASSERT_OK(node.open());
    const WriteReply made = node.put(item(1));
    EXPECT_EQ(made.durable, shard::WriteConcern::kLocal);
    EXPECT_FALSE(made.may_be_lost);
    EXPECT_TRUE(made.created);
    node.put(signal(1, "like"));
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node.count(1, "like"), 1);
}

TEST(WriteConcern, MemoryAnswersAtOnceAndSaysThatItMayBeLost) {
    SimNode node;
    ASSERT_OK(node.open());
    node.put(item(1));
    std::optional<WriteReplies> replies;
    node->write({signal(1, "like")}, with(shard::WriteConcern::kMemory),
                [&](WriteReplies all) { replies = std::move(all); });
    ASSERT_TRUE(replies.has_value()) << "before anything was written";
    const WriteReply& reply = *replies->front();
    EXPECT_EQ(reply.durable, shard::WriteConcern::kMemory);
    EXPECT_TRUE(reply.may_be_lost);
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node.count(1, "like"), 0);
}

TEST(WriteConcern, MemoryIsKeptOnceWritten) {
    SimNode node;
    ASSERT_OK(node.open());
    node.put(item(1));
    const auto reply = node.write_one(signal(1, "like"), with(shard::WriteConcern::kMemory));
    ASSERT_OK(reply);
    ASSERT_OK(node.visible(reply->token));
    EXPECT_EQ(node.count(1, "like"), 1);
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node.count(1, "like"), 1);
}

TEST(WriteConcern, MemoryRefusesWhatLocalRefuses) {
    SimNode node;
    ASSERT_OK(node.open());
    const auto context = with(shard::WriteConcern::kMemory);
    EXPECT_EQ(node.write_one(signal(9, "like"), context).error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(node.write_one(signal(9, "lik"), context).error().code(), ErrorCode::kUnknownName);
}

TEST(Ephemeral, TakesWritesAndForgetsThem) {
    SimNode node({.ephemeral = true, .shards = 2});
    ASSERT_OK(node.open());
    const std::uint64_t creator = id_at(EntityKind::kCreator, 2, 2);
    const std::uint64_t here = id_at(EntityKind::kItem, 1, 2);
    node.put(item(here, creator));
    const WriteReply reply = node.put(signal(here, "like"));
    EXPECT_EQ(reply.durable, shard::WriteConcern::kMemory);
    EXPECT_FALSE(reply.may_be_lost) << "it is applied; nothing here lasts";
    EXPECT_EQ(node.count(here, "like"), 1);
    ASSERT_OK(node.visible(reply.token));
    EXPECT_EQ(node.count(EntityKind::kCreator, creator, "like"), 1);
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(node.count(here, "like"), -1);
}

TEST(Ephemeral, RefusesWhatNeedsADisk) {
    SimNode node({.ephemeral = true});
    ASSERT_OK(node.open());
    const auto refused = node.write_one(item(1), with(shard::WriteConcern::kLocal));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(refused.error().field(), "w");
    EXPECT_FALSE(node->get({EntityKind::kItem, std::uint64_t{1}}).ok()) << "nothing was written";
    EXPECT_EQ(node->export_signals({}).error().code(), ErrorCode::kUnsupported);
    EXPECT_EQ(node.checkpoint().error().code(), ErrorCode::kUnsupported);
}

}  // namespace write_concern_test
}  // namespace tidal::api
