// What a user's relationships to creators do to a page.
#include "query/viewer.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "query/feed_run.h"
#include "query/tests/random_filter.h"
#include "query/top_views.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::query {
namespace viewer_test {

using ranking::SampleItem;
using ranking::SampleShard;

constexpr std::uint64_t kItems = 3'000, kCreators = 30;

const std::vector<ranking::StoredProfile> kOwnProfiles = {
    {"near_home", 1,
     "profile near_home version 1 { score sum(view, all) + 1000 * follows(creator); }"},
    {"below_zero", 1, "profile below_zero version 1 { score sum(view, all) - 1000; }"},
    {"rising_order", 1,
     "profile rising_order version 1 { score sum(view, all) + 1; order score asc; }"},
};

class Viewers : public testing::Test {
protected:
    Viewers() : registry_(*schema_, kOwnProfiles), shard_(schema_, 1) {
        for (std::uint64_t n = 0; n < kItems; ++n) {
            SampleItem item{.id = EntityId(n)};
            if (n % 10 != 0) item.creator = creator_of(n);
            item.created_at = kFilterNow - static_cast<std::int64_t>(n % 977) * kHourMs;
            shard_.put(item);
            shard_.signal(item.id, "view", static_cast<double>(n % 50), kFilterNow - kHourMs);
        }
    }
    static EntityId creator_of(std::uint64_t item) { return EntityId(item % kCreators); }
    static bool is_by(const ScoredItem& item, std::uint64_t creator) {
        return item.id.number() % 10 != 0 && creator_of(item.id.number()) == EntityId(creator);
    }

