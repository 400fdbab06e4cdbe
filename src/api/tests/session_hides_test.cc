// What a user hid under a session is on no page from the answer on, though the item is in another
// shard than the session: on one node, through crashes, and on every member of a cluster.
#include <algorithm>
#include <set>

#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace session_hides_test {

constexpr std::uint16_t kShards = 4;
constexpr std::uint64_t kUser = 5, kItems = 16;

FeedCall page_for_user() {
    FeedCall call;
    call.profile = "new";
    call.user_id = IdInput(kUser);
    call.limit = kItems;
    return call;
}
bool shows(const FeedReply& page, std::uint64_t id) {
    return std::ranges::any_of(
        page.items, [&](const FeedItem& each) { return each.entity.id == EntityId(id); });
}
SignalWrite hide_in(std::uint64_t session, std::uint64_t about, std::uint64_t sequence) {
    SignalWrite write = signal(about, "hide");
    write.session_id = std::to_string(session);
    write.sequence = sequence;
    return write;
}
SessionOpen opening() {
    SessionOpen out;
    out.user_id = kUser;
    return out;
}

std::uint64_t open_session(SimNode& node) {
    std::uint64_t session = 0;
    const auto opened = node.wait([&](Database::Done done) {
        node->open_session(opening(), {},
                           [&, done = std::move(done)](Result<SessionReply> reply) mutable {
                               if (reply.ok()) session = reply->id;
                               done(reply.ok() ? Result<void>() : reply.take_error());
                           });
    });
    EXPECT_TRUE(opened.ok()) << opened.error().to_string();
    return session;
}

TEST(SessionHides, AreOnNoPageFromTheAnswerOn) {
    DatabaseOptions options;
    options.shards = kShards;
    SimNode node(options);
    ASSERT_OK(node.open());
    for (std::uint64_t id = 1; id <= kItems; ++id) node.put(item(id, 100 + id % 3));
    const std::uint64_t session = open_session(node);
    for (std::uint64_t id = 1; id <= kItems; ++id) {
        SCOPED_TRACE("item " + std::to_string(id));
        node.put(hide_in(session, id, id));
        auto page = node->feed(page_for_user());
        ASSERT_TRUE(page.ok()) << page.error().to_string();
        EXPECT_FALSE(shows(*page, id));
        EXPECT_EQ(page->items.size(), kItems - id);
        if (id % 4 != 0) continue;
        ASSERT_OK(node.crash_and_open());
        page = node->feed(page_for_user());
        ASSERT_TRUE(page.ok()) << page.error().to_string();
        EXPECT_EQ(page->items.size(), kItems - id) << "after a loss of power";
    }
}

/// The stamps of two shards within one millisecond say nothing of which write came first.
TEST(SessionHides, TakeTurnsWithRelationshipsThatEndThem) {
    DatabaseOptions options;
    options.shards = kShards;
    SimNode node(options);
    ASSERT_OK(node.open());
    for (std::uint64_t id = 1; id <= kItems; ++id) node.put(item(id));
    const std::uint64_t session = open_session(node);
    std::uint64_t sequence = 0;
    for (int round = 0; round < 4; ++round) {
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            SCOPED_TRACE("item " + std::to_string(id));
            // The session has 60 tokens, and gets them back in half a minute.
            if (id % 16 == 0) node.world().run_until([] { return false; }, 30 * kSecondNs);
            node.put(hide_in(session, id, ++sequence));
            auto page = node->feed(page_for_user());
            ASSERT_TRUE(page.ok()) << page.error().to_string();
            EXPECT_FALSE(shows(*page, id)) << "hidden in round " << round;
            // Many stamps of this millisecond, in the shard of the item.
            std::vector<Write> views(50, signal(id, "view"));
            RelationshipWrite ended;
            ended.user_id = kUser;
            ended.kind = record::RelationshipKind::kHides;
            ended.target = id;
            ended.ends = true;
            views.emplace_back(ended);
            for (const auto& reply : node.write(std::move(views)))
                ASSERT_TRUE(reply.ok()) << reply.error().to_string();
            page = node->feed(page_for_user());
            ASSERT_TRUE(page.ok()) << page.error().to_string();
            EXPECT_TRUE(shows(*page, id)) << "shown again in round " << round;
            node.put(hide_in(session, id, ++sequence));
            page = node->feed(page_for_user());
            ASSERT_TRUE(page.ok()) << page.error().to_string();
            EXPECT_FALSE(shows(*page, id)) << "hidden again in round " << round;
        }
    }
}

