// What a page for a user explores though none of its lists has it, against a model.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "audience/user_states.h"
#include "entity/tests/memory_store.h"
#include "query/exploration.h"
#include "query/feed_run.h"
#include "query/tests/random_filter.h"
#include "query/top_views.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::query {
namespace outside_test {

using ranking::SampleItem;
using ranking::SampleShard;

constexpr std::uint64_t kItems = 900, kCreators = 12, kKnownCreators = 6;

const std::vector<ranking::StoredProfile> kOwnProfiles = {
    {"lists", 1,
     "profile lists version 1 { candidates union(follows limit 20, popular limit 25); require 1 - "
     "state(seen); require year != 3; score fused; explore 20%; }"},
    {"about", 1,
     "profile about version 1 { candidates union(co_engaged(item), popular limit 25); score fused; "
     "explore 20%; }"},
    {"scanning", 1, "profile scanning version 1 { score decay(like); explore 20%; }"},
};

struct One {
    SampleShard shard;
    entity::MemoryStore store;
    std::unique_ptr<audience::UserStates> states;
    explicit One(const std::shared_ptr<const schema::Schema>& schema)
        : shard(schema, 1), states(audience::UserStates::open({}, store, *schema).value()) {}
    ranking::ShardView view() {
        ranking::ShardView out = shard.view();
        out.user_states = states.get();
        return out;
    }
};

/// Items 0.. are the newer the greater; creators 0..5 are followed or liked, 11 is blocked.
class Outside {
public:
    explicit Outside(std::size_t shards) {
        for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<One>(schema_));
        for (std::uint64_t n = 0; n < kItems; ++n) {
            SampleItem item{.id = EntityId(n)};
            item.created_at = kFilterNow - static_cast<std::int64_t>(kItems - n) * 60'000;
            item.fields.emplace("year", static_cast<std::int64_t>(n % 9));
            if (n % 13 != 0) item.creator = EntityId(n % kCreators);
            if (n % 31 == 1) item.publish_at = kFilterNow + 1;
            One& one = at(n);
            one.shard.put(item);
            if (n < 60)
                for (std::uint64_t i = 0; i <= n % 7; ++i)
                    one.shard.signal(item.id, n % 2 == 0 ? "like" : "share", 1, kFilterNow);
            if (n % 5 == 0)
                for (int i = 0; i < 100; ++i)
                    one.shard.signal(item.id, "impression", 1, kFilterNow);
            if (n % 7 == 0) set(n, audience::kHidden);
            if (n % 11 == 0) set(n, *one.states->names().find("seen"));
        }
    }