    FeedRequest request(const std::string& profile, const std::string& filter = {}) const {
        FeedRequest out;
        out.profile = profile;
        out.filter = filter;
        out.now_ms = kFilterNow;
        out.user.emplace().id = EntityId(1);
        return out;
    }
    Result<FeedPlan> plan(const FeedRequest& request) {
        static const CursorCodec kCodec(std::string(32, 'k'));
        return plan_feed(request, *schema_, registry_, kCodec);
    }
    ShardPage run(FeedPlan& plan, TopViews* views = nullptr) {
        if (plan.has_lists()) {
            std::vector<std::vector<SourceList>> lists;
            lists.push_back(*run_sources(shard_.view(), plan));
            merge_sources(lists, &plan);
        }
        return *run_feed(shard_.view(), plan, views);
    }
    ShardPage run(const FeedRequest& request) {
        FeedPlan made = plan(request).value();
        return run(made);
    }

    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema();
    ranking::ProfileRegistry registry_;
    SampleShard shard_;
};

TEST_F(Viewers, ItemsOfBlockedCreatorsAreNeverShown) {
    TopViews views({.entities_min = 1, .matched_min = 1}, shard_.entities(), kFilterNow);
    for (const char* profile : {"new", "most_viewed", "shuffle", "near_home"}) {
        for (const char* filter : {"", "created_within 500h", "NOT blocked"}) {
            FeedRequest request = this->request(profile, filter);
            for (std::uint64_t c = 0; c < 10; ++c) request.user->blocked.insert(EntityId(c));
            request.pin = {EntityId(1), EntityId(11)};
            for (int round = 0; round < 2; ++round) {
                FeedPlan plan = this->plan(request).value();
                plan.keep = kItems;
                const ShardPage page = run(plan, round == 1 ? &views : nullptr);
                for (int i = 0; views.has_work() && i < 100; ++i)
                    ASSERT_TRUE(views.step(shard_.view(), kFilterNow, 1'000).ok());
                for (const ScoredItem& item : page.items)
                    for (std::uint64_t c = 0; c < 10; ++c) EXPECT_FALSE(is_by(item, c)) << profile;
                // Two thirds of those with a creator, and those without.
                if (std::string_view(filter) != "created_within 500h") {
                    EXPECT_EQ(page.items.size(), 2'100u) << profile;
                }
            }
        }
    }
}

TEST_F(Viewers, FollowedIsAFilterASourceAndAFeature) {
    FeedRequest request = this->request("new", "followed");
    request.limit = 1'000;
    for (const std::uint64_t c : {3, 4}) request.user->followed.insert(EntityId(c));
    const auto by_followed = [](const ScoredItem& item) {
        return is_by(item, 3) || is_by(item, 4);
    };
    EXPECT_EQ(run(request).counts.matched, 200u);
    request.filter = "NOT followed";
    EXPECT_EQ(run(request).counts.matched, 2'800u) << "an item without a creator is by nobody";
    request.filter.clear();
    request.profile = "following";
    request.limit = 20;
    const ShardPage page = run(request);
    ASSERT_EQ(page.items.size(), 21u);
    for (std::size_t i = 0; i < page.items.size(); ++i) {
        EXPECT_TRUE(by_followed(page.items[i]));
        if (i > 0) {
            EXPECT_LE(page.items[i].score, page.items[i - 1].score) << "the newest first";
        }
    }
    request.profile = "near_home";
    for (const ScoredItem& item : run(request).items) EXPECT_TRUE(by_followed(item));
    request.user.reset();
    EXPECT_EQ(plan(request).error().reason(), "missing_input");
    request.profile = "following";
    EXPECT_EQ(plan(request).error().reason(), "missing_input");
}

/// Also where the profile itself asks for nobody.
TEST_F(Viewers, ASortByWhatAUserDidNeedsOne) {
    FeedRequest request = this->request("new");
    request.user.reset();
    EXPECT_TRUE(plan(request).ok());
    for (const char* sort : {"days_since_last(positive)", "affinity(creator)", "follows(creator)",
                             "age_hours + affinity(creator)"}) {
        request.sort = sort;
        const auto refused = plan(request);
        ASSERT_FALSE(refused.ok()) << sort;
        EXPECT_EQ(refused.error().reason(), "missing_input") << sort;
    }
}

/// A filter that all match makes a look at every item of it.
TEST_F(Viewers, WhatIsFollowedIsListedAsByALookAtEveryItem) {
    for (std::uint64_t followed = 0; followed < 4; ++followed) {
        std::vector<std::vector<SourceList>> lists;
        for (const char* filter : {"", "created_within 100000h"}) {
            FeedRequest request = this->request("following", filter);
            for (std::uint64_t c = 0; c < followed; ++c) request.user->followed.insert(EntityId(c));
            request.user->blocked.insert(EntityId(1));
            for (std::uint64_t n = 0; n < 300; n += 7) request.exclude.push_back(EntityId(n));
            lists.push_back(*run_sources(shard_.view(), plan(request).value()));
        }
        ASSERT_EQ(lists[0].size(), lists[1].size());
        std::size_t listed = 0;
        for (std::size_t source = 0; source < lists[0].size(); ++source) {
            ASSERT_EQ(lists[0][source].size(), lists[1][source].size());
            for (std::size_t i = 0; i < lists[0][source].size(); ++i, ++listed) {
                EXPECT_EQ(lists[0][source][i].id, lists[1][source][i].id);
                EXPECT_EQ(lists[0][source][i].key, lists[1][source][i].key);
            }
        }
        EXPECT_EQ(listed > 0, followed > 2) << "nothing is by the first, and the second is blocked";
    }
}

TEST_F(Viewers, MutedCreatorsRankLowerWhateverTheSignOfTheScore) {
    for (const char* profile : {"most_viewed", "below_zero", "rising_order"}) {
        FeedRequest request = this->request(profile);
        FeedPlan plain = plan(request).value();
        plain.keep = kItems;
        std::map<EntityId, double> own;
        for (const ScoredItem& item : run(plain).items) own[item.id] = item.score;
        request.user->muted.insert(EntityId(7));
        request.explain = true;
        FeedPlan muting = plan(request).value();
        muting.keep = kItems;
        const ShardPage page = run(muting);
        ASSERT_EQ(page.items.size(), kItems);
        for (const ScoredItem& item : page.items) {
            double sum = 0;
            for (const auto& term : item.explanation->terms) sum += term.value;
            EXPECT_NEAR(sum, item.score, 1e-9);
            if (!is_by(item, 7)) {
                EXPECT_EQ(item.score, own[item.id]);
                continue;
            }
            const bool descending = std::string_view(profile) != "rising_order";
            EXPECT_NEAR(item.score,
                        (own[item.id] >= 0) == descending ? own[item.id] * 0.1 : own[item.id] / 0.1,
                        1e-9);
            EXPECT_TRUE(descending ? item.score <= own[item.id] : item.score >= own[item.id]);
        }
    }
    FeedRequest request = this->request("new");
    const ShardPage before = run(request);
    for (std::uint64_t c = 0; c < kCreators; c += 2) request.user->muted.insert(EntityId(c));
    const ShardPage after = run(request);
    for (std::size_t i = 0; i < before.items.size(); ++i)
        EXPECT_EQ(after.items[i].id, before.items[i].id) << "a stored value is no score";
}

}  // namespace viewer_test
}  // namespace tidal::query
