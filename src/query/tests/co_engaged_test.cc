// What is liked together with what a page starts from, beside the formula written out.
#include "query/co_engaged.h"

#include <gtest/gtest.h>

#include <cmath>

#include "audience/co_engagement.h"
#include "entity/tests/memory_store.h"
#include "query/feed.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::query {
namespace co_engaged_test {

using ranking::SampleItem;
using ranking::SampleShard;

const std::vector<ranking::StoredProfile> kOwnProfiles = {
    {"together", 1,
     "profile together version 1 { candidates co_engaged(user); score co_engagement; }"},
    {"with_item", 1,
     "profile with_item version 1 { candidates co_engaged(item); score co_engagement; }"},
    {"either", 1,
     "profile either version 1 { candidates union(co_engaged(user), recent limit 3);"
     " score rank(co_engaged(user)); }"},
};

class CoEngagedPages : public testing::Test {
protected:
    CoEngagedPages() : registry_(*schema_, kOwnProfiles), shard_(schema_, 1) {
        for (std::uint64_t n = 1; n <= 40; ++n) {
            SampleItem item{.id = EntityId(n)};
            item.created_at = kFilterNow - static_cast<std::int64_t>(n) * kHourMs;
            shard_.put(item);
        }
        pairs_ = audience::CoEngagement::open({}, store_).value();
    }
    /// So many users liked `first`, then `second`, and `alone` more only `first`.
    void like(std::uint64_t first, std::uint64_t second, int users, int alone = 0) {
        const std::vector<EntityId> one = {EntityId(first)}, other = {EntityId(second)};
        for (int i = 0; i < users; ++i) {
            pairs_->count(slot(first), {}, 1, kFilterNow);
            pairs_->count(slot(first), other, 0, kFilterNow);
            pairs_->count(slot(second), one, 1, kFilterNow);
        }
        for (int i = 0; i < alone; ++i) pairs_->count(slot(first), {}, 1, kFilterNow);
    }
    Slot slot(std::uint64_t item) { return *shard_.entities().find(EntityId(item)); }
    ranking::ShardView view() {
        ranking::ShardView out = shard_.view();
        out.co_engagement = pairs_.get();
        return out;
    }
    /// As the database does: its first phase, then the shard.
    ShardPage run(FeedPlan plan, const std::vector<EntityId>& from, ranking::Anchor anchor) {
        double weight = 1;
        for (const EntityId& item : from) {
            add_co_engaged(view(), item, weight, plan.now_ms, &plan.co_engaged.at(anchor));
            weight *= kLikedDecay;
        }
        std::vector<std::vector<SourceList>> lists = {*run_sources(view(), plan)};
        merge_sources(lists, &plan);
        return *run_feed(view(), plan);
    }
    FeedRequest request(const std::string& profile) const {
        FeedRequest out;
        out.profile = profile;
        out.now_ms = kFilterNow;
        return out;
    }
    Result<FeedPlan> plan(const FeedRequest& request) {
        static const CursorCodec kCodec(std::string(32, 'k'));
        return plan_feed(request, *schema_, registry_, kCodec);
    }
    static double alike(double both, double likes, double other_likes) {
        return both / std::sqrt(likes * other_likes) * both / (both + 10);
    }

    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema();
    ranking::ProfileRegistry registry_;
    SampleShard shard_;
    entity::MemoryStore store_;
    std::unique_ptr<audience::CoEngagement> pairs_;
};

TEST_F(CoEngagedPages, OfAUserAreTheFormulaSummedOverWhatWasLiked) {
    like(1, 3, 5, 4);   // 1: 9 likes
    like(2, 3, 2);      // 3: 7 likes
    like(2, 4, 8, 10);  // 2: 20 likes; 4: 8 likes
    FeedRequest request = this->request("together");
    request.user.emplace().id = EntityId(7);
    const ShardPage page =
        run(plan(request).value(), {EntityId(1), EntityId(2)}, ranking::Anchor::kUser);
    ASSERT_EQ(page.items.size(), 2u);
    const double of3 = alike(5, 9, 7) + 0.8 * alike(2, 20, 7), of4 = 0.8 * alike(8, 20, 8);
    EXPECT_NEAR(page.items[of3 > of4 ? 0 : 1].score, of3, 1e-12);
    EXPECT_NEAR(page.items[of3 > of4 ? 1 : 0].score, of4, 1e-12);
    EXPECT_EQ(page.items[of3 > of4 ? 0 : 1].id, EntityId(3));
}

TEST_F(CoEngagedPages, OfAnItemDoNotShowIt) {
    like(1, 3, 5);
    like(1, 1, 3);
    FeedRequest request = this->request("with_item");
    request.similar_to = EntityId(1);
    const ShardPage page = run(plan(request).value(), {EntityId(1)}, ranking::Anchor::kItem);
    ASSERT_EQ(page.items.size(), 1u);
    EXPECT_EQ(page.items[0].id, EntityId(3));
}

TEST_F(CoEngagedPages, SayWhatTheyLack) {
    const auto user = plan(request("together"));
    ASSERT_FALSE(user.ok());
    EXPECT_EQ(user.error().field(), "user_id");
    const auto item = plan(request("with_item"));
    ASSERT_FALSE(item.ok());
    EXPECT_EQ(item.error().field(), "similar_to");
    FeedPlan either = plan(request("either")).value();
    ASSERT_EQ(either.warnings.size(), 1u);
    EXPECT_NE(either.warnings[0].find("`co_engaged(user)` is empty"), std::string::npos);
    std::vector<std::vector<SourceList>> lists = {*run_sources(view(), either)};
    merge_sources(lists, &either);
    EXPECT_EQ(run_feed(view(), either)->items.size(), 3u) << "of the other source";
}

}  // namespace co_engaged_test
}  // namespace tidal::query
