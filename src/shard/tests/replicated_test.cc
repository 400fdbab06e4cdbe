// A replicated shard: who may propose, what becomes of a proposal, and what its client hears.
#include <gtest/gtest.h>

#include "shard/tests/replicated_fixture.h"

namespace tidal::shard {
namespace replicated_test {

constexpr Term kFirst{2}, kLater{5};

Error not_leader(std::uint64_t leader) {
    Error error(ErrorCode::kUnavailable, "this node does not lead the group");
    error.with("leader", leader);
    return std::move(error).with_reason("not_leader");
}
Error superseded() {
    return Error(ErrorCode::kConflict, "others stand there").with_reason("superseded");
}

class Replicated : public testing::Test {
protected:
    Replicated() {
        replica.lead(kFirst);
        replica.configure();
    }
    auto like_of(std::uint64_t item, std::string key = {}) {
        return Replica::one(like(item), std::move(key));
    }
    std::int64_t likes(std::uint64_t id) {
        return replica.shard().with_state([&](ShardState& state) -> std::int64_t {
            const auto slot = state.entities(EntityKind::kItem).find(EntityId(id));
            std::int64_t count = 0;
            for (auto& [origin, table] : state.ledgers(EntityKind::kItem))
                count += must(table->read(*slot, kLike, state.last_stamp().wall_ms()))
                             .windows[static_cast<std::size_t>(schema::Window::kAll)]
                             .count;
            return count;
        });
    }
    Replica replica;
};

TEST(ReplicatedRole, ALeaderProposesOnceItsEmptyEntryIsApplied) {
    Replica replica;
    auto refused = replica.propose(Replica::one(Replica::item(1)));
    EXPECT_EQ(refused->reason(), "no_leader");
    replica.shard().follow(Term(1), 3);
    replica.settle();
    refused = replica.propose(Replica::one(Replica::item(1)));
    EXPECT_EQ(refused->reason(), "not_leader");
    EXPECT_NE(refused->result->error().to_string().find("leader=3"), std::string::npos);

    replica.shard().lead(kFirst);
    replica.settle();
    EXPECT_FALSE(replica.shard().can_propose());
    replica.control(Term(1));  // of the leader before
    replica.settle();
    EXPECT_FALSE(replica.shard().can_propose());
    replica.control(kFirst);
    replica.settle();
    EXPECT_TRUE(replica.shard().can_propose());
    replica.shard().follow(kLater, 3);
    replica.settle();
    EXPECT_FALSE(replica.shard().can_propose());
    EXPECT_EQ(replica.group().applied_index, LogIndex(2));
}

TEST_F(Replicated, AnswersWhatIsCommittedAndApplied) {
    const auto answer = replica.propose(like_of(1));
    auto batch = replica.take();
    EXPECT_EQ(batch.stamped_for, kFirst);
    replica.append(batch);
    EXPECT_FALSE(answer->given());
    const LogIndex index = replica.last().next();
    replica.commit(kFirst, batch.records);
    replica.settle();
    EXPECT_FALSE(answer->given());
    batch.decided(2);
    replica.settle();
    ASSERT_TRUE(answer->given());
    EXPECT_EQ(answer->outcome().index, index);
    EXPECT_EQ(answer->outcome().replicas, 2u);
    EXPECT_FALSE(answer->outcome().promised);
    EXPECT_EQ(likes(1), 1);
}

TEST_F(Replicated, WhereABatchStandsWakesNobody) {
    const auto answer = replica.propose(like_of(1));
    const auto refused = replica.propose(like_of(2));
    auto first = replica.take(), second = replica.take();
    first.appended(replica.last().next());
    EXPECT_EQ(replica.world().run_until_idle(), 0u);
    second.appended(not_leader(3));
    EXPECT_GT(replica.world().run_until_idle(), 0u);
    EXPECT_EQ(refused->reason(), "not_leader");
    replica.decide(first);
    EXPECT_TRUE(answer->given() && answer->result->ok());
}

TEST_F(Replicated, WhatIsDurableHereIsAnsweredThoughNobodyWokeBefore) {
    const auto answer = replica.propose(like_of(1), WriteConcern::kLocal);
    auto batch = replica.take();
    const LogIndex at = replica.last().next();
    batch.appended(at);
    replica.shard().durable_at(at, std::vector<LogIndex>{at, LogIndex(0), LogIndex(0)});
    replica.settle();
    ASSERT_TRUE(answer->given());
    EXPECT_TRUE(answer->outcome().promised);
    EXPECT_EQ(answer->outcome().index, at);
    replica.decide(batch);
    EXPECT_EQ(answer->times, 1);
}

TEST_F(Replicated, WhatIsRefusedInTheMiddleLeavesNothingBehind) {
    const auto a = replica.propose(like_of(1, "a"));
    const auto b = replica.propose(like_of(1, "b"));
    const auto c = replica.propose(like_of(1, "c"));
    auto first = replica.take(), second = replica.take(), third = replica.take();
    const auto follower = replica.propose(like_of(1, "b"));
    EXPECT_TRUE(replica.group().proposed.empty());  // it waits for the newest, which has "c"
    replica.append(first);
    second.appended(not_leader(3));
    replica.settle();
    EXPECT_EQ(b->reason(), "not_leader");
    EXPECT_FALSE(follower->given());
    third.appended(LogIndex(replica.last().value() + 2));
    replica.decide(first);
    replica.decide(third);
    EXPECT_TRUE(a->result->ok() && c->result->ok());
    EXPECT_EQ(c->outcome().index, replica.last());
    // Its first use came to nothing, and it may be used again.
    EXPECT_EQ(follower->outcome().refused->reason(), "key_in_flight");
    const auto again = replica.propose(like_of(1, "b"));
    replica.through(replica.take());
    EXPECT_FALSE(again->outcome().repeated);
    EXPECT_EQ(likes(1), 3);
}

TEST_F(Replicated, RefusalsReachThoseWhoWaitForTheBatch) {
    const auto answer = replica.propose(like_of(1, "a"));
    const auto follower = replica.propose(like_of(1, "a"));
    replica.take().appended(not_leader(3));
    replica.settle();
    EXPECT_EQ(answer->reason(), "not_leader");
    EXPECT_EQ(follower->reason(), "not_leader");
    EXPECT_NE(answer->result->error().to_string().find("leader=3"), std::string::npos);
    EXPECT_EQ(replica.shard().stats().proposed_bytes, 0u);
}

TEST_F(Replicated, AFullGroupRefusesAtOnce) {
    replica.group().full = true;
    const auto answer = replica.propose(like_of(1, "a"));
    ASSERT_TRUE(answer->given());
    EXPECT_EQ(answer->result->error().code(), ErrorCode::kOverloaded);
    EXPECT_EQ(replica.shard().stats().proposed_bytes, 0u);
    replica.group().full = false;
    const auto again = replica.propose(like_of(1, "a"));
    replica.through(replica.take());
    EXPECT_TRUE(again->result->ok());
}

TEST_F(Replicated, SupersededMayGoElsewhere) {
    const auto answer = replica.propose(like_of(1, "a"));
    auto batch = replica.take();
    replica.append(batch);
    replica.shard().follow(kLater, 2);
    replica.control(kLater);
    batch.decided(superseded());
    replica.settle();
    EXPECT_EQ(answer->result->error().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(answer->reason(), "not_leader");
    EXPECT_EQ(likes(1), 0);
    EXPECT_EQ(replica.shard().stats().proposed_bytes, 0u);
}

TEST_F(Replicated, OfABatchTheFirstFewMayCount) {
    std::vector<record::Record> records;
    for (int i = 0; i < 3; ++i) records.push_back(Replica::make(like(1)));
    const auto answer = replica.propose(std::move(records));
    auto batch = replica.take();
    replica.append(batch);
    replica.shard().follow(kLater, 2);
    batch.records.pop_back();
    replica.commit(kFirst, batch.records);
    replica.control(kLater);
    batch.decided(Error(ErrorCode::kConflict, "the rest").with_reason("partly_superseded"));
    replica.settle();
    ASSERT_TRUE(answer->result->ok());
    EXPECT_TRUE(answer->outcome(0).ok() && answer->outcome(1).ok());
    EXPECT_EQ(answer->outcome(2).refused->reason(), "not_leader");
    EXPECT_EQ(likes(1), 2);
}

TEST_F(Replicated, AWriteIsAnsweredByAFollowerToo) {
    const auto answer = replica.propose(like_of(1, "a"));
    auto batch = replica.take();
    replica.append(batch);
    replica.shard().follow(kLater, 2);
    replica.decide(batch);  // the next leader has it
    EXPECT_TRUE(answer->result->ok());
    EXPECT_EQ(answer->outcome().replicas, 2u);
}

TEST_F(Replicated, KeysInFlightOutliveALeadership) {
    const auto answer = replica.propose(like_of(1, "a"));
    auto batch = replica.take();
    replica.append(batch);
    replica.shard().follow(Term(3), 2);
    replica.settle();
    // Leads again, and what it proposed before is still open: it stands before the empty entry.
    replica.shard().lead(kLater);
    replica.commit(kFirst, batch.records);
    replica.control(kLater);
    replica.settle();
    ASSERT_TRUE(replica.shard().can_propose());
    // Applied, though not told: the state knows the key.
    const auto repeat = replica.propose(like_of(1, "a"));
    ASSERT_TRUE(repeat->given());
    EXPECT_TRUE(repeat->outcome().repeated);
    batch.decided(2);
    replica.settle();
    EXPECT_EQ(answer->outcome().index, repeat->outcome().index);
    EXPECT_EQ(likes(1), 1);
}

TEST_F(Replicated, AKeyOfALostBatchIsFreeAgain) {
    const auto answer = replica.propose(like_of(1, "a"));
    auto batch = replica.take();
    replica.append(batch);
    replica.shard().follow(Term(3), 2);
    replica.shard().lead(kLater);
    batch.decided(superseded());
    replica.control(kLater);
    replica.settle();
    EXPECT_EQ(answer->reason(), "no_leader");  // this replica leads by now: ask again
    const auto again = replica.propose(like_of(1, "a"));
    auto second = replica.take();
    EXPECT_EQ(second.stamped_for, kLater);
    replica.through(std::move(second));
    EXPECT_FALSE(again->outcome().repeated);
    EXPECT_EQ(likes(1), 1);
}

TEST_F(Replicated, StampsRiseOverLeaders) {
    // Another leader's clock is an hour ahead.
    auto ahead = Replica::make(like(1));
    ahead.envelope.stamp = HybridTime::from(kStartMs + 3'600'000, 7);
    ahead.envelope.event_time_ms = ahead.envelope.stamp.wall_ms();
    ahead.envelope.schema_version = SchemaVersion(1);
    replica.shard().follow(Term(3), 2);
    replica.commit(Term(3), std::vector<record::Record>{ahead});
    replica.settle();
    EXPECT_EQ(replica.shard().read_time_ms(kStartMs), ahead.envelope.stamp.wall_ms());
    replica.lead(kLater);
    const auto answer = replica.propose(like_of(1));
    replica.through(replica.take());
    EXPECT_GT(answer->outcome().version, ahead.envelope.stamp);
    EXPECT_EQ(likes(1), 2);
}

TEST_F(Replicated, AnswersALongBatch) {
    std::vector<record::Record> records;
    for (int i = 0; i < 2'000; ++i) records.push_back(Replica::make(like(1)));
    const auto answer = replica.propose(std::move(records));
    const LogIndex first = replica.last().next();
    replica.through(replica.take());
    ASSERT_TRUE(answer->given() && answer->result->ok());
    ASSERT_EQ((*answer->result)->size(), 2'000u);
    for (std::size_t i = 0; i < 2'000; ++i)
        ASSERT_EQ(answer->outcome(i).index.value(), first.value() + i);
    EXPECT_EQ(likes(1), 2'000);
}

TEST_F(Replicated, TimesOutAndGoesOn) {
    const auto answer = replica.propose(like_of(1, "a"), WriteConcern::kMajority, 1'500);
    auto batch = replica.take();
    replica.append(batch);
    replica.pass_ms(3'000);
    ASSERT_TRUE(answer->given());
    EXPECT_EQ(answer->result->error().code(), ErrorCode::kTimeout);
    EXPECT_GT(replica.shard().stats().proposed_bytes, 0u) << "it is answered, and still under way";
    replica.decide(batch);
    EXPECT_EQ(answer->times, 1);
    EXPECT_EQ(likes(1), 1);
    EXPECT_EQ(replica.shard().stats().proposed_bytes, 0u);
}

TEST_F(Replicated, AStopDoesNotWaitForAQuorumThatNeverComes) {
    const auto answer = replica.propose(like_of(1, "a"));
    auto batch = replica.take();
    replica.append(batch);
    bool stopped = false;
    replica.shard().stop([&] { stopped = true; });
    replica.pass_ms(1'000);
    EXPECT_FALSE(stopped);
    replica.pass_ms(3'000);
    EXPECT_TRUE(stopped);
    EXPECT_EQ(answer->result->error().code(), ErrorCode::kTimeout);
    EXPECT_EQ(replica.shard().stats().proposed_bytes, 0u);
    batch.decided(Error(ErrorCode::kTimeout, "the node stops"));
    replica.settle();
    EXPECT_EQ(answer->times, 1);
    EXPECT_EQ(replica.group().checkpoint, replica.last());
}

TEST_F(Replicated, ACheckpointSaysWhereTheLogGoesOn) {
    replica.shard().follow(kLater, 2);
    replica.control(kLater, "other members");
    replica.settle();
    const auto place = replica.shard().place();
    EXPECT_EQ(place, (GroupPlace{replica.last(), kLater, "other members"}));
    replica.checkpoint();
    EXPECT_EQ(replica.group().checkpoint, replica.last());
    const std::uint64_t hash = replica.hash();
    replica.control(kLater);
    replica.settle();
    replica.restart();
    EXPECT_EQ(replica.shard().place(), place);
    EXPECT_EQ(replica.hash(), hash);
}

TEST_F(Replicated, ANewGroupKnowsItsFirstMembers) {
    EXPECT_EQ(replica.shard().place().members, "first members");
    replica.checkpoint();
    replica.restart();
    EXPECT_EQ(replica.shard().place().members, "first members");
    EXPECT_EQ(replica.shard().place().term, kFirst);
}

}  // namespace replicated_test
}  // namespace tidal::shard
