// A feed in steps, with anything happening to the shard in between.
#include <gtest/gtest.h>

#include <random>

#include "query/feed_run.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::query {
namespace feed_steps_test {

using ranking::SampleItem;
using ranking::SampleShard;

const std::vector<ranking::StoredProfile> kProfiles = {
    {"lists", 1,
     "profile lists version 1 { candidates union(recent limit 900, window_top(view, 24h) limit "
     "500);"
     " score fused + 0.01 * log1p(sum(view, 24h)); }"},
    {"gated", 1, "profile gated version 1 { require year != 4; score sum(view, all) + year; }"},
};
constexpr std::uint64_t kItems = 3000;

class FeedSteps : public testing::Test {
protected:
    FeedSteps() : registry_(*schema_, kProfiles), shard_(schema_, 1) {
        for (std::uint64_t n = 0; n < kItems; ++n) put(n);
        for (std::uint64_t n = 0; n < kItems; n += 2) view(n);
    }

    void put(std::uint64_t n) {
        SampleItem item{.id = EntityId(n)};
        item.created_at = kFilterNow - static_cast<std::int64_t>(random_() % 500) * 60'000;
        item.fields.emplace("year", static_cast<std::int64_t>(random_() % 9));
        if (random_() % 2 == 0) item.fields.emplace("category", std::string("music"));
        item.fields.emplace("place", record::GeoPoint{.latitude = 10, .longitude = 20});
        if (random_() % 20 == 0) item.expires_at = kFilterNow;
        shard_.put(item);
    }
    void view(std::uint64_t n) { shard_.signal(EntityId(n), "view", 1, kFilterNow); }
    bool lives(std::uint64_t n) { return shard_.entities().find(EntityId(n)).has_value(); }

    static FeedRequest request(const std::string& profile, const std::string& filter) {
        FeedRequest request;
        request.profile = profile;
        request.filter = filter;
        request.facets = "category, year RANGES (3, 6)";
        request.now_ms = kFilterNow;
        request.seed = 7;
        return request;
    }
    FeedPlan plan(const std::string& profile, const std::string& filter) {
        return plan(request(profile, filter));
    }
    FeedPlan plan(const FeedRequest& request) {
        auto plan = plan_feed(request, *schema_, registry_, codec());
        EXPECT_TRUE(plan.ok()) << plan.error().to_string();
        return std::move(plan).value();
    }

    static const CursorCodec& codec() {
        static const CursorCodec kCodec(std::string(32, 'k'));
        return kCodec;
    }
    /// Runs to the end; `between` is called after every step that was not the last.
    template <typename Run, typename Between>
    auto run_steps(Run run, std::uint64_t budget_ns, Between between) {
        for (;;) {
            const auto view = shard_.view();
            const auto done = run.step(view, StepBudget(budget_ns));
            EXPECT_TRUE(done.ok());
            if (!done.ok() || *done) return run.take();
            between();
        }
    }

    /// One page, a step for each of what it does. @param steps  Of the entities' lists apart.
    FeedPage page(const FeedRequest& request, std::size_t* steps) {
        FeedPlan plan = this->plan(request);
        if (plan.has_lists()) {
            std::vector<std::vector<SourceList>> lists;
            lists.push_back(*run_sources(shard_.view(), plan));
            merge_sources(lists, &plan);
        }
        *steps = 1;
        std::vector<ShardPage> pages;
        pages.push_back(run_steps(FeedRun(plan), 1, [&] { ++*steps; }));
        return merge_pages(plan, pages, codec());
    }

    /// Deletes, makes again, changes or views some item.
    void meddle(std::set<std::uint64_t>* touched) {
        const std::uint64_t n = random_() % (kItems + 50);
        touched->insert(n);
        switch (random_() % 4) {
            case 0:
                if (lives(n)) return shard_.erase(EntityId(n));
                return put(n);
            case 1:
                if (lives(n)) shard_.erase(EntityId(n));
                return put(n);
            case 2:
                return put(n);
            default:
                if (lives(n)) view(n);
        }
    }

