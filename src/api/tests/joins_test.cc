// Requests to join that come at once, on one node: the same one twice, and two with one token.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "api/tests/sim_cluster.h"
#include "cluster/certificates.h"
#include "cluster/join.h"

namespace tidal::api {
namespace joins_test {

class Joins : public testing::TestWithParam<std::uint64_t> {
protected:
    struct Asking {
        cluster::JoinRequest request;
        std::string bytes;
    };

    void SetUp() override {
        cluster_.begin(1);
        std::optional<Result<NewJoinToken>> made;
        cluster_.node(1)->cluster()->create_join_token(
            60'000, [&](Result<NewJoinToken> token) { made.emplace(std::move(token)); });
        ASSERT_TRUE(cluster_.until([&] { return made.has_value(); }));
        ASSERT_OK(*made);
        auto token = cluster::parse_join_token((*made)->token);
        ASSERT_OK(token);
        token_ = *token;
    }
    Asking asking(char who) {
        const auto key = cluster::create_key();
        cluster::JoinRequest request;
        request.token_id = token_.id;
        request.nonce = std::string(16, who);
        request.instance_id = std::string(32, who);
        request.public_key = *cluster::public_key_of(*key);
        request.address = std::string("n") + who + ":7";
        return {request, cluster::encode_join_request(request, token_.key)};
    }
    void ask(const Asking& asking, std::string* answer) {
        cluster_.node(1)->cluster()->answer_join(
            asking.bytes, [answer](std::string bytes) { *answer = std::move(bytes); });
    }
    Result<cluster::JoinAccepted> open(const Asking& asking, const std::string& answer) {
        return cluster::open_join_answer(answer, token_, asking.request, asking.bytes,
                                         cluster_.node(1).runtime->clock().wall_ms());
    }
    /// "" where no such node was ever let in.
    std::string state_of(const std::string& instance_id) {
        const auto nodes = cluster_.node(1)->cluster_status().nodes;
        const auto found = std::ranges::find(nodes, instance_id, &NodeStatus::instance_id);
        return found == nodes.end() ? "" : std::string(found->state);
    }

    SimCluster cluster_{GetParam(), 1};
    cluster::JoinToken token_;
};

TEST_P(Joins, OneThatIsSentTwiceIsLetInOnce) {
    const Asking joiner = asking('a');
    std::string first, second;
    ask(joiner, &first);
    // Its member's entry is there, its use of the token is not yet.
    ASSERT_TRUE(cluster_.until([&] { return state_of(joiner.request.instance_id) == "joining"; }));
    ASSERT_EQ(first, "");
    ask(joiner, &second);
    ASSERT_TRUE(cluster_.until([&] { return !first.empty() && !second.empty(); }));
    const auto one = open(joiner, first), other = open(joiner, second);
    ASSERT_OK(one);
    ASSERT_OK(other);
    EXPECT_EQ(one->identity.node, other->identity.node);
    cluster_.world().advance(kSecondNs);
    EXPECT_EQ(state_of(joiner.request.instance_id), "joining");
}

TEST_P(Joins, OfTwoWithOneTokenOneIsLetIn) {
    const Asking joiner = asking('a'), late = asking('b');
    std::string first, second;
    ask(joiner, &first);
    ASSERT_TRUE(cluster_.until([&] { return state_of(joiner.request.instance_id) == "joining"; }));
    ASSERT_EQ(first, "");
    ask(late, &second);
    ASSERT_TRUE(cluster_.until([&] { return !first.empty() && !second.empty(); }));
    ASSERT_OK(open(joiner, first));
    EXPECT_EQ(open(late, second).error().code(), ErrorCode::kConflict);
    EXPECT_TRUE(cluster_.until([&] {
        const std::string state = state_of(late.request.instance_id);
        return state.empty() || state == "left";
    }));
    EXPECT_EQ(state_of(joiner.request.instance_id), "joining");
}

INSTANTIATE_TEST_SUITE_P(Seeds, Joins, testing::Range<std::uint64_t>(1, 6));

}  // namespace joins_test
}  // namespace tidal::api
