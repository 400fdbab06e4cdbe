// What a request says in the place of its profile: sort, pins, groups, diversity.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/case_fold.h"
#include "query/feed_run.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::query {
namespace stages_test {

using ranking::SampleItem;
using ranking::SampleShard;

/// So short that every stage takes several steps.
constexpr std::uint64_t kStepNs = 50'000;
constexpr std::uint64_t kItems = 120;

/// Many begin alike, some are equal but for their case.
std::string title_of(std::uint64_t n) {
    const std::string word(1, static_cast<char>((n % 2 == 0 ? 'A' : 'a') + n * 11 % 23));
    if (n % 3 == 0) return "The Concert " + word;
    if (n % 3 == 1) return (n % 2 == 0 ? "Édith " : "édith ") + word;
    return word;
}

class Stages {
public:
    Stages()
        : schema_(ranking::sample_schema(std::string(ranking::kSampleSchema) +
                                         "  impression: {half_life: 7d}\n")),
          registry_(*schema_, own_profiles()) {}

    void spread(std::size_t shard_count) {
        shards_.clear();
        for (std::size_t i = 0; i < shard_count; ++i)
            shards_.push_back(std::make_unique<SampleShard>(schema_, 1));
        for (std::uint64_t n = 0; n < kItems; ++n) {
            SampleItem item{.id = EntityId(n)};
            item.created_at = kFilterNow - static_cast<std::int64_t>(n * 37 % 50) * kHourMs;
            if (n % 4 != 0) item.fields.emplace("year", static_cast<std::int64_t>(n * 7 % 9) - 4);
            if (n % 5 != 0) item.fields.emplace("quality", static_cast<double>(n % 11) / 10);
            if (n % 3 == 0) item.fields.emplace("category", std::string("music"));
            if (n % 5 == 1) item.fields.emplace("category", std::string("film"));
            if (n % 6 != 5) item.fields.emplace("title", title_of(n));
            if (n % 4 != 1) item.creator = EntityId(n % 11);
            if (n % 40 == 7) item.publish_at = kFilterNow + 1000 * kHourMs;
            SampleShard& shard = *shards_[n * 7 % shard_count];
            shard.put(item);
            for (std::uint64_t e = n * 13 % 5; e > 0; --e)
                shard.signal(item.id, "view", 1, kFilterNow);
        }
    }

    Result<FeedPage> ask(const FeedRequest& request) {
        TIDAL_ASSIGN(FeedPlan plan, plan_feed(request, *schema_, registry_, codec_));
        if (plan.has_lists()) {
            std::vector<std::vector<SourceList>> lists;
            for (const auto& shard : shards_) {
                TIDAL_ASSIGN(auto of_shard, run_sources(shard->view(), plan));
                lists.push_back(std::move(of_shard));
            }
            merge_sources(lists, &plan);
        }
        std::vector<ShardPage> pages;
        for (const auto& shard : shards_) {
            const auto view = shard->view();
            FeedRun run(plan);
            for (bool done = false; !done;) {
                TIDAL_ASSIGN(done, run.step(view, StepBudget(kStepNs)));
            }
            pages.push_back(run.take());
        }
        return merge_pages(plan, pages, codec_);
    }

    static FeedRequest request(const std::string& profile, std::uint32_t limit = 20) {
        FeedRequest out;
        out.profile = profile;
        out.limit = limit;
        out.now_ms = kFilterNow;
        return out;
    }

    /// The items of all pages. @param between  Called after each.
    template <typename Between>
    std::vector<ScoredItem> all_pages(FeedRequest request, Between between) {
        std::vector<ScoredItem> out;
        for (;;) {
            auto page = ask(request);
            EXPECT_TRUE(page.ok()) << page.error().to_string();
            if (!page.ok()) return out;
            for (auto& item : page->items) {
                EXPECT_EQ(item.rank, out.size() + 1);
                out.push_back(std::move(item));
            }
            if (!page->next_cursor) return out;
            if (page->items.size() != request.limit)
                ADD_FAILURE() << "a page of " << page->items.size() << " with another behind it";
            if (out.size() > 2 * kItems) {  // `between` may add some, fewer than a page shows.
                ADD_FAILURE() << "more than all: the pages do not end";
                return out;
            }
            request.cursor = *page->next_cursor;
            between();
        }
    }
    std::vector<ScoredItem> all_pages(const FeedRequest& request) {
        return all_pages(request, [] {});
    }

    std::string first(FeedRequest request) {
        const auto page = ask(request);
        if (!page.ok()) return std::string(page.error().reason()) + " " + page.error().to_string();
        std::string out;
        for (const auto& item : page->items) out += item.id.to_string() + " ";
        return out;
    }

