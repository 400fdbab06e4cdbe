// Pages whose sources and places depend on each other: texts that only some are shown, exploration
// of what a search found, and within groups.
#include <algorithm>
#include <map>
#include <set>

#include "api/tests/sim_node.h"

namespace tidal::api {
namespace sources_and_places_test {

void put_profile(SimNode& node, const std::string& text) {
    ASSERT_OK(node.wait([&](Database::Done done) {
        node->put_profile(text, false, [done = std::move(done)](auto reply) mutable {
            done(reply.ok() ? Result<void>() : Result<void>(reply.error()));
        });
    }));
}

EntityWrite about(std::uint64_t id, const std::string& title) {
    EntityWrite write = item(id);
    write.metadata = {{"title", title},
                      {"category", "c" + std::to_string(id % 40)},
                      {"year", static_cast<std::int64_t>(id)}};
    return write;
}

void like(SimNode& node, std::uint64_t user, std::uint64_t id) {
    SignalWrite write = signal(id, "like");
    write.user_id = IdInput(user);
    node.put(write);
}

std::vector<FeedItem> page(SimNode& node, const FeedCall& call) {
    auto reply = node->feed(call);
    EXPECT_TRUE(reply.ok()) << reply.error().to_string();
    return reply.ok() ? std::move(reply->items) : std::vector<FeedItem>();
}

TEST(SourcesAndPlaces, ATextWhenColdIsReadForWhoHasLikedNothing) {
    SimNode node({.shards = 3});
    ASSERT_OK(node.open());
    put_profile(node,
                "profile cold version 1 { candidates union(text(query) limit 10 when cold, popular "
                "limit 3); score fused; }");
    for (std::uint64_t id = 1; id <= 8; ++id) node.put(about(id, id <= 4 ? "jazz" : "blues"));
    for (const std::uint64_t user : {21, 22})
        for (const std::uint64_t id : {5, 6, 7}) like(node, user, id);
    like(node, 1, 8);
    node.rest();
    FeedCall call;
    call.profile = "cold";
    call.query = "jazz";
    const auto ids_for = [&](std::uint64_t user) {
        call.user_id = IdInput(user);
        std::set<std::uint64_t> out;
        for (const FeedItem& each : page(node, call)) out.insert(each.entity.id.number());
        return out;
    };
    EXPECT_EQ(ids_for(1), (std::set<std::uint64_t>{5, 6, 7}));
    EXPECT_EQ(ids_for(2), (std::set<std::uint64_t>{1, 2, 3, 4, 5, 6, 7}));
}

/// Though it is drawn in another order than that of texts.
TEST(SourcesAndPlaces, WhatIsExploredHasTheScoreOfItsText) {
    SimNode node({.shards = 3});
    ASSERT_OK(node.open());
    for (const std::string explores : {"", " explore 50%;"})
        put_profile(node, std::string("profile ") + (explores.empty() ? "plain" : "exploring") +
                              " version 1 { candidates text(query) limit 100; score bm25;" +
                              explores + " }");
    for (std::uint64_t id = 1; id <= 60; ++id) {
        std::string title = "jazz";
        for (std::uint64_t i = 0; i < id % 7; ++i) title += " word" + std::to_string(i);
        node.put(about(id, title));
    }
    node.rest();
    FeedCall call;
    call.query = "jazz";
    call.seed = 7;
    call.limit = 60;
    call.profile = "plain";
    std::map<EntityId, double> scores;
    for (const FeedItem& each : page(node, call)) scores[each.entity.id] = each.score;
    ASSERT_EQ(scores.size(), 60u);
    call.profile = "exploring";
    call.limit = 30;
    std::size_t explored = 0;
    for (const FeedItem& each : page(node, call)) {
        explored += each.explored ? 1 : 0;
        EXPECT_GT(each.score, 0) << each.entity.id.to_string();
        EXPECT_EQ(each.score, scores[each.entity.id]) << each.entity.id.to_string();
    }
    EXPECT_GT(explored, 5u);
}

TEST(SourcesAndPlaces, ExplorationHasItsPlacesWithinGroups) {
    std::vector<EntityId> of_one;
    for (const std::uint16_t shards : {1, 3}) {
        SimNode node({.shards = shards});
        ASSERT_OK(node.open());
        put_profile(node, "profile exploring version 1 { score year; explore 50%; }");
        for (std::uint64_t id = 1; id <= 200; ++id) node.put(about(id, "title"));
        node.rest();
        FeedCall call;
        call.profile = "exploring";
        call.group_by = "category TOP 1";
        call.limit = 20;
        call.seed = 7;
        const auto items = page(node, call);
        ASSERT_EQ(items.size(), 20u);
        std::set<std::string> groups;
        std::vector<EntityId> ids;
        for (const FeedItem& each : items) {
            EXPECT_EQ(each.explored.has_value(), each.rank % 2 == 0) << "place " << each.rank;
            EXPECT_TRUE(groups.insert(each.group.value()).second) << *each.group;
            ids.push_back(each.entity.id);
        }
        if (of_one.empty()) of_one = ids;
        EXPECT_EQ(ids, of_one) << shards << " shards";
    }
}

}  // namespace sources_and_places_test
}  // namespace tidal::api
