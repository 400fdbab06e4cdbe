// Step by step to the members that are wanted: each step legal, and always there in the end.
#include "cluster/membership.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

namespace tidal::cluster {
namespace membership_test {

using raft::PeerId;

std::vector<PeerId> peers(std::initializer_list<std::uint64_t> numbers) {
    std::vector<PeerId> out;
    for (const std::uint64_t number : numbers) out.emplace_back(number);
    return out;
}
std::set<NodeId> nodes(std::initializer_list<std::uint32_t> numbers) {
    std::set<NodeId> out;
    for (const std::uint32_t number : numbers) out.emplace(number);
    return out;
}

/// A group of which node 1 leads, with 1000 entries committed, seen by its leader. All answer and
/// have everything, unless said otherwise.
raft::Status group(std::vector<PeerId> voters, std::vector<PeerId> learners = {}) {
    raft::Status status;
    status.self = status.leader = PeerId(1);
    status.role = raft::Role::kLeader;
    status.last = status.durable = status.commit = LogIndex(1000);
    status.configuration.voters = std::move(voters);
    status.configuration.learners = std::move(learners);
    status.configuration_index = LogIndex(10);
    for (const PeerId peer : status.configuration.all())
        if (peer != status.self)
            status.peers.push_back({.peer = peer,
                                    .flow = raft::Flow::kReplicate,
                                    .active = true,
                                    .match = LogIndex(1000)});
    return status;
}
raft::PeerStatus& peer(raft::Status& status, std::uint64_t number) {
    return *std::find_if(status.peers.begin(), status.peers.end(),
                         [&](const auto& each) { return each.peer == PeerId(number); });
}

void expect_step(const raft::Status& status, const std::set<NodeId>& wanted,
                 std::vector<PeerId> voters, std::vector<PeerId> learners) {
    const auto next = next_members(status, wanted);
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->voters, voters);
    EXPECT_EQ(next->learners, learners);
    EXPECT_TRUE(raft::step_towards(status.configuration, *next).ok());
}
void expect_none(const raft::Status& status, const std::set<NodeId>& wanted) {
    EXPECT_FALSE(next_members(status, wanted).has_value());
}

TEST(NextMembers, NewNodesComeAsLearnersAllAtOnce) {
    expect_step(group(peers({1})), nodes({1, 2, 3}), peers({1}), peers({2, 3}));
    expect_none(group(peers({1})), nodes({1}));
}

TEST(NextMembers, ALearnerThatCaughtUpBecomesAVoter) {
    raft::Status status = group(peers({1}), peers({2, 3}));
    peer(status, 2).match = LogIndex(989);
    expect_step(status, nodes({1, 2, 3}), peers({1, 3}), peers({2}));
    peer(status, 3).match = LogIndex(0);
    expect_none(status, nodes({1, 2, 3}));
    peer(status, 2).match = LogIndex(990);
    expect_step(status, nodes({1, 2, 3}), peers({1, 2}), peers({3}));
    peer(status, 2).active = false;
    expect_none(status, nodes({1, 2, 3}));
    peer(status, 2).active = true;
    peer(status, 2).flow = raft::Flow::kSnapshot;
    expect_none(status, nodes({1, 2, 3}));
}

TEST(NextMembers, MoreThanTheMostVotersStayLearners) {
    const auto wanted = nodes({1, 2, 3, 4});
    EXPECT_FALSE(next_members(group(peers({1, 2, 3}), peers({4})), wanted, 3).has_value());
    EXPECT_TRUE(next_members(group(peers({1, 2, 3}), peers({4})), wanted, 4).has_value());
}

TEST(NextMembers, NodesThatLeftGoOneByOneTheLeaderLast) {
    expect_step(group(peers({1, 2, 3, 4})), nodes({4}), peers({1, 3, 4}), {});
    expect_step(group(peers({1, 3, 4})), nodes({4}), peers({1, 4}), {});
    expect_step(group(peers({1, 4})), nodes({4}), peers({4}), {});
    // A learner of a node that left goes at once, in the same step as others come.
    expect_step(group(peers({1, 2}), peers({3})), nodes({1, 4}), peers({1, 2}), peers({4}));
    // A replacement that is ready comes before.
    expect_step(group(peers({1, 2, 3}), peers({4})), nodes({1, 2, 4}), peers({1, 2, 3, 4}), {});
}

TEST(NextMembers, NobodyWantedIsAMistakeAndTheLastVoterStays) {
    expect_none(group(peers({1, 2, 3})), {});

    raft::Status status = group(peers({1}), peers({7}));
    peer(status, 7).active = false;
    expect_none(status, nodes({7}));
}

TEST(NextMembers, NothingWhileAChangeIsUnderWay) {
    const auto wanted = nodes({1, 2, 3});
    raft::Status status = group(peers({1}));
    status.configuration_index = LogIndex(1001);
    expect_none(status, wanted);
    status = group(peers({1}));
    status.configuration.outgoing = peers({1, 2});
    expect_none(status, wanted);
    status = group(peers({1}));
    status.transferee = PeerId(2);
    expect_none(status, wanted);
    status = group(peers({1}));
    status.role = raft::Role::kFollower;
    expect_none(status, wanted);
}

TEST(NextMembers, NothingThatWouldStopTheGroup) {
    // 3 and 4 are silent: without 2, one of three would answer.
    raft::Status status = group(peers({1, 2, 3, 4}));
    peer(status, 3).active = false;
    EXPECT_TRUE(has_majority_without(status, PeerId(2)));
    EXPECT_TRUE(has_majority_without(status, PeerId(3)));
    peer(status, 4).active = false;
    EXPECT_FALSE(has_majority_without(status, PeerId(2)));
    expect_none(status, nodes({1, 3, 4}));
    // Five with two silent go on; one of the silent ones may leave, one that answers may not.
    status = group(peers({1, 2, 3, 4, 5}));
    peer(status, 4).active = peer(status, 5).active = false;
    expect_step(status, nodes({1, 2, 3, 5}), peers({1, 2, 3, 5}), {});
    expect_none(status, nodes({1, 2, 4, 5}));
    // A fourth voter needs three that answer.
    status = group(peers({1, 2, 3}), peers({4}));
    peer(status, 3).active = false;
    expect_step(status, nodes({1, 2, 3, 4}), peers({1, 2, 3, 4}), {});
    EXPECT_FALSE(has_majority_without(group(peers({1})), PeerId(1)));
}

TEST(NextNode, NumbersAreNeverGivenAgain) {
    EXPECT_EQ(*next_node({}), NodeId(1));
    const NodeId ever[] = {NodeId(2), NodeId(9), NodeId(4)};
    EXPECT_EQ(*next_node(ever), NodeId(10));
    const NodeId all[] = {NodeId(4294967295U)};
    EXPECT_EQ(next_node(all).error().code(), ErrorCode::kOverloaded);
}

TEST(NodesWanted, AreThoseThatJoinOrStay) {
    std::vector<Member> members(5);
    for (std::uint32_t i = 0; i < 4; ++i) {
        members[i].node = NodeId(i + 1);
        members[i].state = static_cast<MemberState>(i);
    }
    members[4].node = NodeId(5);
    EXPECT_EQ(nodes_wanted(members), nodes({1, 2, 5}));
}

/// A group as its leader sees it, whose members come, go, fall behind and fall silent; steps are
/// taken as the core takes them.
class World {
public:
    raft::Status& status() { return status_; }