    std::optional<std::string> value_of(const EntityId& id, const GroupRequest& group) {
        for (const auto& shard : shards_) {
            const auto entity = shard->entities().get(id);
            if (!entity.ok() || !*entity) continue;
            if (group.field == "creator_id")
                return (*entity)->creator ? std::optional((*entity)->creator->to_string())
                                          : std::nullopt;
            const auto field = schema_->find_field(EntityKind::kItem, group.field)->id;
            for (const auto& [number, value] : (*entity)->fields) {
                if (number != field) continue;
                if (const auto* text = std::get_if<std::string>(&value)) return *text;
                return std::to_string(std::get<std::int64_t>(value));
            }
        }
        return std::nullopt;
    }

    std::vector<std::unique_ptr<SampleShard>> shards_;

private:
    static const std::vector<ranking::StoredProfile>& own_profiles() {
        static const std::vector<ranking::StoredProfile> kProfiles = {
            {"listed", 1,
             "profile listed version 1 { candidates window_top(view, 24h) limit 25; score -year; "
             "}"},
            {"gated", 1,
             "profile gated version 1 { let fresh = 1 / (1 + age_hours); require year > -1; "
             "score fresh; diversity max_per_creator 1; }"},
            {"exploring", 1, "profile exploring version 1 { score sum(view, all); explore 30%; }"}};
        return kProfiles;
    }

