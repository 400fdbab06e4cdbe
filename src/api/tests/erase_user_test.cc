// Deleting a user is never half done: wherever the process dies, and whoever leads, either all of
// the user is there or nothing of it in any shard.
#include <algorithm>
#include <set>

#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace erase_user_test {

constexpr std::uint64_t kUser = 7, kFriends = 8, kItems = 12;

EntityDelete user_delete(std::uint64_t id = kUser) {
    return {EntityKind::kUser, id, {}};
}
SignalWrite by_user(std::uint64_t id, std::string name) {
    SignalWrite write = signal(id, std::move(name));
    write.user_id = IdInput(kUser);
    return write;
}
Write related(std::uint64_t user, record::RelationshipKind kind, std::uint64_t target) {
    return RelationshipWrite{user, kind, target, false};
}

/// Items, and a user of whom no entity is made: states in all shards, relationships, friends that
/// name the user, saved searches, tastes.
std::vector<Write> a_life() {
    using Kind = record::RelationshipKind;
    std::vector<Write> out;
    for (std::uint64_t id = 1; id <= kItems; ++id) out.emplace_back(item(id, 100 + id));
    for (std::uint64_t id = 1; id <= kItems; ++id) out.emplace_back(by_user(id, "like"));
    for (std::uint64_t id = 1; id <= kItems; id += 3) out.emplace_back(by_user(id, "hide"));
    for (std::uint64_t id = 2; id <= kItems; id += 3) {
        out.emplace_back(by_user(id, "view"));
        out.push_back(related(kUser, Kind::kSaves, id));
    }
    out.push_back(related(kUser, Kind::kFollows, 101));
    out.push_back(related(kUser, Kind::kFriends, 300));
    for (std::uint64_t other = 0; other < kFriends; ++other)
        out.push_back(related(200 + other, Kind::kFriends, kUser));
    out.emplace_back(SavedSearchWrite{kUser, "mine", "SEARCH items FOR 'title'", false});
    return out;
}

/// What a reader finds of the user, by where.
std::set<std::string> traces(Database& database) {
    std::set<std::string> out;
    const auto failed = [&](const Error& error) { out.insert("error: " + error.to_string()); };
    for (const std::string state : {"liked", "seen", "saved"}) {
        FeedCall call;
        call.profile = "new";
        call.user_id = IdInput(kUser);
        call.filter = state;
        call.confirmed = true;  // of this node, whose thread a page that waits would hold
        const auto page = database.feed(call);
        if (!page.ok())
            failed(page.error());
        else if (!page->items.empty())
            out.insert(state);
    }
    FeedCall call;
    call.profile = "new";
    call.user_id = IdInput(kUser);
    call.limit = kItems;
    call.confirmed = true;
    const auto page = database.feed(call);
    if (!page.ok())
        failed(page.error());
    else if (page->items.size() != kItems)
        out.insert("hidden");
    for (std::uint64_t who = 0; who <= kFriends; ++who) {
        const bool own = who == kFriends;
        const auto found = database.relationships({own ? kUser : 200 + who, {}});
        if (!found.ok())
            failed(found.error());
        else if (!found->relationships.empty())
            out.insert(own ? "relationships" : "named");
    }
    const auto sessions = database.sessions(IdInput(kUser));
    if (!sessions.ok())
        failed(sessions.error());
    else if (!sessions->empty())
        out.insert("sessions");
    const auto searches = database.saved_searches(IdInput(kUser));
    if (!searches.ok())
        failed(searches.error());
    else if (!searches->empty())
        out.insert("searches");
    call.profile = "loved";
    const auto loved = database.feed(call);
    if (!loved.ok())
        failed(loved.error());
    else
        for (const FeedItem& each : loved->items)
            if (each.score != 0) out.insert("taste");
    return out;
}
const std::set<std::string> kAll{"liked",         "seen",     "saved",    "hidden", "named",
                                 "relationships", "searches", "sessions", "taste"};

constexpr const char* kLoved = "profile loved version 1 { score affinity(creator); }";

class EraseUser : public testing::Test {
protected:
    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = 4;
        return out;
    }
    static void live(SimNode* node) {
        ASSERT_OK(node->open());
        for (const auto& reply : node->write(a_life()))
            ASSERT_TRUE(reply.ok()) << reply.error().to_string();
        ASSERT_OK(node->wait([&](Database::Done done) {
            (*node)->put_profile(kLoved, false, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
        }));
        ASSERT_OK(node->wait([&](Database::Done done) {
            SessionOpen open;
            open.user_id = IdInput(kUser);
            (*node)->open_session(open, {}, [done = std::move(done)](auto reply) mutable {
                done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
            });
        }));
        node->rest();
        ASSERT_EQ(traces(**node), kAll);
    }
};

TEST_F(EraseUser, NothingIsLeftWhenItIsAnsweredNorLater) {
    SimNode node(options());
    live(&node);
    ASSERT_OK(node.write_one(user_delete()));
    EXPECT_EQ(traces(*node), std::set<std::string>()) << "answered";
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(traces(*node), std::set<std::string>()) << "after a crash";
    ASSERT_OK(node.write_one(user_delete()));
}

TEST_F(EraseUser, WhoComesBackBeginsAnewAndStays) {
    SimNode node(options());
    live(&node);
    ASSERT_OK(node.write_one(user_delete()));
    // What is of the same millisecond in another shard may have been before it, and is forgotten.
    node.world().advance(1'000'000);
    node.put(by_user(3, "like"));
    node.rest();
    const std::set<std::string> one{"liked", "taste"};
    EXPECT_EQ(traces(*node), one);
    ASSERT_OK(node.checkpoint());
    ASSERT_OK(node.crash_and_open());
    node.rest();
    EXPECT_EQ(traces(*node), one);
}

