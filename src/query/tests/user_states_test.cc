// Filters and feeds for a user: by brute force over what the user did, at every level of
// degradation, from views and scans, while things are hidden under way.
#include "audience/user_states.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>

#include "entity/tests/memory_store.h"
#include "query/degradation.h"
#include "query/feed_run.h"
#include "query/tests/random_filter.h"
#include "query/top_views.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::query {
namespace user_states_test {

using audience::StateId;
using ranking::SampleItem;
using ranking::SampleShard;

constexpr std::uint64_t kItems = 6'000;

const std::vector<ranking::StoredProfile> kOwnProfiles = {
    {"lists", 1,
     "profile lists version 1 { candidates union(recent limit 400, window_top(view, 24h)); score "
     "fused; }"},
    {"unseen", 1,
     "profile unseen version 1 { candidates union(recent limit 400, window_top(view, 24h) limit "
     "100); require 1 - state(seen); require 2 - state(saved); score fused; }"},
    {"wide", 1,
     "profile wide version 1 { candidates union(recent limit 1000, window_top(view, 24h) limit "
     "1000); score fused; }"},
    {"curious", 1, "profile curious version 1 { score sum(view, all); explore 50%; }"},
};

class ForAUser : public testing::Test {
protected:
    ForAUser()
        : schema_(ranking::sample_schema(
              std::string(ranking::kSampleSchema) +
              "  watch: {polarity: positive, half_life: 1d, sets: [in_progress, seen]}\n"
              "  impression: {half_life: 7d}\n")),
          registry_(*schema_, kOwnProfiles),
          shard_(schema_, 1),
          states_(audience::UserStates::open({}, store_, *schema_).value()) {
        for (std::uint64_t n = 0; n < kItems; ++n) {
            SampleItem item{.id = EntityId(n)};
            item.created_at = kFilterNow - static_cast<std::int64_t>(n % 977) * kHourMs;
            item.fields.emplace("year", static_cast<std::int64_t>(n % 9));
            if (n % 3 == 0) item.fields.emplace("category", std::string("music"));
            shard_.put(item);
            if (n % 2 == 0)
                shard_.signal(item.id, "view", static_cast<double>(n % 50), kFilterNow - kHourMs);
        }
    }

    ranking::ShardView view() {
        ranking::ShardView out = shard_.view();
        out.user_states = states_.get();
        return out;
    }
    Slot slot_of(std::uint64_t item) { return *shard_.entities().find(EntityId(item)); }
    void set(const EntityId& user, const char* state, std::uint64_t item) {
        ASSERT_TRUE(states_
                        ->set(user, *states_->names().find(state), slot_of(item),
                              HybridTime::from_bits(++stamp_), audience::Hold::kForGood)
                        .ok());
        did_.insert({user, state, item});
    }
    bool did(const EntityId& user, const char* state, std::uint64_t item) const {
        return did_.contains({user, state, item});
    }