class SessionHidesInCluster : public ::testing::TestWithParam<std::uint64_t> {
protected:
    SessionHidesInCluster() : cluster_(GetParam(), kShards) {}

    Result<FeedReply> page(std::uint32_t node) {
        auto answer = std::make_shared<std::optional<Result<FeedReply>>>();
        cluster_.node(node)->feed(page_for_user(), [answer](Result<FeedReply> reply) {
            answer->emplace(std::move(reply));
        });
        cluster_.until([&] { return answer->has_value(); });
        return answer->has_value() ? std::move(**answer) : Error(ErrorCode::kTimeout, "no answer");
    }

    SimCluster cluster_;
};

TEST_P(SessionHidesInCluster, AreOnNoPageOfAnyMemberFromTheAnswerOn) {
    cluster_.begin(3);
    for (std::uint64_t id = 1; id <= kItems; ++id) cluster_.put(1, item(id, 100 + id % 3));
    std::optional<Result<SessionReply>> opened;
    cluster_.node(1)->open_session(
        opening(), {}, [&](Result<SessionReply> reply) { opened.emplace(std::move(reply)); });
    ASSERT_TRUE(cluster_.until([&] { return opened.has_value(); }));
    ASSERT_TRUE(opened->ok()) << opened->error().to_string();
    const std::uint64_t session = (**opened).id;
    for (std::uint64_t id = 1; id <= kItems; ++id) {
        SCOPED_TRACE("item " + std::to_string(id));
        const auto by = static_cast<std::uint32_t>(1 + id % 3), reader = by % 3 + 1;
        const SignalWrite hide = hide_in(session, id, id);
        EXPECT_FALSE(cluster_.put(by, hide).repeated);
        const auto shown = page(reader);
        ASSERT_TRUE(shown.ok()) << shown.error().to_string();
        EXPECT_FALSE(shows(*shown, id));
        EXPECT_EQ(shown->items.size(), kItems - id);
    }
    cluster_.expect_equal();
}

/// The answer is lost, as is whoever had the item's shard; the repeat is answered for both.
TEST_P(SessionHidesInCluster, ARepeatIsAnsweredOnceTheItemIsHidden) {
    cluster_.begin(3);
    for (std::uint64_t id = 1; id <= kItems; ++id) cluster_.put(1, item(id, 100 + id % 3));
    std::optional<Result<SessionReply>> opened;
    cluster_.node(1)->open_session(
        opening(), {}, [&](Result<SessionReply> reply) { opened.emplace(std::move(reply)); });
    ASSERT_TRUE(cluster_.until([&] { return opened.has_value(); }));
    ASSERT_TRUE(opened->ok()) << opened->error().to_string();
    const std::uint64_t session = (**opened).id;
    for (std::uint64_t id = 1; id <= 6; ++id) {
        SCOPED_TRACE("item " + std::to_string(id));
        const SignalWrite hide = hide_in(session, id, id);
        cluster_.node(1)->write({hide}, {}, [](WriteReplies) {});
        ASSERT_TRUE(cluster_.until([&] {
            const auto known = cluster_.node(1)->session(session);
            return known.ok() && known->last_sequence == id;
        }));
        const WriteReply again = cluster_.put(1, hide);
        EXPECT_TRUE(again.repeated);
        const auto shown = page(static_cast<std::uint32_t>(1 + id % 3));
        ASSERT_TRUE(shown.ok()) << shown.error().to_string();
        EXPECT_FALSE(shows(*shown, id));
    }
    cluster_.expect_equal();
}

INSTANTIATE_TEST_SUITE_P(Seeds, SessionHidesInCluster, ::testing::Values(1, 2, 3));

}  // namespace session_hides_test
}  // namespace tidal::api
