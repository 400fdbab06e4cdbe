// Lists read off views are those of a look at every entity, key by key, whatever happens in
// between.
#include <gtest/gtest.h>

#include <random>

#include "query/feed_run.h"
#include "query/tests/random_filter.h"
#include "query/top_views.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::query {
namespace source_walk_test {

constexpr std::uint64_t kItems = 600;

const std::vector<ranking::StoredProfile> kProfiles = {
    {"now", 1,
     "profile now version 1 { candidates union(ordered(like) limit 40, window_top(view, 24h) limit "
     "30, "
     "ordered(share) limit 25); score fused; }"},
    {"liked", 1,
     "profile liked version 1 { candidates union(ordered(like) limit 40, ordered(share) limit 25); "
     "score fused; }"},
    {"front", 1, "profile front version 1 { score decay(like); }"},
    {"all", 1,
     "profile all version 1 { candidates union(ordered(like) limit 1000, window_top(view, 24h) "
     "limit 1000, ordered(share) limit 1000); score fused; }"},
    {"half", 1,
     "profile half version 1 { candidates union(ordered(like) limit 40, recent limit 30); score "
     "fused; }"},
    {"cold", 1,
     "profile cold version 1 { candidates union(popular limit 40, recent limit 30 when cold); "
     "score fused; explore 10%; }"},
};

class SourceWalks : public testing::Test {
protected:
    SourceWalks() {
        for (std::uint64_t n = 0; n < kItems; ++n) {
            ranking::SampleItem item{.id = EntityId(n)};
            item.created_at = kFilterNow - static_cast<std::int64_t>(random_() % 500) * 60'000;
            years_.push_back(static_cast<std::int64_t>(random_() % 9));
            item.fields.emplace("year", years_.back());
            if (n % 20 == 0) item.expires_at = kFilterNow + 1;
            if (n % 20 == 1) item.publish_at = kFilterNow + 1;
            shard_.put(item);
        }
        for (int i = 0; i < 900; ++i) happen();
    }

