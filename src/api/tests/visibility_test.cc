// A read that carries the token of a write sees the write and its effects on other shards.
#include "api/tests/sim_node.h"

namespace tidal::api {
namespace visibility_test {

constexpr std::uint16_t kShards = 2;

class Visibility : public testing::Test {
protected:
    Visibility() : node({.shards = kShards, .executors = kShards}) {}
    void SetUp() override {
        ASSERT_OK(node.open());
        node.put(item(item_, creator_));
    }

    const std::uint64_t item_ = id_at(EntityKind::kItem, 1, kShards);
    const std::uint64_t creator_ = id_at(EntityKind::kCreator, 2, kShards);
    SimNode node;
};

TEST_F(Visibility, ATokenWaitsForTheRelay) {
    for (int i = 1; i <= 20; ++i) {
        const WriteReply reply = node.put(signal(item_, "like"));
        EXPECT_EQ(node.count(item_, "like"), i) << "its own shard has it when it answers";
        ASSERT_LT(node.count(EntityKind::kCreator, creator_, "like"), i)
            << "the test must not begin where it ends";
        ASSERT_OK(node.visible(reply.token));
        EXPECT_EQ(node.count(EntityKind::kCreator, creator_, "like"), i);
    }
}

TEST_F(Visibility, ATokenFromMemoryWaitsForTheRelayToo) {
    CallContext context;
    context.write_concern = shard::WriteConcern::kMemory;
    for (int i = 1; i <= 20; ++i) {
        const auto reply = node.write_one(signal(item_, "like"), context);
        ASSERT_OK(reply);
        ASSERT_LT(node.count(EntityKind::kCreator, creator_, "like"), i)
            << "the test must not begin where it ends";
        ASSERT_OK(node.visible(reply->token));
        EXPECT_EQ(node.count(item_, "like"), i);
        EXPECT_EQ(node.count(EntityKind::kCreator, creator_, "like"), i);
    }
}

TEST_F(Visibility, TheTokenOfARepeatIsTheFirstOne) {
    const WriteReply first = node.put(signal(item_, "like", "key"));
    ASSERT_OK(node.visible(first.token));
    ASSERT_OK(node.crash_and_open());
    const WriteReply again = node.put(signal(item_, "like", "key"));
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.token, first.token);
    ASSERT_OK(node.visible(again.token));
    EXPECT_EQ(node.count(EntityKind::kCreator, creator_, "like"), 1);
}

TEST_F(Visibility, AfterACrashTheTokenStillWaitsForTheRelay) {
    const WriteReply reply = node.put(signal(item_, "like"));
    ASSERT_OK(node.crash_and_open());
    ASSERT_OK(node.visible(reply.token));
    EXPECT_EQ(node.count(EntityKind::kCreator, creator_, "like"), 1);
}

TEST_F(Visibility, WhatNeverComesTimesOut) {
    const std::uint64_t before_ns = node.world().now_ns();
    const auto result = node.visible(encode_token({{{ShardId(1), LogIndex(1'000'000)}}, {}}), 700);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code(), ErrorCode::kTimeout);
    EXPECT_GE(node.world().now_ns() - before_ns, 700'000'000u);
    EXPECT_LT(node.world().now_ns() - before_ns, 1'000'000'000u);
}

TEST_F(Visibility, AWaitThatTimedOutIsForgotten) {
    const auto alive = std::make_shared<int>();
    const std::string tokens[] = {
        encode_token({{{ShardId(1), LogIndex(1'000'000)}}, {}}),
        encode_token({{}, {{ShardId(1), Incarnation(1), VShard(1000), 1'000'000}}})};
    for (const std::string& token : tokens)
        ASSERT_FALSE(node.wait([&](Database::Done done) {
                             node->when_visible(token, 500,
                                                [alive, done = std::move(done)](
                                                    Result<void> result) mutable { done(result); });
                         })
                         .ok());
    node.world().advance(5 * kSecondNs);
    EXPECT_EQ(alive.use_count(), 1) << "nothing is kept for a read that has gone";
}

TEST_F(Visibility, RefusesWhatIsNoTokenOfThisDatabase) {
    for (const std::string& token :
         {std::string("!"), std::string("AAAA"), std::string(),
          encode_token({{{ShardId(kShards + 1), LogIndex(1)}}, {}}),
          encode_token({{}, {{ShardId(kShards + 1), Incarnation(1), VShard(0), 0}}}),
          encode_token({{}, {{ShardId(1), Incarnation(1), VShard(kVShardCount), 1}}})}) {
        const auto result = node.visible(token);
        ASSERT_FALSE(result.ok()) << token;
        EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_EQ(result.error().field(), "token");
    }
}

}  // namespace visibility_test
}  // namespace tidal::api