    std::mt19937_64 random_{17};
    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema();
    ranking::ProfileRegistry registry_;
    SampleShard shard_;
};

/// Heavy, so that a run has several windows.
constexpr const char* kManyLooks =
    "near(10, 20, 5) AND near(10, 21, 500) AND near(11, 20, 500) AND near(10, 20, 50) AND "
    "near(10, 20, 7) AND year < 7";

TEST_F(FeedSteps, WhatNobodyTouchedRanksAsIfNothingHadBeenBetween) {
    std::size_t steps = 0, touches = 0;
    for (const char* profile : {"trending", "new", "gated", "shuffle", "lists"}) {
        for (const char* filter : {"", "category = 'music'", kManyLooks}) {
            for (const std::uint32_t keep : {20u, 5000u}) {
                FeedPlan plan = this->plan(profile, filter);
                plan.keep = 5000;
                const auto view = shard_.view();
                if (plan.has_lists()) {
                    std::vector<std::vector<SourceList>> lists;
                    lists.push_back(*run_sources(view, plan));
                    merge_sources(lists, &plan);
                }
                const ShardPage before = *run_feed(view, plan);
                plan.keep = keep;
                std::set<std::uint64_t> touched;
                const ShardPage page = run_steps(FeedRun(plan), 10'000, [&] {
                    ++steps;
                    for (std::uint64_t i = random_() % 8; i > 0; --i) meddle(&touched);
                });
                touches += touched.size();
                std::set<EntityId> got;
                std::vector<std::pair<EntityId, double>> untouched, expected;
                Roaring slots;
                for (const ScoredItem& item : page.items) {
                    ASSERT_TRUE(got.insert(item.id).second) << profile << " shows one twice";
                    ASSERT_TRUE(lives(item.id.number())) << profile << " shows a dead item";
                    slots.add(shard_.entities().find(item.id)->value());
                    if (!touched.contains(item.id.number()))
                        untouched.emplace_back(item.id, item.score);
                }
                for (const ScoredItem& item : before.items)
                    if (!touched.contains(item.id.number()))
                        expected.emplace_back(item.id, item.score);
                if (plan.filter) {
                    EXPECT_EQ(evaluate(*plan.filter, shard_.entities(), slots, kFilterNow), slots);
                }
                if (keep == 20) {
                    EXPECT_EQ(page.items.size(), 20u) << profile << " " << filter;
                    expected.resize(untouched.size());
                }
                EXPECT_EQ(untouched, expected) << profile << " " << filter;
            }
        }
    }
    EXPECT_GT(steps, 150u);
    EXPECT_GT(touches, 300u);
}

TEST_F(FeedSteps, ListsOfSourcesLikewise) {
    FeedPlan plan = this->plan("lists", kManyLooks);
    const auto before = *run_sources(shard_.view(), plan);
    std::set<std::uint64_t> touched;
    std::size_t steps = 0;
    const auto lists = run_steps(SourcesRun(plan), 10'000, [&] {
        ++steps;
        meddle(&touched);
    });
    EXPECT_GT(steps, 10u);
    for (std::size_t source = 0; source < lists.size(); ++source) {
        std::vector<EntityId> untouched, expected;
        for (const SourceEntry& entry : lists[source]) {
            EXPECT_TRUE(lives(entry.id.number()));
            if (!touched.contains(entry.id.number())) untouched.push_back(entry.id);
        }
        for (const SourceEntry& entry : before[source])
            if (!touched.contains(entry.id.number())) expected.push_back(entry.id);
        const std::size_t both = std::min(untouched.size(), expected.size());
        EXPECT_GT(both, 300u);
        untouched.resize(both);
        expected.resize(both);
        EXPECT_EQ(untouched, expected);
    }
}

