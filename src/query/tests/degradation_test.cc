// What each level of load leaves out of a page, and what it does not.
#include "query/degradation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::query {
namespace degradation_test {

using ranking::SampleItem;
using ranking::SampleShard;

constexpr std::uint64_t kItems = 900;

const std::vector<ranking::StoredProfile> kOwnProfiles = {
    {"ranked", 1,
     "profile ranked version 1 { candidates union(recent limit 200, window_top(view, 24h) limit "
     "101 weight 0.5); param x = 2; param least = 3; let seen = param(x) * sum(view, all); "
     "require year > param(least); score seen - age_hours; penalty 0.5 when year = 5; }"},
    {"lists", 1,
     "profile lists version 1 { candidates union(recent limit 200, window_top(view, 24h) limit 101 "
     "weight 0.5); score fused; }"},
    {"dated", 1,
     "profile dated version 1 { candidates union(recent limit 200, window_top(view, 24h)); "
     "order year desc; }"},
    {"scanned", 1,
     "profile scanned version 1 { candidates union(scan, recent limit 5); score rank(recent) + "
     "sum(view, all); }"},
};

class Degradation : public testing::Test {
protected:
    Degradation() : registry_(*schema_, kOwnProfiles), shard_(schema_, 1) {
        for (std::uint64_t n = 0; n < kItems; ++n) {
            SampleItem item{.id = EntityId(n)};
            item.created_at = kFilterNow - static_cast<std::int64_t>(n % 977) * kHourMs;
            item.fields.emplace("year", static_cast<std::int64_t>(n % 9));
            shard_.put(item);
            shard_.signal(item.id, "view", static_cast<double>(n * 7919 % 500 + 1),
                          kFilterNow - kHourMs);
        }
    }