/// At every operation of the disk from the call on, until nothing of the erasure is on its way.
TEST_F(EraseUser, IsWholeOrNotBegunWhereverTheProcessDies) {
    std::uint64_t erased = 0, kept = 0, unanswered = 0;
    for (std::uint64_t at = 1;; ++at) {
        SCOPED_TRACE("operation " + std::to_string(at));
        SimNode node(options(), at);
        live(&node);
        node.disk().set_crash_after(at);
        const auto reply = node.write_one(user_delete());
        const auto moving = [&] {
            for (const auto& shard : node->stats().shards)
                if (shard.outbox_rows > 0 || shard.applied != shard.proposed) return true;
            return false;
        };
        node.world().run_until([&] { return node.crashed() || !moving(); }, 60 * kSecondNs);
        const bool crashed = node.crashed();
        node.disk().set_crash_after(0);
        ASSERT_OK(node.crash_and_open({.keep = at % 2 == 0 ? runtime::CrashSpec::Keep::kNothing
                                                           : runtime::CrashSpec::Keep::kAll}));
        node.rest();
        const auto left = traces(*node);
        if (left.empty())
            ++erased;
        else
            ++kept;
        unanswered += left.empty() && !reply.ok() ? 1 : 0;
        ASSERT_TRUE(left.empty() || left == kAll) << *left.begin() << " and more";
        ASSERT_TRUE(!reply.ok() || left.empty()) << "acknowledged";
        if (!crashed) break;
    }
    EXPECT_GT(erased, 3u);
    EXPECT_GT(kept, 0u);
    EXPECT_GT(unanswered, 0u) << "a death between the user's shard and the others was met";
}

/// Signals of a session leave the user's shard with the deletion behind them.
TEST_F(EraseUser, WhatSessionsHaveOnTheWayIsErasedBehindIt) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        SimNode node(options(), seed);
        live(&node);
        const auto sessions = node->sessions(IdInput(kUser));
        ASSERT_TRUE(sessions.ok());
        ASSERT_EQ(sessions->size(), 1u);
        std::size_t answered = 0;
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            SignalWrite write = signal(id, "like");
            write.session_id = std::to_string(sessions->front().id);
            node->write({write}, {}, [&](const WriteReplies&) { ++answered; });
        }
        std::optional<Result<WriteReply>> gone;
        node->write({user_delete()}, {},
                    [&](WriteReplies replies) { gone = std::move(replies[0]); });
        node.world().run_until([&] { return gone && answered == kItems; }, 60 * kSecondNs);
        ASSERT_TRUE(gone.has_value());
        ASSERT_TRUE((*gone).ok()) << (*gone).error().to_string();
        node.rest();
        EXPECT_EQ(traces(*node), std::set<std::string>());
        EXPECT_EQ(node.count(1, "like"), 2) << "what was counted stays";
    }
}

class ErasureInACluster : public testing::TestWithParam<std::uint64_t> {
protected:
    ErasureInACluster() : cluster_(GetParam(), 4) {}
    SimCluster cluster_;
};

/// The node that took the call and led the user's shard dies at once, whatever it got done.
TEST_P(ErasureInACluster, GoesOnUnderTheNextLeader) {
    cluster_.begin(3);
    for (const auto& reply : cluster_.write(1, a_life()))
        ASSERT_TRUE(reply.ok()) << reply.error().to_string();
    ASSERT_OK(cluster_.wait([&](Database::Done done) {
        cluster_.node(1)->put_profile(kLoved, false, [done = std::move(done)](auto reply) mutable {
            done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
        });
    }));
    ASSERT_TRUE(cluster_.until([&] { return cluster_.at_rest(); }));
    std::set<std::string> before = kAll;
    before.erase("sessions");
    for (std::uint32_t node = 1; node <= 3; ++node)
        ASSERT_EQ(traces(*cluster_.node(node)), before) << "node " << node;

    const ShardId home = home_of(EntityKind::kUser, kUser, 4);
    const std::uint32_t led = cluster_.leader(home);
    ASSERT_NE(led, 0u);
    const LogIndex last = cluster_.node(led)->stats().shards[home.value()].applied;
    auto answer = std::make_shared<std::optional<Result<WriteReply>>>();
    cluster_.node(led)->write({user_delete()}, {}, [answer](WriteReplies replies) {
        answer->emplace(std::move(replies[0]));
    });
    // Committed and applied by its leader: from here on it may not be lost.
    ASSERT_TRUE(cluster_.until(
        [&] { return cluster_.node(led)->stats().shards[home.value()].applied > last; }));
    EXPECT_FALSE(answer->has_value()) << "nobody was told yet";
    cluster_.kill(led);
    ASSERT_TRUE(cluster_.until([&] { return cluster_.all_lead(); }));
    const std::uint32_t next = cluster_.leader(home);
    EXPECT_NE(next, led);
    cluster_.restart(led);
    ASSERT_TRUE(cluster_.until([&] { return cluster_.at_rest(); }));
    for (std::uint32_t node = 1; node <= 3; ++node)
        EXPECT_EQ(traces(*cluster_.node(node)), std::set<std::string>()) << "node " << node;
    cluster_.expect_equal();
}

INSTANTIATE_TEST_SUITE_P(Seeds, ErasureInACluster, testing::Range<std::uint64_t>(1, 5));

}  // namespace erase_user_test
}  // namespace tidal::api
