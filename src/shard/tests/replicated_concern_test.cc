// How many replicas have a write when its client is answered.
#include <gtest/gtest.h>

#include "shard/tests/replicated_fixture.h"

namespace tidal::shard {
namespace replicated_concern_test {

constexpr Term kFirst{2}, kLater{5};

class Concern : public testing::Test {
protected:
    Concern() {
        replica.lead(kFirst);
        replica.configure();
    }
    /// The newest entry is durable on so many of three voters, this one among them.
    void durable_on(std::size_t voters) {
        std::vector<LogIndex> match(3);
        for (std::size_t i = 0; i < voters; ++i) match[i] = replica.last();
        replica.shard().durable_at(replica.last(), match);
        replica.settle();
    }
    auto propose(WriteConcern concern, std::uint64_t timeout_ms = 10'000) {
        return replica.propose(Replica::one(like(1)), concern, timeout_ms);
    }
    Replica replica;
};

TEST(WriteConcernText, IsALevelOrACount) {
    for (const std::string_view text : {"memory", "local", "majority", "all", "2", "65535"})
        EXPECT_EQ(to_text(must(parse_write_concern(text))), text);
    EXPECT_EQ(must(parse_write_concern("1")), WriteConcern::kLocal);
    EXPECT_EQ(must(parse_write_concern("quorum")), WriteConcern::kMajority);
    for (const std::string_view text : {"", "0", "-1", "2x", "65536", "ALL", "two"})
        EXPECT_FALSE(parse_write_concern(text).ok()) << text;
}

TEST_F(Concern, WhatTheShardCannotGiveIsRefused) {
    durable_on(1);
    EXPECT_EQ(propose(WriteConcern::kMemory)->result->error().field(), "w");
    EXPECT_EQ(propose(WriteConcern::on(4))->result->error().code(), ErrorCode::kInvalidArgument);
    EXPECT_FALSE(propose(WriteConcern::on(3))->given());
}

TEST_F(Concern, LocalIsAnsweredBeforeTheCommitAndOnce) {
    const auto answer = propose(WriteConcern::kLocal);
    auto batch = replica.take();
    replica.append(batch);
    EXPECT_FALSE(answer->given());
    const LogIndex index = replica.last().next();
    replica.shard().durable_at(index, std::vector<LogIndex>{index, replica.last(), LogIndex(1)});
    replica.settle();
    ASSERT_TRUE(answer->given());
    EXPECT_TRUE(answer->outcome().promised);
    EXPECT_EQ(answer->outcome().index, index);
    EXPECT_EQ(answer->outcome().replicas, 1u);
    ASSERT_EQ(answer->outcome().relayed.size(), 1u);
    EXPECT_TRUE(answer->outcome().relayed.front().is_all());
    replica.decide(batch);
    EXPECT_EQ(answer->times, 1);
}

TEST_F(Concern, LocalOfALostLeadershipIsNotTakenForDurable) {
    const auto answer = propose(WriteConcern::kLocal);
    auto batch = replica.take();
    replica.append(batch);
    replica.shard().follow(Term(3), 2);
    // Entries of others stand there now, and are durable.
    replica.lead(kLater);
    durable_on(3);
    EXPECT_FALSE(answer->given());
    batch.decided(Error(ErrorCode::kConflict, "others").with_reason("superseded"));
    replica.settle();
    EXPECT_FALSE(answer->result->ok());
}

TEST_F(Concern, AllWaitsForEveryVoter) {
    const auto answer = propose(WriteConcern::kAll);
    const auto two = propose(WriteConcern::on(2));
    auto batch = replica.take(), other = replica.take();
    replica.append(batch);
    other.appended(LogIndex(replica.last().value() + 2));
    replica.decide(batch);
    replica.decide(other);
    EXPECT_EQ(two->outcome().replicas, 2u);
    EXPECT_FALSE(answer->given());
    durable_on(2);
    EXPECT_FALSE(answer->given());
    durable_on(3);
    ASSERT_TRUE(answer->given());
    EXPECT_EQ(answer->outcome().replicas, 3u);
}

TEST_F(Concern, ATimeoutSaysHowManyHaveIt) {
    const auto answer = propose(WriteConcern::kAll, 1'500);
    replica.through(replica.take());
    durable_on(2);
    replica.pass_ms(3'000);
    ASSERT_TRUE(answer->given());
    EXPECT_EQ(answer->result->error().code(), ErrorCode::kTimeout);
    EXPECT_EQ(answer->reason(), "replicas_missing");
    const std::string text = answer->result->error().to_string();
    EXPECT_NE(text.find("replicas=2"), std::string::npos) << text;
    EXPECT_NE(text.find("wanted=3"), std::string::npos) << text;
    durable_on(3);
    EXPECT_EQ(answer->times, 1);
}

TEST_F(Concern, OnlyALeaderKnowsWhoHasIt) {
    const auto answer = propose(WriteConcern::kAll);
    replica.through(replica.take());
    EXPECT_FALSE(answer->given());
    replica.shard().follow(kLater, 3);
    replica.settle();
    EXPECT_EQ(answer->reason(), "replicas_missing");
}

}  // namespace replicated_concern_test
}  // namespace tidal::shard