    static FeedRequest request(const std::string& profile, std::uint64_t seed) {
        FeedRequest out;
        out.profile = profile;
        out.now_ms = kFilterNow;
        out.seed = seed;
        out.limit = 20;
        out.user.emplace().id = EntityId(1);
        out.user->blocked.insert(EntityId(kCreators - 1));
        for (std::uint64_t c = 0; c < kKnownCreators; ++c)
            c % 2 == 0 ? (void)out.user->followed.insert(EntityId(c))
                       : (void)out.user->affinities.emplace(EntityId(c), 0.5);
        return out;
    }
    Result<FeedPage> ask(const FeedRequest& request, std::vector<TopViews*> views = {}) {
        static const CursorCodec kCodec(std::string(32, 'k'));
        TIDAL_ASSIGN(FeedPlan plan, plan_feed(request, *schema_, registry_, kCodec));
        std::vector<std::vector<SourceList>> lists;
        for (std::size_t i = 0; i < shards_.size(); ++i) {
            SourcesRun run(plan);
            for (bool done = false; !done;) {
                TIDAL_ASSIGN(done, run.step(shards_[i]->view(), StepBudget(),
                                            views.empty() ? nullptr : views[i]));
            }
            lists.push_back(run.take());
        }
        if (plan.has_lists()) merge_sources(lists, &plan);
        std::vector<ShardPage> pages;
        for (const auto& one : shards_) {
            FeedRun run(plan);
            for (bool done = false; !done;) {
                TIDAL_ASSIGN(done, run.step(one->view(), StepBudget(50'000)));
            }
            pages.push_back(run.take());
            pool_max_ = std::max(pool_max_, pages.back().pool.size());
        }
        return merge_pages(plan, pages, kCodec);
    }
    /// Open, under the budget, neither hidden nor seen.
    static bool is_listed(std::uint64_t n) {
        const bool blocked = n % 13 != 0 && n % kCreators == kCreators - 1;
        return n % 31 != 1 && n % 5 != 0 && n % 7 != 0 && n % 11 != 0 && !blocked;
    }
    /// Whether it may be explored at all.
    static bool may(std::uint64_t n) { return is_listed(n) && n % 9 != 3; }
    static bool is_outside(std::uint64_t n) {
        return n % 13 == 0 || n % kCreators >= kKnownCreators;
    }

    std::vector<std::unique_ptr<One>> shards_;
    std::size_t pool_max_ = 0;

    One& at(std::uint64_t n) { return *shards_[n * 5 % shards_.size()]; }

private:
    void set(std::uint64_t n, audience::StateId state) {
        One& one = at(n);
        ASSERT_TRUE(one.states
                        ->set(EntityId(1), state, *one.shard.entities().find(EntityId(n)),
                              HybridTime::from_bits(++stamp_), audience::Hold::kForGood)
                        .ok());
    }

    std::shared_ptr<const schema::Schema> schema_ =
        ranking::sample_schema(std::string(ranking::kSampleSchema) +
                               "  watch: {polarity: positive, half_life: 1d, sets: [seen]}\n"
                               "  impression: {half_life: 7d}\n");
    ranking::ProfileRegistry registry_{*schema_, kOwnProfiles};
    std::uint64_t stamp_ = 0;
};

std::string text_of(const FeedPage& page) {
    std::string out;
    for (const ScoredItem& item : page.items)
        out += item.id.to_string() + (item.explored ? "x " : " ");
    return out;
}

TEST(OutsideTest, WhatIsExploredIsNewUnknownAllowedAndHalfOfItByNewCreators) {
    for (const std::size_t shards : {1u, 3u}) {
        Outside all(shards);
        std::set<std::uint64_t> met;
        for (std::uint64_t seed = 1; seed <= 150; ++seed) {
            FeedRequest request = Outside::request("lists", seed);
            std::set<EntityId> sequence;
            for (int page = 0; page < 2; ++page) {
                const auto reply = all.ask(request);
                ASSERT_TRUE(reply.ok()) << reply.error().to_string();
                for (const ScoredItem& item : reply->items) {
                    const std::uint64_t n = item.id.number();
                    ASSERT_TRUE(sequence.insert(item.id).second) << "twice: " << n;
                    ASSERT_EQ(item.rank % 5 == 0, item.explored != nullptr) << item.rank;
                    if (!item.explored) continue;
                    met.insert(n);
                    ASSERT_TRUE(Outside::may(n)) << n;
                    ASSERT_EQ(item.explored->outside, Outside::is_outside(n)) << n;
                    if (item.rank % 10 == 5) {
                        ASSERT_TRUE(item.explored->outside) << n;
                    }
                }
                if (page == 0) {
                    ASSERT_TRUE(reply->next_cursor.has_value());
                    request.cursor = *reply->next_cursor;
                }
            }
        }
        // The newest that may be, and none older but what a list has.
        std::vector<std::uint64_t> newest;
        for (std::uint64_t n = kItems; n-- > 0 && newest.size() < kExploredNewest;)
            if (Outside::is_listed(n)) newest.push_back(n);
        EXPECT_LE(all.pool_max_, kExplorationPool);
        EXPECT_GT(met.size(), 100u);
        EXPECT_TRUE(met.contains(899 - 1)) << "the newest that may be explored";
        const std::uint64_t oldest = newest.back();
        for (const std::uint64_t n : met)
            EXPECT_TRUE(n >= oldest || n < 60 || n % kCreators < kKnownCreators) << n;
    }
}

TEST(OutsideTest, NothingIsExploredWhereAllThatMightBeIsBuried) {
    Outside all(2);
    FeedRequest request = Outside::request("lists", 1);
    request.filter = "created_within 10m";
    for (std::uint64_t n = kItems - 10; n < kItems; ++n)
        if (Outside::is_listed(n)) request.bury.emplace_back(n);
    ASSERT_GT(request.bury.size(), 3u);
    const auto page = all.ask(request);
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    for (const ScoredItem& item : page->items) EXPECT_FALSE(item.explored) << item.rank;
}

TEST(OutsideTest, ThePageIsThatOfItsSeedFromOneShardOrMany) {
    Outside one(1), three(3);
    std::set<std::string> pages;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const FeedRequest request = Outside::request("lists", seed);
        const std::string page = text_of(*one.ask(request));
        EXPECT_EQ(page, text_of(*one.ask(request)));
        EXPECT_EQ(page, text_of(*three.ask(request)));
        pages.insert(page);
    }
    EXPECT_EQ(pages.size(), 20u);
}

TEST(OutsideTest, AFilterHoldsForWhatIsExplored) {
    Outside all(2);
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        FeedRequest request = Outside::request("lists", seed);
        request.filter = "year = 2";
        const auto page = all.ask(request);
        ASSERT_TRUE(page.ok()) << page.error().to_string();
        std::size_t explored = 0;
        for (const ScoredItem& item : page->items) {
            EXPECT_EQ(item.id.number() % 9, 2u);
            explored += item.explored ? 1 : 0;
        }
        EXPECT_GT(explored, 0u) << seed;
    }
}

TEST(OutsideTest, WhatAnItemSaysThePageIsAboutIsAllItExplores) {
    Outside all(2);
    FeedRequest request = Outside::request("about", 1);
    request.similar_to = EntityId(4);
    const auto page = all.ask(request);
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    ASSERT_FALSE(page->items.empty());
    for (const ScoredItem& item : page->items) EXPECT_LT(item.id.number(), 60u);
}

/// Of all items fewer are outside than a pool of both kinds would hold of them.
TEST(OutsideTest, AScanGivesEverySecondPlaceToNewCreatorsToo) {
    Outside all(2);
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        FeedRequest request = Outside::request("scanning", seed);
        for (std::uint64_t c = kKnownCreators; c < kCreators - 2; ++c)
            request.user->followed.insert(EntityId(c));
        const auto page = all.ask(request);
        ASSERT_TRUE(page.ok()) << page.error().to_string();
        for (const ScoredItem& item : page->items) {
            if (item.rank % 10 != 5) continue;
            const std::uint64_t n = item.id.number();
            EXPECT_TRUE(n % 13 == 0 || n % kCreators == kCreators - 2) << n;
        }
    }
}

}  // namespace outside_test
}  // namespace tidal::query
