// Removals whose call is lost, or whose node leads: what was begun is answered as what came of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kSeeds = 5;

class Removals : public testing::TestWithParam<std::uint64_t> {
protected:
    using Answer = std::shared_ptr<std::optional<Result<void>>>;

    void SetUp() override {
        cluster_.begin(3);
        leader_ = cluster_.leader(kMetaShard);
        ASSERT_NE(leader_, 0u);
    }
    Answer remove(std::uint32_t number, std::uint32_t by) {
        auto answer = std::make_shared<std::optional<Result<void>>>();
        cluster_.node(by)->cluster()->remove_node(
            cluster_.node(number).id,
            [answer](Result<void> removed) { answer->emplace(std::move(removed)); });
        return answer;
    }
    /// As `by` has it.
    std::string state_of(std::uint32_t number, std::uint32_t by) {
        const auto nodes = cluster_.node(by)->cluster_status().nodes;
        const auto found = std::ranges::find(nodes, cluster_.node(number).id, &NodeStatus::node);
        return found == nodes.end() ? "" : std::string(found->state);
    }

    SimCluster cluster_{GetParam()};
    std::uint32_t leader_ = 0;  ///< Of the metadata group.
};

TEST_P(Removals, OneThatIsAskedAgainIsNotRefusedOnceTheNodeGoes) {
    const std::uint32_t by = leader_ % 3 + 1;
    const std::uint32_t goes = by % 3 + 1;
    const Answer answer = remove(goes, by);
    ASSERT_TRUE(cluster_.until([&] { return state_of(goes, by) == "leaving"; }));
    cluster_.kill(leader_);
    // Without the one that goes no group has a majority, for longer than is waited for who is not
    // heard of yet.
    cluster_.world().advance(10 * kSecondNs);
    EXPECT_FALSE(answer->has_value())
        << ((*answer)->ok() ? "removed" : (*answer)->error().to_string());
    cluster_.restart(leader_);
    ASSERT_TRUE(cluster_.until([&] { return answer->has_value(); }))
        << cluster_.problems(cluster_.node(by));
    ASSERT_OK(**answer);
    cluster_.node(goes).retired = true;
    EXPECT_TRUE(cluster_.until([&] { return cluster_.all_voters(2); }))
        << cluster_.problems(cluster_.node(by));
    EXPECT_EQ(state_of(goes, by), "left");
}

TEST_P(Removals, TheNodeThatLeadsTheMembersGoesToo) {
    const Answer answer = remove(leader_, leader_ % 3 + 1);
    ASSERT_TRUE(cluster_.until([&] { return answer->has_value(); }));
    ASSERT_OK(**answer);
    cluster_.node(leader_).retired = true;
    EXPECT_TRUE(cluster_.until([&] { return cluster_.all_voters(2); }));
}

TEST_P(Removals, TheNodeThatLeadsTheMembersIsAskedToGoItself) {
    const Answer answer = remove(leader_, leader_);
    const std::uint64_t asked_ns = cluster_.world().now_ns();
    ASSERT_TRUE(cluster_.until([&] { return answer->has_value(); }));
    ASSERT_OK(**answer);
    EXPECT_LT(cluster_.world().now_ns() - asked_ns, 20 * kSecondNs);
    cluster_.node(leader_).retired = true;
    EXPECT_TRUE(cluster_.until([&] { return cluster_.all_voters(2); }));
}

INSTANTIATE_TEST_SUITE_P(Seeds, Removals, testing::Range<std::uint64_t>(1, kSeeds + 1));

}  // namespace
}  // namespace tidal::api