TEST_F(FeedSteps, TheSameAnswerInAnyNumberOfSteps) {
    for (const char* profile : {"trending", "gated", "new"}) {
        const FeedPlan plan = this->plan(profile, kManyLooks);
        const auto text = [](const ShardPage& page) {
            std::string out = std::to_string(page.counts.candidates) + "/" +
                              std::to_string(page.counts.matched) + "/" +
                              std::to_string(page.counts.scored);
            for (const ScoredItem& item : page.items)
                out += " " + item.id.to_string() + "=" + std::to_string(item.score);
            for (const FacetCounts& facet : page.facets) {
                for (const auto& [value, count] : facet.values)
                    out += " " + value + ":" + std::to_string(count);
                for (const auto count : facet.ranges) out += " " + std::to_string(count);
                out += " " + std::to_string(facet.missing);
            }
            return out;
        };
        const std::string whole = text(run_steps(FeedRun(plan), ~0ULL, [] { FAIL(); }));
        std::size_t before = 0;
        for (const std::uint64_t budget : {1'000'000u, 250'000u, 50'000u, 1u}) {
            std::size_t steps = 0;
            EXPECT_EQ(text(run_steps(FeedRun(plan), budget, [&] { ++steps; })), whole);
            EXPECT_GE(steps, before);
            before = steps;
        }
        EXPECT_GT(before, 10u);
    }
}

/// What a step may do is bounded by what its pieces cost, not by the number of entities.
TEST_F(FeedSteps, AStepIsBounded) {
    const FeedPlan plan = this->plan("trending", "");
    const auto& program = plan.profile->program;
    std::uint64_t scored = 0, steps = 0;
    FeedRun run(plan);
    for (bool done = false; !done; ++steps) done = *run.step(shard_.view());
    scored = run.take().counts.scored;
    EXPECT_GE(steps * 2 * StepBudget::kNanoseconds, scored * program.cost);
    std::size_t pieces = 0;
    FeedRun late(plan);
    for (bool done = false; !done; ++pieces)
        done = *late.step(shard_.view(), StepBudget(~0ULL, [] { return true; }));
    EXPECT_GT(pieces, scored / program.block_slots) << "a clock that is late ends every step";
}

