// Collections of a cluster whose members know different catalogues: one that is behind puts items
// into the collection that has the name, not into one that had it.
#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace cluster_collections_test {

constexpr std::uint64_t kItem = 7;

class ClusterCollections : public ::testing::TestWithParam<std::uint64_t> {
protected:
    ClusterCollections() : cluster_(GetParam()) {}

    void begin() {
        ASSERT_NO_FATAL_FAILURE(cluster_.begin(3));
        cluster_.put(1, item(kItem));
        ASSERT_OK(put(1, "ours"));
        cluster_.put(3, member());
        ASSERT_TRUE(cluster_.until([&] { return cluster_.at_rest(); }));
    }
    /// Nobody hears node 3 any more, and the others lead everything.
    void cut_off() {
        cluster_.world().network().partition("n3", "n1");
        cluster_.world().network().partition("n3", "n2");
        ASSERT_TRUE(cluster_.until([&] {
            for (const ShardStatus& shard : cluster_.node(1)->cluster_status().shards)
                if (shard.leader == cluster::kNoNode || shard.leader == cluster_.node(3).id)
                    return false;
            return true;
        }));
    }
    Result<void> put(std::uint32_t by, const std::string& description) {
        return cluster_.wait([&](Database::Done done) {
            cluster_.node(by)->put_collection(
                "later", description, [done = std::move(done)](Result<CatalogReply> reply) mutable {
                    done(reply.ok() ? Result<void>() : Result<void>(reply.take_error()));
                });
        });
    }
    Result<void> drop(std::uint32_t by) {
        return cluster_.wait([&](Database::Done done) {
            cluster_.node(by)->delete_collection("later", std::move(done));
        });
    }
    static CollectionMemberWrite member() {
        CollectionMemberWrite write;
        write.collection = "later";
        write.id = kItem;
        return write;
    }

    SimCluster cluster_;
};

TEST_P(ClusterCollections, AMemberThatIsBehindPutsIntoTheOneThatIsThere) {
    ASSERT_NO_FATAL_FAILURE(begin());
    ASSERT_NO_FATAL_FAILURE(cut_off());
    ASSERT_OK(drop(1));
    ASSERT_OK(put(2, "ours"));
    // The write is there before node 3 is heard again.
    std::optional<WriteReplies> replies;
    cluster_.node(3)->write({member()}, {},
                            [&](WriteReplies got) { replies.emplace(std::move(got)); });
    cluster_.world().network().heal_all();
    ASSERT_TRUE(cluster_.until([&] { return replies.has_value(); }));
    const auto& reply = replies->front();
    if (!reply.ok()) {
        ASSERT_EQ(reply.error().code(), ErrorCode::kUnavailable);
        cluster_.put(3, member());
    }
    ASSERT_NO_FATAL_FAILURE(cluster_.expect_equal());
    EXPECT_EQ(cluster_.node(1)->collection("later")->items, 1u);
}

TEST_P(ClusterCollections, OfTwoThatMeetOnDifferentNodesNeitherIsLost) {
    ASSERT_NO_FATAL_FAILURE(begin());
    std::optional<Result<void>> dropped, described;
    cluster_.node(1)->delete_collection(
        "later", [&](Result<void> result) { dropped.emplace(std::move(result)); });
    cluster_.node(2)->put_collection("later", "anew", [&](Result<CatalogReply> reply) {
        described.emplace(reply.ok() ? Result<void>() : Result<void>(reply.take_error()));
    });
    ASSERT_TRUE(cluster_.until([&] { return dropped && described; }));
    ASSERT_OK(*dropped);
    ASSERT_OK(*described);
    ASSERT_NO_FATAL_FAILURE(cluster_.expect_equal());
    const auto found = cluster_.node(3)->collection("later");
    if (found.ok()) EXPECT_EQ(found->items, 0u) << "made anew it is empty";
    ASSERT_OK(put(3, "anew"));
    cluster_.put(3, member());
    ASSERT_NO_FATAL_FAILURE(cluster_.expect_equal());
    EXPECT_EQ(cluster_.node(2)->collection("later")->items, 1u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClusterCollections, ::testing::Values(1, 2, 3));

}  // namespace cluster_collections_test
}  // namespace tidal::api