    std::shared_ptr<const schema::Schema> schema_;
    ranking::ProfileRegistry registry_;
    const CursorCodec codec_{std::string(32, 'k')};
};

std::vector<EntityId> ids_of(const std::vector<ScoredItem>& items) {
    std::vector<EntityId> out;
    for (const ScoredItem& item : items) out.push_back(item.id);
    return out;
}

FeedRequest random_request() {
    static const std::vector<std::string> kProfiles{"new", "most_viewed", "listed", "gated"};
    static const std::vector<std::string> kSorts{"",
                                                 "",
                                                 "title",
                                                 "title desc",
                                                 "category",
                                                 "year",
                                                 "year desc",
                                                 "sum(view, all) * 2 - year DESC",
                                                 "created_at asc"};
    static const std::vector<std::string> kGroups{
        "", "", "category", "creator_id top 2", "year TOP 3", "category TOP 7"};
    static const std::vector<std::string> kRules{
        "", "none", "max_per_creator 2", "max_share(category, 30%), min_distinct(category) 2"};
    FeedRequest out = Stages::request(kProfiles[die(4)], 1 + static_cast<std::uint32_t>(die(30)));
    out.sort = kSorts[die(kSorts.size())];
    out.group_by = kGroups[die(kGroups.size())];
    out.diversity = kRules[die(kRules.size())];
    if (die(3) == 0) out.filter = "year != 2 OR category = 'music'";
    std::set<std::uint64_t> used;
    for (std::size_t i = die(5); i > 0; --i) {
        const std::uint64_t id = die(130);
        if (used.insert(id).second) (die(2) == 0 ? out.pin : out.bury).emplace_back(id);
    }
    return out;
}

/// The pages of a request make up what the order without pins and groups becomes with them.
RC_GTEST_PROP(StagesProperty, PagesAreTheReorderedWhole, ()) {
    Stages stages;
    stages.spread(1 + die(3));
    for (int round = 0; round < 2; ++round) {
        FeedRequest request = random_request();
        request.limit += 2;
        if (request.diversity.empty()) request.diversity = "none";
        const bool diverse = request.diversity != "none";
        FeedRequest plain = request;
        plain.pin.clear(), plain.bury.clear();
        plain.group_by.clear();
        plain.diversity = "none";
        std::vector<EntityId> whole = ids_of(stages.all_pages(plain));
        // A pinned item needs no source to list it.
        FeedRequest any = request;
        any.profile = request.profile == "listed" ? "new" : request.profile;
        any.sort = "", any.pin.clear(), any.bury.clear(), any.group_by = "", any.limit = 1000;
        const auto open = ids_of(stages.all_pages(any));
        std::vector<EntityId> expected;
        for (const EntityId& id : request.pin)
            if (std::ranges::find(open, id) != open.end()) expected.push_back(id);
        const std::size_t pinned = expected.size();
        for (const EntityId& id : whole)
            if (std::ranges::find(request.pin, id) == request.pin.end() &&
                std::ranges::find(request.bury, id) == request.bury.end())
                expected.push_back(id);
        const std::size_t not_buried = expected.size();
        for (const EntityId& id : request.bury)
            if (std::ranges::find(whole, id) != whole.end()) expected.push_back(id);
        if (!request.group_by.empty()) {
            const auto group = parse_group(request.group_by);
            std::map<std::string, std::uint32_t> counts;
            std::vector<EntityId> kept;
            for (std::size_t i = 0; i < expected.size(); ++i) {
                const auto value = stages.value_of(expected[i], *group);
                if (value && counts[*value] >= group->top && i >= pinned) continue;
                if (value) ++counts[*value];
                kept.push_back(expected[i]);
            }
            expected = kept;
        }
        auto got = ids_of(stages.all_pages(request));
        RC_LOG() << request.profile << " sort " << request.sort << " group " << request.group_by
                 << " diversity " << request.diversity << " limit " << request.limit << "\n";
        RC_ASSERT(got.size() == expected.size());
        for (std::size_t i = 0; i < pinned; ++i) RC_ASSERT(got[i] == expected[i]);
        if (diverse && !request.group_by.empty()) continue;  // Which of a group depends on rules.
        if (diverse) {
            if (not_buried < expected.size()) {
                RC_ASSERT(got.back() == expected.back());
            }
            std::ranges::sort(got), std::ranges::sort(expected);
        }
        RC_ASSERT(got == expected);
    }
}

/// Scores move after each page: nothing comes twice, groups keep their limit, pins their place.
RC_GTEST_PROP(StagesProperty, NothingRepeatsWhileScoresMove, ()) {
    Stages stages;
    stages.spread(1 + die(3));
    std::mt19937_64 random(die(1'000'000));
    for (int round = 0; round < 2; ++round) {
        FeedRequest request = random_request();
        request.limit += 4;
        if (die(3) == 0) request.profile = "exploring";
        if (request.sort.starts_with("year") || request.sort.starts_with("created"))
            request.sort = "velocity(view, 24h) - age_hours";
        const auto items = stages.all_pages(request, [&] {
            for (int i = 0; i < 30; ++i) {
                const EntityId id(random() % 120);
                for (auto& shard : stages.shards_)
                    if (shard->entities().find(id)) shard->signal(id, "view", 1, kFilterNow);
            }
        });
        auto ids = ids_of(items);
        std::ranges::sort(ids);
        RC_ASSERT(std::ranges::adjacent_find(ids) == ids.end());
        for (std::size_t i = 1; i < items.size(); ++i)
            RC_ASSERT(!items[i].is_pinned() || items[i - 1].is_pinned());
        if (request.group_by.empty()) continue;
        const auto group = parse_group(request.group_by);
        std::map<std::string, std::uint32_t> counts;
        for (const ScoredItem& item : items) {
            const auto value = stages.value_of(item.id, *group);
            RC_ASSERT(value.has_value() == (item.group != nullptr));
            if (value) RC_ASSERT(*value == *item.group);
            if (value && !item.is_pinned()) RC_ASSERT(++counts[*value] <= group->top);
        }
    }
}

TEST(StagesTest, ItemsWithoutTheFieldComeLastInBothDirections) {
    Stages stages;
    stages.spread(3);
    for (const char* sort : {"year", "year DESC"}) {
        FeedRequest request = Stages::request("new", 7);
        request.sort = sort;
        const auto items = stages.all_pages(request);
        ASSERT_EQ(items.size(), 117u);
        bool missing = false;
        for (std::size_t i = 0; i < items.size(); ++i) {
            const bool lacks = items[i].id.number() % 4 == 0;
            EXPECT_TRUE(lacks || !missing) << sort << " " << i;
            missing = lacks;
            if (lacks) {
                EXPECT_EQ(items[i].score, 0);
            }
            if (i > 0 && !lacks) {
                const double before = items[i - 1].score;
                EXPECT_TRUE(sort == std::string("year") ? before <= items[i].score
                                                        : before >= items[i].score);
            }
        }
        EXPECT_TRUE(missing);
    }
}

/// What an item shows as its score is what it is ordered by.
TEST(StagesTest, ADeclaredDefaultStandsForWhatIsMissing) {
    Stages stages;
    stages.spread(3);
    for (const bool descending : {false, true}) {
        FeedRequest request = Stages::request("new", 7);
        request.sort = descending ? "quality DESC" : "quality";
        const auto items = stages.all_pages(request);
        ASSERT_EQ(items.size(), 117u);
        for (std::size_t i = 0; i < items.size(); ++i) {
            const std::uint64_t n = items[i].id.number();
            EXPECT_EQ(items[i].score, n % 5 != 0 ? static_cast<double>(n % 11) / 10 : 0.5) << n;
            if (i == 0) continue;
            const double before = items[i - 1].score;
            EXPECT_TRUE(descending ? before >= items[i].score : before <= items[i].score) << n;
        }
    }
}

/// All ids but the unpublished, by folded title in one direction, then id; those without come last.
std::vector<EntityId> by_title(bool descending) {
    std::vector<std::pair<std::string, EntityId>> titled;
    std::vector<EntityId> out, untitled;
    for (std::uint64_t n = 0; n < 120; ++n) {
        if (n % 40 == 7) continue;
        if (n % 6 == 5) {
            untitled.emplace_back(n);
        } else {
            titled.emplace_back(fold_case(title_of(n), 256), EntityId(n));
        }
    }
    std::ranges::sort(titled, [&](const auto& a, const auto& b) {
        if (a.first != b.first) return descending ? a.first > b.first : a.first < b.first;
        return a.second < b.second;
    });
    for (const auto& [title, id] : titled) out.push_back(id);
    out.insert(out.end(), untitled.begin(), untitled.end());
    return out;
}

TEST(StagesTest, TextsAreOrderedWithoutCase) {
    for (const std::size_t shards : {1u, 3u}) {
        Stages stages;
        stages.spread(shards);
        for (const std::uint32_t limit : {1u, 7u, 1000u}) {
            EXPECT_EQ(ids_of(stages.all_pages(Stages::request("alphabetical_asc", limit))),
                      by_title(false));
            EXPECT_EQ(ids_of(stages.all_pages(Stages::request("alphabetical_desc", limit))),
                      by_title(true));
            FeedRequest sorted = Stages::request("new", limit);
            sorted.sort = "title DESC";
            EXPECT_EQ(ids_of(stages.all_pages(sorted)), by_title(true));
        }
        FeedRequest placed = Stages::request("alphabetical_asc", 4);
        placed.filter = "category = 'music'";
        placed.pin = {EntityId(9)};
        placed.bury = {EntityId(0)};
        auto expected = by_title(false);
        std::erase_if(expected, [](const EntityId& id) {
            return id.number() % 3 != 0 || id.number() == 9 || id.number() == 0;
        });
        expected.insert(expected.begin(), EntityId(9));
        expected.emplace_back(0);
        EXPECT_EQ(ids_of(stages.all_pages(placed)), expected);
    }
}

/// A cursor stands at a text: what is written behind it comes, what moves before it does not.
TEST(StagesTest, TextCursorsNeitherRepeatNorSkipWhileTextsChange) {
    Stages stages;
    stages.spread(2);
    std::uint64_t turn = 0;
    const auto items = stages.all_pages(Stages::request("alphabetical_asc", 5), [&] {
        SampleItem early{.id = EntityId(1000 + turn)}, late{.id = EntityId(2000 + turn)};
        early.fields.emplace("title", std::string("\x01 before all"));
        late.fields.emplace("title", std::string("Zzz behind all titles"));
        stages.shards_[turn % 2]->put(early);
        stages.shards_[turn % 2]->put(late);
        ++turn;
    });
    std::set<EntityId> seen;
    std::vector<EntityId> old;
    std::size_t late = 0;
    for (const ScoredItem& item : items) {
        EXPECT_TRUE(seen.insert(item.id).second) << item.id.to_string() << " twice";
        EXPECT_FALSE(item.id.number() >= 1000 && item.id.number() < 2000);
        if (item.id.number() < 1000) old.push_back(item.id);
        late += item.id.number() >= 2000 ? 1 : 0;
    }
    EXPECT_EQ(old, by_title(false));
    EXPECT_GT(late, 10u);
}

TEST(StagesTest, ExplorationFillsItsPlacesAndShortensNothing) {
    std::vector<std::string> pages;
    for (const std::size_t shards : {1u, 4u}) {
        Stages stages;
        stages.spread(shards);
        for (auto& shard : stages.shards_)
            for (std::uint64_t id = 0; id < 120; ++id) {
                if (!shard->entities().find(EntityId(id))) continue;
                // Those of 60 and above are known.
                for (int i = id < 60 ? 3 : 200; i > 0; --i)
                    shard->signal(EntityId(id), "impression", 1, kFilterNow);
                if (id < 60 && id % 2 == 0) shard->signal(EntityId(id), "like", 1, kFilterNow);
            }
        FeedRequest request = Stages::request("exploring", 20);
        request.seed = 5;
        request.pin = {EntityId(100)};
        const auto page = stages.ask(request);
        ASSERT_TRUE(page.ok()) << page.error().to_string();
        ASSERT_EQ(page->items.size(), 20u);
        std::vector<std::uint64_t> ranks;
        for (const ScoredItem& item : page->items) {
            if (!item.explored) continue;
            ranks.push_back(item.rank);
            EXPECT_LT(item.id.number(), 60u);
            EXPECT_EQ(item.explored->impressions, 3);
            EXPECT_EQ(item.explored->positives, item.id.number() % 2 == 0 ? 1 : 0);
        }
        EXPECT_EQ(ranks, (std::vector<std::uint64_t>{4, 7, 10, 14, 17, 20}));
        EXPECT_EQ(page->items[0].id, EntityId(100));
        pages.push_back(stages.first(request));
        EXPECT_EQ(pages.back(), stages.first(request));
        request.seed = 6;
        EXPECT_NE(pages.back(), stages.first(request));
        request.filter = "year = 2";  // Everything comes, explored or not, once.
        request.limit = 3;
        FeedRequest plain = request;
        plain.profile = "new";
        auto ids = ids_of(stages.all_pages(request)), all = ids_of(stages.all_pages(plain));
        std::ranges::sort(ids), std::ranges::sort(all);
        EXPECT_EQ(ids, all);
    }
    EXPECT_EQ(pages[0], pages[1]);
}

TEST(StagesTest, ACursorBelongsToItsStages) {
    Stages stages;
    stages.spread(2);
    FeedRequest request = Stages::request("new", 5);
    request.sort = "year";
    request.cursor = *stages.ask(request)->next_cursor;
    request.sort = "year   ASC";  // The same.
    EXPECT_TRUE(stages.ask(request).ok());
    const auto refused = [&](auto change) {
        FeedRequest other = request;
        change(other);
        EXPECT_TRUE(stages.first(other).starts_with("invalid_cursor")) << stages.first(other);
    };
    refused([](auto& r) { r.sort = ""; });
    refused([](auto& r) { r.sort = "year DESC"; });
    refused([](auto& r) { r.group_by = "category"; });
    refused([](auto& r) { r.diversity = "none"; });
    refused([](auto& r) { r.pin = {EntityId(1)}; });
    refused([](auto& r) { r.bury = {EntityId(1)}; });
}

TEST(StagesTest, WhatIsWrongIsNamed) {
    Stages stages;
    stages.spread(1);
    const auto answer = [&](auto change) {
        FeedRequest r = Stages::request("gated", 3);
        change(r);
        return stages.first(r);
    };
    EXPECT_EQ(answer([](auto& r) { r.sort = "yeer DESC"; }).substr(0, 13), "unknown_field");
    EXPECT_NE(answer([](auto& r) { r.sort = "yeer DESC"; }).find("(field sort), line=1, column=1"),
              std::string::npos);
    EXPECT_EQ(answer([](auto& r) { r.sort = "year DOWN"; }).substr(0, 12), "syntax_error");
    EXPECT_NE(answer([](auto& r) { r.sort = "genres"; }).find("field sort"), std::string::npos);
    EXPECT_EQ(answer([](auto& r) { r.group_by = "genres"; }).substr(0, 16), "invalid_argument");
    EXPECT_EQ(answer([](auto& r) { r.group_by = "categry"; }).substr(0, 13), "unknown_field");
    EXPECT_EQ(answer([](auto& r) { r.group_by = "year TOP 0"; }).substr(0, 16), "invalid_argument");
    EXPECT_EQ(answer([](auto& r) { r.diversity = "max_share(title, 60%)"; }).substr(0, 16),
              "invalid_argument");
    EXPECT_EQ(answer([](auto& r) { r.diversity = "mmr(0.5, covr)"; }).substr(0, 12),
              "unknown_slot");
    EXPECT_EQ(answer([](auto& r) {
                  r.pin = {EntityId(1), EntityId(1)};
              }).substr(0, 16),
              "invalid_argument");
    EXPECT_EQ(answer([](auto& r) {
                  r.pin = {EntityId(1)};
                  r.bury = {EntityId(1)};
              }).substr(0, 16),
              "invalid_argument");
    EXPECT_EQ(answer([](auto& r) { r.bury.assign(kPinnedMax + 1, EntityId(1)); }).substr(0, 9),
              "too_large");
    // A definition of the profile may be sorted by; its gates stay, an unpublished pin does not.
    EXPECT_EQ(answer([](auto& r) {
                  r.sort = "fresh DESC";
                  r.pin = {EntityId(7), EntityId(999), EntityId(29)};
                  r.exclude = {EntityId(1)};
              }).substr(0, 3),
              "29 ");
}

}  // namespace stages_test
}  // namespace tidal::query