    void happen() {
        static const char* const kSignals[] = {"like", "view", "share"};
        happen(kSignals[random_() % 3]);
    }
    void happen(const char* name) { happen(name, EntityId(random_() % kItems)); }
    void happen(const char* name, const EntityId& id) {
        const UnixMillis at_ms = kFilterNow - static_cast<std::int64_t>(random_() % 40) * 3'600'000;
        shard_.signal(id, name, 1 + static_cast<double>(random_() % 4), at_ms);
        into_->on_event(*shard_.entities().find(id), schema_->find_signal(name)->id, at_ms,
                        kFilterNow);
    }
    void make_views() {
        for (int i = 0; into_->has_work() && i < 100; ++i)
            ASSERT_TRUE(into_->step(shard_.view(), kFilterNow, 1'000).ok());
    }

    FeedPlan plan(const std::string& profile, std::vector<EntityId> exclude, UnixMillis now_ms,
                  const std::string& filter = "") {
        FeedRequest request;
        request.profile = profile;
        request.exclude = std::move(exclude);
        request.filter = filter;
        request.now_ms = now_ms;
        request.seed = 7;
        static const CursorCodec kCodec(std::string(32, 'k'));
        auto plan = plan_feed(request, *schema_, registry_, kCodec);
        EXPECT_TRUE(plan.ok()) << plan.error().to_string();
        return std::move(plan).value();
    }
    std::vector<SourceList> by_views(const FeedPlan& plan) {
        SourcesRun run(plan);
        for (int steps = 0; steps < 1'000; ++steps) {
            const auto done = run.step(shard_.view(), StepBudget(), into_);
            EXPECT_TRUE(done.ok()) << done.error().to_string();
            if (!done.ok() || *done) break;
        }
        return run.take();
    }
    void expect_equal(const FeedPlan& plan) {
        expect_equal(by_views(plan), *run_sources(shard_.view(), plan));
    }
    void expect_equal(const std::vector<SourceList>& viewed,
                      const std::vector<SourceList>& scanned) {
        ASSERT_EQ(viewed.size(), scanned.size());
        for (std::size_t source = 0; source < scanned.size(); ++source) {
            ASSERT_EQ(viewed[source].size(), scanned[source].size()) << source;
            for (std::size_t i = 0; i < scanned[source].size(); ++i) {
                EXPECT_EQ(viewed[source][i].id, scanned[source][i].id) << source << " " << i;
                EXPECT_EQ(viewed[source][i].key, scanned[source][i].key) << source << " " << i;
            }
        }
    }

    std::mt19937_64 random_{29};
    std::vector<std::int64_t> years_;  ///< By item.
    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema(
        std::string(ranking::kSampleSchema) + "  impression: {half_life: 7d}\n");
    ranking::ProfileRegistry registry_{*schema_, kProfiles};
    ranking::SampleShard shard_{schema_, 1};
    TopViews views_{{.entities_min = 1, .matched_min = 1}, shard_.entities(), kFilterNow};
    TopViews* into_ = &views_;  ///< Which views are asked and told.
};

TEST_F(SourceWalks, ListsFromViewsEqualThoseOfAScan) {
    for (int round = 0; round < 60; ++round) {
        std::vector<EntityId> exclude;
        if (round % 2 == 1) {
            const auto lists = *run_sources(shard_.view(), plan("now", {}, kFilterNow));
            for (std::size_t i = 0; i < 10; ++i) exclude.push_back(lists[i % 3][i].id);
        }
        for (const char* profile : {"now", "half", "cold"})
            expect_equal(plan(profile, exclude, kFilterNow + round * 1'000));
        make_views();
        for (int i = 0; i < 30; ++i) happen();
        // Some become known, the newest in time as well.
        for (int i = 0; i < 100; ++i)
            happen("impression", EntityId(static_cast<std::uint64_t>(round) * 7));
    }
    EXPECT_GT(views_.stats().served, 400u);
}

/// What the filter accepts of the whole lists, in their order.
TEST_F(SourceWalks, AFilterLeavesTheFirstOfWhatItAccepts) {
    for (int round = 0; round < 60; ++round) {
        const UnixMillis now = kFilterNow + round * 1'000;
        const int year = round % 10;  // None has the last.
        auto wanted = *run_sources(shard_.view(), plan("all", {}, now));
        const std::size_t limits[] = {40, 30, 25};
        for (std::size_t source = 0; source < wanted.size(); ++source) {
            std::erase_if(wanted[source], [&](const SourceEntry& entry) {
                return years_[entry.id.number()] < year;
            });
            if (wanted[source].size() > limits[source]) wanted[source].resize(limits[source]);
        }
        const FeedPlan filtered = plan("now", {}, now, "year >= " + std::to_string(year));
        expect_equal(by_views(filtered), wanted);
        expect_equal(*run_sources(shard_.view(), filtered), wanted);
        make_views();
        for (int i = 0; i < 30; ++i) happen();
    }
    EXPECT_GT(views_.stats().served, 100u);
}

/// The order of a decay is of no time: whoever asks as of a moment ago reads the view as well.
TEST_F(SourceWalks, APageThatIsBehindReadsListsOffViews) {
    expect_equal(plan("liked", {}, kFilterNow));
    make_views();
    for (int round = 9; round > 0; --round) {
        const std::uint64_t served = views_.stats().served;
        expect_equal(plan("liked", {}, kFilterNow + round * 60'000));
        EXPECT_EQ(views_.stats().served, served + 2) << round;
        for (int i = 0; i < 30; ++i) happen();
        ASSERT_TRUE(views_.settle(shard_.view(), kFilterNow + 600'000).ok());
    }
}

/// A page of the whole order is of one moment: it is asked for again as of a later one, unless it
/// goes on from another.
TEST_F(SourceWalks, APageThatIsBehindItsViewSaysSo) {
    const auto page_of = [&](const FeedPlan& plan, bool ends_behind, UnixMillis* behind_ms) {
        FeedRun run(plan, ends_behind);
        for (bool done = false; !done;) done = *run.step(shard_.view(), StepBudget(), into_);
        *behind_ms = run.behind_ms();
        std::vector<std::pair<std::uint64_t, double>> out;
        const ShardPage page = run.take();
        for (const ScoredItem& item : page.items) out.emplace_back(item.id.number(), item.score);
        return out;
    };
    UnixMillis behind_ms = 0;
    page_of(plan("front", {}, kFilterNow), true, &behind_ms);
    make_views();
    happen("like");
    ASSERT_TRUE(views_.settle(shard_.view(), kFilterNow + 5'000).ok());
    FeedPlan before = plan("front", {}, kFilterNow);
    const auto scanned = [&](const FeedPlan& plan) {
        std::vector<std::pair<std::uint64_t, double>> out;
        const ShardPage page = *run_feed(shard_.view(), plan);
        for (const ScoredItem& item : page.items) out.emplace_back(item.id.number(), item.score);
        return out;
    };
    page_of(before, true, &behind_ms);
    EXPECT_EQ(behind_ms, kFilterNow + 5'000);
    const FeedPlan later = plan("front", {}, behind_ms);
    const std::uint64_t served = views_.stats().served;
    EXPECT_EQ(page_of(later, true, &behind_ms), scanned(later));
    EXPECT_EQ(behind_ms, 0);
    EXPECT_EQ(views_.stats().served, served + 1);
    before.moment_is_kept = true;
    EXPECT_EQ(page_of(before, true, &behind_ms), scanned(before));
    EXPECT_EQ(behind_ms, 0);
}

/// Scores for one moment do not last for ever: the view is made anew, and is right at every time.
TEST_F(SourceWalks, ADecayIsReadOffAViewForEver) {
    constexpr UnixMillis kWeekMs = 7 * 24 * 3'600'000LL;
    for (int weeks = 0; weeks < 900; weeks += 10) {
        expect_equal(plan("liked", {}, kFilterNow + weeks * kWeekMs));
        make_views();
    }
    EXPECT_GT(views_.stats().served, 100u);
    EXPECT_GT(views_.stats().built, 10u);
}

/// Also after a pause so long that the view cannot be read any more.
TEST_F(SourceWalks, ADecayNobodyAskedForIsMadeAgain) {
    expect_equal(plan("liked", {}, kFilterNow));
    make_views();
    const UnixMillis later = kFilterNow + 600 * 7 * 24 * 3'600'000LL;
    const std::uint64_t served = views_.stats().served;
    expect_equal(plan("liked", {}, later));
    EXPECT_EQ(views_.stats().served, served);
    make_views();
    expect_equal(plan("liked", {}, later));
    EXPECT_EQ(views_.stats().served, served + 2);
}

/// Too little is held for what is asked: the whole shard is looked at.
TEST_F(SourceWalks, AViewThatEndsTooEarlyIsNoAnswer) {
    TopViews small({.capacity = 20, .refill_below = 1, .entities_min = 1, .matched_min = 1},
                   shard_.entities(), kFilterNow);
    into_ = &small;
    expect_equal(plan("now", {}, kFilterNow));
    make_views();
    expect_equal(plan("now", {}, kFilterNow));
    EXPECT_GT(small.stats().views, 0u);
    EXPECT_EQ(small.stats().served, 0u);
}

}  // namespace source_walk_test
}  // namespace tidal::query