    void refresh() {
        std::map<PeerId, raft::PeerStatus> known;
        for (const auto& each : status_.peers) known[each.peer] = each;
        status_.peers.clear();
        for (const PeerId peer : status_.configuration.all()) {
            if (peer == status_.self) continue;
            auto [it, is_new] = known.try_emplace(peer);
            it->second.peer = peer;
            if (is_new) it->second.active = true;
            status_.peers.push_back(it->second);
        }
    }
    void begin(const raft::Members& members) {
        auto next = raft::step_towards(status_.configuration, members);
        RC_ASSERT(next.ok());
        status_.configuration = *next;
        status_.last = status_.last.next();
        status_.configuration_index = status_.last;
        refresh();
    }
    /// What was begun ends, as far as quorums answer.
    void settle() {
        const auto vote = [&](PeerId peer) { return answers(peer) ? 1 : 0; };
        if (status_.configuration.vote_result(vote) != raft::VoteResult::kWon) return;
        status_.commit = status_.last;
        if (!status_.configuration.joint()) return elect_if_gone();
        status_.configuration = raft::leave_joint(status_.configuration);
        status_.last = status_.last.next();
        status_.configuration_index = status_.last;
        refresh();
    }
    bool answers(PeerId peer) const {
        if (peer == status_.self) return true;
        return std::any_of(status_.peers.begin(), status_.peers.end(),
                           [&](const auto& each) { return each.peer == peer && each.active; });
    }
    void heal() {
        for (auto& each : status_.peers) {
            each.active = true;
            each.flow = raft::Flow::kReplicate;
            each.match = status_.last;
        }
    }

private:
    void elect_if_gone() {
        if (status_.configuration.is_voter(status_.self)) return;
        status_.self = status_.leader = status_.configuration.voters.front();
        refresh();
    }
    raft::Status status_ = group({PeerId(1)});
};

std::vector<PeerId> difference(const std::vector<PeerId>& from, const std::vector<PeerId>& other) {
    std::vector<PeerId> out;
    for (const PeerId peer : from)
        if (std::find(other.begin(), other.end(), peer) == other.end()) out.push_back(peer);
    return out;
}

void check_step(World& world, const raft::Members& next, const std::set<NodeId>& wanted) {
    const raft::Status& now = world.status();
    RC_ASSERT(!now.configuration.joint());
    RC_ASSERT(now.configuration_index <= now.commit);
    const auto come = difference(next.voters, now.configuration.voters);
    const auto go = difference(now.configuration.voters, next.voters);
    RC_ASSERT(!next.voters.empty());
    RC_ASSERT(come.size() + go.size() <= 1);
    for (const PeerId peer : come) {
        RC_ASSERT(std::count(now.configuration.learners.begin(), now.configuration.learners.end(),
                             peer) == 1);
        for (const auto& each : now.peers)
            if (each.peer == peer) RC_ASSERT(each.match.value() + 10 >= now.commit.value());
    }
    for (const PeerId peer : go)
        RC_ASSERT(!wanted.contains(NodeId(static_cast<std::uint32_t>(peer.value()))));
    for (const PeerId peer : next.learners)
        RC_ASSERT(wanted.contains(NodeId(static_cast<std::uint32_t>(peer.value()))));
    const auto up = std::count_if(next.voters.begin(), next.voters.end(),
                                  [&](PeerId peer) { return world.answers(peer); });
    RC_ASSERT(static_cast<std::size_t>(up) * 2 > next.voters.size());
}

RC_GTEST_PROP(NextMembersProperty, EveryStepIsLegalAndTheWantedMembersComeAbout, ()) {
    constexpr std::size_t kMost = 5;
    World world;
    std::set<NodeId> wanted = nodes({1});
    std::uint32_t last = 1;
    const int events = *rc::gen::inRange(0, 60);
    for (int i = 0; i < events; ++i) {
        auto& peers_now = world.status().peers;
        auto* const some = peers_now.empty()
                               ? nullptr
                               : &peers_now[*rc::gen::inRange<std::size_t>(0, peers_now.size())];
        switch (*rc::gen::inRange(0, 7)) {
            case 0:
                wanted.insert(NodeId(++last));
                break;
            case 1:
                if (wanted.size() > 1)
                    wanted.erase(
                        std::next(wanted.begin(),
                                  *rc::gen::inRange<int>(0, static_cast<int>(wanted.size()))));
                break;
            case 2:
                if (some != nullptr) some->active = !some->active;
                break;
            case 3:
                if (some != nullptr) {
                    some->flow = raft::Flow::kReplicate;
                    some->match = world.status().last;
                }
                break;
            case 4:
                world.status().last = raft::plus(world.status().last, *rc::gen::inRange(1, 30));
                break;
            default:
                world.settle();
        }
        const auto next = next_members(world.status(), wanted, kMost);
        if (!next) continue;
        check_step(world, *next, wanted);
        world.begin(*next);
    }
    // Left alone, and with everybody up: there in a bounded number of steps, and then at rest.
    for (std::uint32_t steps = 0; steps < 6 * last + 20; ++steps) {
        world.heal();
        world.settle();
        const auto next = next_members(world.status(), wanted, kMost);
        if (!next) continue;
        check_step(world, *next, wanted);
        world.begin(*next);
    }
    RC_ASSERT(!next_members(world.status(), wanted, kMost).has_value());
    std::set<NodeId> found;
    for (const PeerId peer : world.status().configuration.all())
        found.emplace(static_cast<std::uint32_t>(peer.value()));
    RC_ASSERT(found == wanted);
    RC_ASSERT(world.status().configuration.voters.size() == std::min(kMost, wanted.size()));
}

}  // namespace membership_test
}  // namespace tidal::cluster