TEST_F(FeedSteps, GroupsAreTheSameInAnyNumberOfSteps) {
    for (std::uint64_t n = 0; n < kItems; ++n) {
        if (n % 7 == 0) continue;
        SampleItem item{.id = EntityId(n), .created_at = kFilterNow - 60'000};
        item.fields.emplace("category", "category " + std::to_string(n % 700));
        shard_.put(item);
    }
    for (const char* profile : {"trending", "lists"})
        for (const char* group : {"category TOP 2", "year", "creator_id"}) {
            FeedRequest request = this->request(profile, "");
            request.group_by = group;
            request.limit = 200;
            FeedPlan plan = this->plan(request);
            if (plan.has_lists()) {
                std::vector<std::vector<SourceList>> lists;
                lists.push_back(*run_sources(shard_.view(), plan));
                merge_sources(lists, &plan);
            }
            const auto text = [](const ShardPage& page) {
                std::string out;
                for (const ScoredItem& item : page.items)
                    out += " " + item.id.to_string() + ":" + (item.group ? *item.group : "none");
                return out;
            };
            const std::string whole = text(run_steps(FeedRun(plan), ~0ULL, [] { FAIL(); }));
            std::size_t steps = 0;
            for (const std::uint64_t budget : {250'000u, 50'000u, 1u})
                EXPECT_EQ(text(run_steps(FeedRun(plan), budget, [&] { ++steps; })), whole);
            EXPECT_GT(steps, 10u) << profile << " " << group;
        }
}

/// From a value that has not been looked at to one that has been: it is found in none.
TEST_F(FeedSteps, WhatMovesToAnotherGroupIsInOneOrLeftOut) {
    constexpr std::uint64_t kValues = 1000;
    const auto put_one = [&](std::uint64_t n, std::uint64_t value) {
        SampleItem item{.id = EntityId(n), .created_at = kFilterNow - 60'000};
        item.fields.emplace("category", "category " + std::to_string(value));
        shard_.put(item);
    };
    for (std::uint64_t n = 0; n < kItems; ++n) put_one(n, n % kValues);
    FeedRequest request = this->request("trending", "");
    request.facets.clear();
    request.group_by = "category TOP 100";
    request.limit = 200;
    std::mt19937_64 random(1);
    const FeedPlan plan = this->plan(request);
    const ShardPage page = run_steps(FeedRun(plan), 1, [&] {
        for (int i = 0; i < 20; ++i) {
            const std::uint64_t n = random() % kItems;
            const std::uint64_t value = random() % kValues;
            put_one(n, value);
        }
    });
    ASSERT_FALSE(page.items.empty());
    for (const ScoredItem& item : page.items)
        EXPECT_NE(item.group, nullptr) << item.id.to_string() << " has a value all the time";
}

/// Of lists a page costs what they have, however many entities and values there are, and the second
/// what the first does; what the first showed takes its place of its group though it is gone.
TEST_F(FeedSteps, GroupsOfListsCostWhatIsListed) {
    const auto put_one = [&](std::uint64_t n, const std::string& category) {
        SampleItem item{.id = EntityId(n), .created_at = kFilterNow - kItems + n};
        item.fields.emplace("category", category);
        shard_.put(item);
    };
    std::size_t few = 0, many = 0, second = 0;
    for (std::uint64_t n = 0; n < kItems; ++n) put_one(n, "category " + std::to_string(n % 50));
    FeedRequest request = this->request("lists", "");
    request.facets.clear();
    request.group_by = "category";
    request.limit = 20;
    page(request, &few);
    // As many again that are on no list, each of a value of its own.
    for (std::uint64_t n = 0; n < 3 * kItems; ++n) {
        SampleItem item{.id = EntityId(10 * kItems + n), .created_at = kFilterNow - 100 * kItems};
        item.fields.emplace("category", "rare " + std::to_string(n));
        shard_.put(item);
    }
    const FeedPage first = page(request, &many);
    EXPECT_LT(many, few + 1'500) << "steps for " << kItems << " values";
    ASSERT_EQ(first.items.size(), 20u);
    ASSERT_TRUE(first.next_cursor.has_value());
    std::set<std::string> groups;
    for (const ScoredItem& item : first.items) {
        ASSERT_NE(item.group, nullptr);
        EXPECT_TRUE(groups.insert(*item.group).second);
        if (item.rank % 2 == 0) shard_.erase(item.id);
    }
    request.cursor = *first.next_cursor;
    const FeedPage next = page(request, &second);
    EXPECT_EQ(next.items.size(), 20u);
    EXPECT_LT(second, many + 100);
    for (const ScoredItem& item : next.items)
        EXPECT_TRUE(groups.insert(*item.group).second) << *item.group << " is shown again";
}

TEST_F(FeedSteps, AShortPageStillLeadsOn) {
    const FeedPlan plan = this->plan("most_viewed", "");
    std::size_t steps = 0;
    run_steps(FeedRun(plan), 1, [&] { ++steps; });
    ShardPage page = run_steps(FeedRun(plan), 1, [&] {
        if (--steps > 0) return;
        for (std::uint64_t n = 0; n < kItems; ++n)
            if (n % 100 != 0) shard_.erase(EntityId(n));
    });
    EXPECT_LT(page.items.size(), plan.limit);
    for (const ScoredItem& item : page.items) EXPECT_TRUE(lives(item.id.number()));
    std::vector<ShardPage> pages;
    pages.push_back(std::move(page));
    const FeedPage merged = merge_pages(plan, pages, codec());
    EXPECT_FALSE(merged.items.empty());
    EXPECT_TRUE(merged.next_cursor.has_value());
}

}  // namespace feed_steps_test
}  // namespace tidal::query
