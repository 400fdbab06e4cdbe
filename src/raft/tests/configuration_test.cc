#include "raft/configuration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "raft/durable_state.h"

namespace tidal::raft {
namespace configuration_test {

std::vector<PeerId> peers(std::initializer_list<std::uint64_t> ids) {
    std::vector<PeerId> out;
    for (const auto id : ids) out.push_back(PeerId(id));
    return out;
}

TEST(RaftConfiguration, AJointQuorumIsAMajorityOfEachHalf) {
    const Configuration joint{.voters = peers({3, 4, 5}), .outgoing = peers({1, 2, 3})};
    const auto reached = [&](std::initializer_list<std::uint64_t> who) {
        const auto have = peers(who);
        return joint.quorum_value([&](PeerId peer) {
            return std::uint64_t{std::find(have.begin(), have.end(), peer) != have.end()};
        });
    };
    EXPECT_EQ(reached({1, 2, 3}), 0u);
    EXPECT_EQ(reached({3, 4, 5}), 0u);
    EXPECT_EQ(reached({2, 3, 4}), 1u);
    EXPECT_EQ(reached({1, 2, 4, 5}), 1u);
    EXPECT_EQ(Configuration{}.quorum_value([](PeerId) { return 7; }), 0u);
}

TEST(RaftConfiguration, AVoteIsLostOnceAHalfCannotBeWon) {
    const Configuration joint{.voters = peers({3, 4, 5}), .outgoing = peers({1, 2, 3})};
    const auto result = [&](std::map<std::uint64_t, int> votes) {
        return joint.vote_result([&](PeerId peer) {
            const auto vote = votes.find(peer.value());
            return vote == votes.end() ? -1 : vote->second;
        });
    };
    EXPECT_EQ(result({}), VoteResult::kPending);
    EXPECT_EQ(result({{3, 1}, {4, 1}}), VoteResult::kPending);
    EXPECT_EQ(result({{3, 1}, {4, 1}, {1, 0}, {2, 0}}), VoteResult::kLost);
    EXPECT_EQ(result({{3, 1}, {4, 1}, {1, 1}, {2, 0}}), VoteResult::kWon);
}

TEST(RaftConfiguration, StepsThroughAJointOneWhenVotersChange) {
    const Configuration now{.voters = peers({1, 2, 3}), .outgoing = {}, .learners = peers({4})};
    auto next = step_towards(now, {peers({5, 1, 4}), peers({2})});
    ASSERT_TRUE(next.ok());
    EXPECT_EQ(next->to_string(), "voters=1,4,5 outgoing=1,2,3 learners_next=2");
    EXPECT_EQ(leave_joint(*next).to_string(), "voters=1,4,5 learners=2");
    next = step_towards(now, {peers({1, 2, 3}), peers({7})});
    ASSERT_TRUE(next.ok());
    EXPECT_EQ(next->to_string(), "voters=1,2,3 learners=7");
    for (const Members& wrong :
         {Members{}, Members{peers({1, 1}), {}}, Members{peers({0}), {}},
          Members{peers({1}), peers({1})}, Members{peers({1, 2, 3}), peers({4})}}) {
        const auto refused = step_towards(now, wrong);
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
    }
}

TEST(RaftConfiguration, ItsBytesAreGolden) {
    const Configuration c{.voters = peers({1, 300}),
                          .outgoing = peers({1, 2}),
                          .learners = peers({9}),
                          .learners_next = peers({2})};
    const std::string bytes = encode_configuration(c);
    EXPECT_EQ(bytes, std::string("\x01\x02\x01\xac\x02\x02\x01\x02\x01\x09\x01\x02", 12));
    EXPECT_EQ(*decode_configuration(bytes), c);
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_EQ(decode_configuration(bytes.substr(0, size)).error().code(),
                  ErrorCode::kCorruption);
    EXPECT_EQ(decode_configuration("\x02").error().code(), ErrorCode::kIncompatible);
    // A learner that also votes; a list out of order.
    EXPECT_FALSE(decode_configuration(std::string("\x01\x01\x01\x00\x01\x01\x00", 7)).ok());
    EXPECT_FALSE(decode_configuration(std::string("\x01\x02\x02\x01\x00\x00\x00", 7)).ok());
}

TEST(RaftDurableState, LaterEntriesSupersedeFromTheirIndexOn) {
    auto state = DurableState::base(LogIndex(4), Term(1), {.voters = peers({1})});
    const auto entry = [](std::uint64_t index, std::uint64_t term,
                          const Configuration* c = nullptr) {
        return Entry{Term(term), LogIndex(index),
                     c ? EntryKind::kConfiguration : EntryKind::kRecord,
                     make_payload(c ? encode_configuration(*c) : "x")};
    };
    const Configuration two{.voters = peers({1, 2})};
    for (const Entry& e : {entry(3, 1), entry(5, 1), entry(6, 2, &two), entry(7, 2)})
        ASSERT_TRUE(state.add(e).ok());
    EXPECT_EQ(state.last, LogIndex(7));
    EXPECT_EQ(state.configurations.size(), 2u);
    ASSERT_TRUE(state.add(entry(6, 3)).ok());
    EXPECT_EQ(state.last, LogIndex(6));
    EXPECT_EQ(state.configurations.size(), 1u);
    EXPECT_EQ(state.terms.back().term, Term(3));
    EXPECT_EQ(state.add(entry(8, 3)).error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(state.add(entry(7, 2)).error().code(), ErrorCode::kCorruption);
}

}  // namespace configuration_test
}  // namespace tidal::raft