    static FeedRequest request(const std::string& profile) {
        FeedRequest out;
        out.profile = profile;
        out.now_ms = kFilterNow;
        out.limit = 50;
        out.facets = "year RANGES (5)";
        out.explain = true;
        return out;
    }
    struct Answer {
        FeedPage page;
        std::vector<std::string> left_out;
    };
    Answer ask(const FeedRequest& request, std::uint8_t level) {
        static const CursorCodec kCodec(std::string(32, 'k'));
        auto planned = plan_feed(request, *schema_, registry_, kCodec);
        EXPECT_TRUE(planned.ok()) << planned.error().to_string();
        FeedPlan& plan = *planned;
        Answer out;
        out.left_out = degrade(level, &plan);
        if (plan.has_lists()) {
            std::vector<std::vector<SourceList>> lists;
            lists.push_back(run_sources(shard_.view(), plan).value());
            merge_sources(lists, &plan);
        }
        std::vector<ShardPage> pages;
        pages.push_back(run_feed(shard_.view(), plan).value());
        out.page = merge_pages(plan, pages, kCodec);
        return out;
    }
    static std::vector<EntityId> ids(const FeedPage& page) {
        std::vector<EntityId> out;
        for (const ScoredItem& item : page.items) out.push_back(item.id);
        return out;
    }

    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema();
    ranking::ProfileRegistry registry_;
    SampleShard shard_;
};

using Names = std::vector<std::string>;

TEST_F(Degradation, Level1HalvesEveryListAndLeavesTheOrder) {
    FeedRequest all = request("lists");
    all.limit = 1000;
    EXPECT_EQ(ask(all, 0).left_out, Names());
    const auto whole = ids(ask(all, 0).page);
    const Answer less = ask(all, 1);
    EXPECT_EQ(less.left_out, Names{"source_lists"});
    EXPECT_EQ(less.page.warnings,
              Names{"under load: the profile's sources gave half as many candidates"});
    std::set<EntityId> want;
    for (std::uint64_t n = 0; n < 100; ++n) want.insert(EntityId(n));  // recent limit 200
    std::vector<std::pair<std::uint64_t, std::uint64_t>> views;
    for (std::uint64_t n = 0; n < kItems; ++n) views.emplace_back(500 - n * 7919 % 500, n);
    std::ranges::sort(views);
    for (std::size_t i = 0; i < 50; ++i) want.insert(EntityId(views[i].second));  // limit 101
    const auto got = ids(less.page);
    EXPECT_EQ(std::set<EntityId>(got.begin(), got.end()), want);
    EXPECT_LT(got.size(), whole.size());
    EXPECT_FALSE(less.page.facets.empty());
    EXPECT_TRUE(less.page.items[0].explanation);
    // By the score, as ever.
    const Answer ranked = ask(request("ranked"), 1);
    EXPECT_EQ(ranked.left_out, Names{"source_lists"});
    for (const ScoredItem& item : ranked.page.items) EXPECT_EQ(item.score, item.explanation->sum());
}

TEST_F(Degradation, Level2OrdersByTheRanksOfTheSources) {
    FeedRequest ranked = request("ranked"), lists = request("lists");
    lists.filter = "year > 3";
    const Answer less = ask(ranked, 2);
    EXPECT_EQ(less.left_out, (Names{"source_lists", "reranking", "facets", "explain"}));
    EXPECT_EQ(less.page.warnings.at(1),
              "under load: ordered by the places that the sources give, not by the score");
    EXPECT_TRUE(less.page.facets.empty());
    EXPECT_NE(ids(less.page), ids(ask(ranked, 1).page));
    ASSERT_EQ(less.page.items.size(), 50u);
    double before = 1;
    for (const ScoredItem& item : less.page.items) {
        EXPECT_FALSE(item.explanation);
        EXPECT_GT(item.id.number() % 9, 3u) << "what is required is required";
        EXPECT_LE(item.score, before);
        EXPECT_LE(item.score, 1.5 / 61);
        before = item.score;
    }
    ranked.params = {{"x", 5}, {"least", 6}};
    const Answer fewer = ask(ranked, 2);
    EXPECT_GE(fewer.page.items.size(), 22u) << "of the hundred newest alone";
    for (const ScoredItem& item : fewer.page.items)
        EXPECT_GT(item.id.number() % 9, 6u) << "the parameters are those of the request";
    // A filter narrows the lists, and what it leaves here is all that is required: both rank alike.
    FeedRequest alike = request("ranked");
    alike.filter = lists.filter;
    const Answer in_order = ask(alike, 2);
    EXPECT_EQ(in_order.page.items.size(), 50u);
    EXPECT_EQ(ids(in_order.page), ids(ask(lists, 1).page));
    // Where the order is that of the ranks already, nothing is left out.
    EXPECT_EQ(ask(lists, 2).left_out, (Names{"source_lists", "facets", "explain"}));
    EXPECT_EQ(ids(ask(lists, 2).page), ids(ask(lists, 1).page));
}

TEST_F(Degradation, OrdersThatAreAskedForAreKept) {
    for (const char* profile : {"dated", "scanned", "trending", "new"}) {
        const Answer less = ask(request(profile), 2);
        EXPECT_EQ(std::ranges::count(less.left_out, "reranking"), 0) << profile;
        EXPECT_EQ(ids(less.page), ids(ask(request(profile), 1).page)) << profile;
    }
    FeedRequest sorted = request("ranked");
    sorted.sort = "sum(view, all) - year DESC";
    EXPECT_EQ(ask(sorted, 2).left_out, (Names{"source_lists", "facets", "explain"}));
    EXPECT_EQ(ids(ask(sorted, 2).page), ids(ask(sorted, 1).page));
}

TEST_F(Degradation, NothingComesTwiceWhileTheLevelChanges) {
    FeedRequest request = this->request("ranked");
    request.limit = 7;
    std::set<EntityId> shown;
    for (std::uint8_t page = 0;; ++page) {
        const Answer answer = ask(request, page % 3);
        for (const ScoredItem& item : answer.page.items)
            EXPECT_TRUE(shown.insert(item.id).second) << "on page " << int{page};
        if (!answer.page.next_cursor) break;
        request.cursor = *answer.page.next_cursor;
        for (std::uint64_t n = 0; n < kItems; n += 5 + page)
            shard_.signal(EntityId(n), "view", page, kFilterNow);
    }
    EXPECT_GT(shown.size(), 60u);
}

}  // namespace degradation_test
}  // namespace tidal::query