    FeedRequest request(const std::string& profile, const std::string& filter = {}) const {
        FeedRequest out;
        out.profile = profile;
        out.filter = filter;
        out.now_ms = kFilterNow;
        out.user.emplace().id = ada_;
        return out;
    }
    Result<FeedPlan> plan(const FeedRequest& request) {
        static const CursorCodec kCodec(std::string(32, 'k'));
        return plan_feed(request, *schema_, registry_, kCodec);
    }
    /// In steps, `between` two of which anything may happen.
    ShardPage run(
        FeedPlan& plan, const std::function<void()>& between = [] {}) {
        if (plan.has_lists()) {
            std::vector<std::vector<SourceList>> lists;
            lists.push_back(*run_sources(view(), plan));
            merge_sources(lists, &plan);
        }
        FeedRun run(plan);
        while (!*run.step(view(), StepBudget(10'000))) between();
        return run.take();
    }

    const EntityId ada_{1}, bob_{2};
    std::mt19937_64 random_{3};
    std::shared_ptr<const schema::Schema> schema_;
    ranking::ProfileRegistry registry_;
    SampleShard shard_;
    entity::MemoryStore store_;
    std::unique_ptr<audience::UserStates> states_;
    std::uint64_t stamp_ = 0;
    std::set<std::tuple<EntityId, std::string, std::uint64_t>> did_;
};

TEST_F(ForAUser, FiltersEqualBruteForceAndEstimatesOfBitmapsAreExact) {
    for (int i = 0; i < 2'000; ++i) {
        const char* const states[] = {"seen", "in_progress", "saved"};
        set(random_() % 2 == 0 ? ada_ : bob_, states[random_() % 3], random_() % kItems);
    }
    using Accepts = std::function<bool(std::uint64_t)>;
    const auto ada = [this](const char* state) {
        return [this, state](std::uint64_t n) { return did(ada_, state, n); };
    };
    const Accepts seen = ada("seen"), saved = ada("saved"), open = ada("in_progress");
    const std::vector<std::pair<std::string, Accepts>> cases = {
        {"seen", seen},
        {"NOT seen", [&](auto n) { return !seen(n); }},
        {"NOT (seen OR NOT saved)", [&](auto n) { return !seen(n) && saved(n); }},
        {"in_progress AND NOT seen AND year < 5",
         [&](auto n) { return open(n) && !seen(n) && n % 9 < 5; }},
        {"category = 'music' AND (saved OR NOT (year = 3 OR seen))",
         [&](auto n) { return n % 3 == 0 && (saved(n) || !(n % 9 == 3 || seen(n))); }},
        {"hidden", [](auto) { return false; }},
    };
    for (const auto& [text, accepts] : cases) {
        FeedRequest request = this->request("new", text);
        request.limit = 1000;
        request.explain = true;
        FeedPlan plan = this->plan(request).value();
        plan.keep = kItems;
        const ShardPage page = run(plan);
        std::set<std::uint64_t> got, expected;
        for (const ScoredItem& item : page.items) got.insert(item.id.number());
        for (std::uint64_t n = 0; n < kItems; ++n)
            if (accepts(n)) expected.insert(n);
        EXPECT_EQ(got, expected) << text;
        EXPECT_EQ(page.counts.matched, expected.size()) << text;
        if (text == "seen" || text == "NOT seen") {
            EXPECT_NEAR(page.filter_trace.at(0).estimated, static_cast<double>(expected.size()),
                        1e-6);
        }
    }
}

/// Nor does what the user hid; lists are full while there is enough else.
TEST_F(ForAUser, WhatAProfileRefusesTakesNoPlaceInAList) {
    FeedRequest of_bob = request("wide");
    of_bob.user->id = bob_;
    auto wanted = *run_sources(view(), plan(of_bob).value());
    for (const SourceList& list : wanted)
        for (const SourceEntry& entry : list) {
            const char* const states[] = {"seen", "saved", "hidden", "in_progress"};
            if (random_() % 2 == 0) set(ada_, states[random_() % 4], entry.id.number());
        }
    const std::size_t limits[] = {400, 100};
    for (std::size_t source = 0; source < wanted.size(); ++source) {
        std::erase_if(wanted[source], [&](const SourceEntry& entry) {
            return did(ada_, "seen", entry.id.number()) || did(ada_, "hidden", entry.id.number());
        });
        ASSERT_GT(wanted[source].size(), limits[source]);
        wanted[source].resize(limits[source]);
    }
    TopViews views({.entities_min = 1, .matched_min = 1}, shard_.entities(), kFilterNow);
    const FeedPlan plan = this->plan(request("unseen")).value();
    for (int round = 0; round < 3; ++round) {
        SourcesRun run(plan);
        while (!*run.step(view(), StepBudget(), &views)) {
        }
        const auto lists = run.take();
        ASSERT_EQ(lists.size(), wanted.size());
        for (std::size_t source = 0; source < lists.size(); ++source)
            EXPECT_TRUE(std::ranges::equal(lists[source], wanted[source], {}, &SourceEntry::id,
                                           &SourceEntry::id))
                << source << " in round " << round;
        while (views.has_work()) ASSERT_TRUE(views.step(view(), kFilterNow, 1'000).ok());
    }
    EXPECT_EQ(views.stats().served, 4u);
}

TEST_F(ForAUser, WithoutTheUserTheInputIsNamed) {
    FeedRequest request = this->request("new", "NOT seen");
    request.user.reset();
    EXPECT_EQ(plan(request).error().reason(), "missing_input");
}

TEST_F(ForAUser, FacetsCountWhatTheFilterLeaves) {
    for (std::uint64_t n = 0; n < 300; ++n) set(ada_, "seen", n);
    for (std::uint64_t n = 600; n < 900; ++n) set(ada_, "hidden", n);
    FeedRequest request = this->request("new", "NOT seen AND category = 'music'");
    request.facets = "category";
    FeedPlan plan = this->plan(request).value();
    const ShardPage page = run(plan);
    EXPECT_EQ(page.facets.at(0).values.at("music"), (kItems - 600) / 3);
    EXPECT_EQ(page.facets.at(0).missing, (kItems - 600) * 2 / 3) << "without its own condition";
}

TEST_F(ForAUser, WhatIsHiddenIsNeverShown) {
    std::size_t shown = 0;
    for (const char* profile : {"new", "trending", "shuffle", "lists", "curious", "most_viewed"}) {
        for (const char* filter : {"", "year < 7", "NOT seen"}) {
            for (const std::uint8_t level : {0, 1, 2}) {
                FeedRequest request = this->request(profile, filter);
                const std::uint64_t start = random_() % kItems;
                for (std::uint64_t n = 0; n < 20; ++n)
                    request.pin.emplace_back((start + n * 37) % kItems);
                set(ada_, "hidden", request.pin.front().number());
                FeedPlan plan = this->plan(request).value();
                degrade(level, &plan);
                const ShardPage page = run(plan, [&] { set(ada_, "hidden", random_() % kItems); });
                for (const auto* list : {&page.items, &page.pool}) {
                    for (const ScoredItem& item : *list)
                        EXPECT_FALSE(did(ada_, "hidden", item.id.number()))
                            << profile << " " << filter;
                    shown += list->size();
                }
                EXPECT_GE(page.items.size(), 20u) << profile << " " << filter;
            }
        }
    }
    EXPECT_GT(shown, 1'000u);
    EXPECT_GT(did_.size(), 250u) << "too little was hidden under way to tell";
}

/// The newest and most viewed of all, from lists, views of everybody and pins.
TEST_F(ForAUser, NothingOfABlockedCreatorIsShownAtAnyLevel) {
    const EntityId blocked(77);
    std::uint64_t next = kItems;
    const auto put = [&] {
        SampleItem item{.id = EntityId(next++)};
        item.created_at = kFilterNow - kHourMs;
        item.creator = blocked;
        shard_.put(item);
        shard_.signal(item.id, "view", 100, kFilterNow - kHourMs);
    };
    for (int n = 0; n < 100; ++n) put();
    const auto of_creator = [&](const ShardPage& page) {
        std::size_t out = 0;
        for (const auto* list : {&page.items, &page.pool})
            for (const ScoredItem& item : *list) out += item.id.number() >= kItems ? 1U : 0U;
        return out;
    };
    for (const char* profile : {"new", "trending", "shuffle", "lists", "curious", "most_viewed"}) {
        for (const char* filter : {"", "year < 7 OR NOT seen"}) {
            for (const std::uint8_t level : {0, 1, 2}) {
                SCOPED_TRACE(profile + std::string(" ") + filter + " " + std::to_string(level));
                FeedRequest request = this->request(profile, filter);
                for (std::uint64_t n = 0; n < 20; ++n) request.pin.emplace_back(kItems + n);
                FeedPlan without = this->plan(request).value();
                degrade(level, &without);
                EXPECT_GT(of_creator(run(without)), 0u) << "of somebody who blocks nobody";
                request.user->blocked.insert(blocked);
                FeedPlan plan = this->plan(request).value();
                degrade(level, &plan);
                const ShardPage page = run(plan, put);
                EXPECT_EQ(of_creator(page), 0u);
                EXPECT_GE(page.items.size(), 20u);
            }
        }
    }
    EXPECT_GT(next, kItems + 150) << "too little was made under way to tell";
}

TEST_F(ForAUser, PagesFromViewsEqualScans) {
    TopViews views({.entities_min = 1, .matched_min = 1}, shard_.entities(), kFilterNow);
    std::uint64_t hidden = 0;
    for (int round = 0; round < 40; ++round) {
        FeedPlan plan =
            this->plan(request("most_viewed", round % 3 == 0 ? "year < 5" : "")).value();
        const ShardPage scanned = *run_feed(view(), plan);
        const ShardPage viewed = *run_feed(view(), plan, &views);
        for (int i = 0; views.has_work() && i < 100; ++i)
            ASSERT_TRUE(views.step(view(), kFilterNow, 1'000).ok());
        ASSERT_EQ(viewed.items.size(), scanned.items.size());
        for (std::size_t i = 0; i < viewed.items.size(); ++i) {
            EXPECT_EQ(viewed.items[i].id, scanned.items[i].id) << round;
            EXPECT_FALSE(did(ada_, "hidden", viewed.items[i].id.number()));
        }
        EXPECT_EQ(viewed.counts.matched, scanned.counts.matched);
        EXPECT_EQ(viewed.counts.candidates, scanned.counts.candidates);
        for (std::size_t i = 0; i < 5; ++i, ++hidden)  // The best go.
            set(ada_, "hidden", viewed.items[i * 2].id.number());
    }
    EXPECT_GT(views.stats().served, 20u);
    EXPECT_EQ(hidden, 200u);
}

TEST_F(ForAUser, ACursorBelongsToItsUser) {
    static const CursorCodec kCodec(std::string(32, 'k'));
    FeedPlan first = plan(request("new")).value();
    std::vector<ShardPage> pages;
    pages.push_back(run(first));
    FeedRequest next = request("new");
    next.cursor = merge_pages(first, pages, kCodec).next_cursor.value();
    EXPECT_TRUE(plan(next).ok());
    next.user->id = bob_;
    EXPECT_EQ(plan(next).error().reason(), "invalid_cursor");
}

}  // namespace user_states_test
}  // namespace tidal::query
