#include "query/feed.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <random>

#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::query {
namespace feed_test {

using ranking::SampleItem;
using ranking::SampleShard;

const CursorCodec& codec() {
    static const CursorCodec kCodec(std::string(32, 'k'));
    return kCodec;
}

/// What the built-in profiles do not use.
const std::vector<ranking::StoredProfile> kOwnProfiles = {
    {"fused_lists", 1,
     "profile fused_lists version 1 { candidates union(recent limit 30, window_top(view, 24h) "
     "limit 20"
     " weight 2, ordered(share) limit 10); score fused + 0.001 * rank(recent); }"},
    {"listed", 1,
     "profile listed version 1 { candidates window_top(share, 24h) limit 25; score -year; }"},
    {"list_and_scan", 1,
     "profile list_and_scan version 1 { candidates union(scan, recent limit 5);"
     " score rank(recent) + log1p(sum(view, all)); }"},
    {"gated", 1,
     "profile gated version 1 { require year > 3; require sum(view, all) + sum(share, all) > 0;"
     " score sum(view, all); penalty 0.5 when year = 5; }"},
    {"diverse", 1,
     "profile diverse version 1 { score created_at; diversity max_per_creator 2,"
     " max_share(category, 'music', 20%), min_distinct(category) 2; }"},
    {"diverse_new", 1,
     "profile diverse_new version 1 { order created_at desc; diversity max_per_creator 1; }"},
};

/// The same items and signals on any number of shards.
class Feeds : public testing::Test {
protected:
    Feeds() : registry_(*schema_, kOwnProfiles) {}

    void spread(std::size_t shard_count) {
        shards_.clear();
        for (std::size_t i = 0; i < shard_count; ++i)
            shards_.push_back(std::make_unique<SampleShard>(schema_, 1));
        std::mt19937_64 random(11);
        for (std::uint64_t n = 0; n < 240; ++n) {
            SampleItem item{.id = EntityId(n * 31 % 257)};
            item.created_at = kFilterNow - static_cast<std::int64_t>(random() % 50) * kHourMs;
            item.fields.emplace("year", static_cast<std::int64_t>(n % 9));
            if (n % 3 == 0) item.fields.emplace("category", std::string("music"));
            if (n % 5 == 1) item.fields.emplace("category", std::string("film"));
            if (n % 4 != 0) item.creator = EntityId(n % 11);
            if (n % 40 == 1) item.publish_at = kFilterNow + kHourMs;
            if (n % 40 == 2) item.publish_at = kFilterNow;
            if (n % 40 == 3) item.expires_at = kFilterNow;
            if (n % 40 == 4) item.expires_at = kFilterNow + 1;
            SampleShard& shard = *shards_[(n * 7 + n / 5) % shard_count];
            shard.put(item);
            for (std::uint64_t e = random() % 4; e > 0; --e)  // Few events, so that scores tie.
                shard.signal(item.id, random() % 2 == 0 ? "view" : "share", 1,
                             kFilterNow - static_cast<std::int64_t>(random() % 30) * kHourMs);
            if (n % 50 == 5) shard.erase(item.id);
        }
    }

    Result<FeedPage> ask(const FeedRequest& request) {
        TIDAL_ASSIGN(FeedPlan plan, plan_feed(request, *schema_, registry_, codec()));
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
            TIDAL_ASSIGN(ShardPage page, run_feed(view, plan));
            EXPECT_LE(page.items.size(), plan.keep);
            pages.push_back(std::move(page));
        }
        return merge_pages(plan, pages, codec());
    }

    static FeedRequest request(const std::string& profile, std::uint32_t limit = 20) {
        FeedRequest out;
        out.profile = profile;
        out.limit = limit;
        out.now_ms = kFilterNow;
        return out;
    }

    /// A field as text; empty = the item has none.
    std::string value_of(const EntityId& id, const std::string& field) {
        for (const auto& shard : shards_) {
            const auto entity = shard->entities().get(id);
            if (!entity.ok() || !*entity) continue;
            for (const auto& [at, value] : (*entity)->fields) {
                if (at != schema_->find_field(EntityKind::kItem, field)->id) continue;
                if (const auto* text = std::get_if<std::string>(&value)) return *text;
                return std::to_string(std::get<std::int64_t>(value));
            }
        }
        return "";
    }

    /// Ids, scores and cursor in one text: what must not depend on the shards.
    static std::string text_of(const Result<FeedPage>& page) {
        if (!page.ok()) return page.error().to_string();
        std::string out;
        for (const auto& item : page->items)
            out += std::to_string(item.rank) + ":" + item.id.to_string() + "=" +
                   std::to_string(item.score) + " ";
        out += page->next_cursor.value_or("end") + " " + std::to_string(page->counts.candidates) +
               "/" + std::to_string(page->counts.matched) + "/" +
               std::to_string(page->counts.scored);
        return out;
    }

    /// All items over pages of `limit`; checks ranks.
    std::vector<ScoredItem> all_pages(FeedRequest request) {
        std::vector<ScoredItem> out;
        for (int page_number = 0; page_number < 1000; ++page_number) {
            auto page = ask(request);
            EXPECT_TRUE(page.ok()) << page.error().to_string();
            if (!page.ok()) return out;
            for (auto& item : page->items) {
                EXPECT_EQ(item.rank, out.size() + 1);
                out.push_back(std::move(item));
            }
            if (!page->next_cursor) return out;
            EXPECT_EQ(page->items.size(), request.limit);
            request.cursor = *page->next_cursor;
            request.now_ms += 12'345;  // Time goes on between pages.
        }
        ADD_FAILURE() << "the pages do not end";
        return out;
    }

    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema();
    ranking::ProfileRegistry registry_;
    std::vector<std::unique_ptr<SampleShard>> shards_;
};

TEST_F(Feeds, OneAndManyShardsGiveTheSamePages) {
    std::vector<FeedRequest> requests;
    for (const auto& listing : registry_.list(EntityKind::kItem))
        for (const std::uint32_t limit : {1u, 7u, 20u, 1000u})
            requests.push_back(request(listing.name, limit));
    for (std::size_t i = 0; i < requests.size(); i += 3) {
        requests[i].filter = "year < 5 AND NOT category = 'music' OR created_within 9h";
        requests[i].exclude = {EntityId(31), EntityId(62), EntityId(123456)};
    }
    std::vector<std::string> one_shard;
    for (const std::size_t shard_count : {1u, 3u, 8u}) {
        spread(shard_count);
        for (std::size_t i = 0; i < requests.size(); ++i) {
            FeedRequest r = requests[i];
            auto page = ask(r);
            std::string text = text_of(page);
            if (page.ok() && page->next_cursor) {
                r.cursor = *page->next_cursor;
                text += "\n" + text_of(ask(r));
            }
            if (shard_count == 1) {
                one_shard.push_back(text);
            } else {
                EXPECT_EQ(text, one_shard[i]) << r.profile << " on " << shard_count << " shards";
            }
        }
    }
}

TEST_F(Feeds, PagesCutTheWholeOrderIntoPieces) {
    spread(3);
    for (const char* profile : {"new", "old", "trending", "most_viewed", "shuffle", "hot"}) {
        FeedRequest r = request(profile, 1000);
        r.seed = 5;
        const auto whole = all_pages(r);
        ASSERT_GT(whole.size(), 200u);
        const bool rising = std::string(profile) == "old";
        for (std::size_t i = 1; i < whole.size(); ++i) {
            const double a = rising ? -whole[i - 1].score : whole[i - 1].score;
            const double b = rising ? -whole[i].score : whole[i].score;
            ASSERT_TRUE(a > b || (a == b && whole[i - 1].id < whole[i].id)) << profile;
        }
        for (const std::uint32_t limit : {1u, 10u, 64u}) {
            r.limit = limit;
            const auto pieces = all_pages(r);
            ASSERT_EQ(pieces.size(), whole.size()) << profile << " by " << limit;
            for (std::size_t i = 0; i < whole.size(); ++i) {
                ASSERT_EQ(pieces[i].id, whole[i].id);
                ASSERT_EQ(pieces[i].score, whole[i].score);
            }
        }
    }
}

TEST_F(Feeds, OwnProfilesAreServed) {
    for (const auto& listing : registry_.list(EntityKind::kItem))
        EXPECT_TRUE(listing.built_in || listing.available) << listing.name << listing.reason;
}

TEST_F(Feeds, AUnionTakesTheFirstOfEachListAndFusesTheirRanks) {
    spread(3);
    const auto first = [&](const char* profile, std::uint32_t limit) {
        std::vector<EntityId> ids;
        const auto page = ask(request(profile, limit));
        for (const auto& item : page->items) ids.push_back(item.id);
        return ids;
    };
    FeedRequest r = request("fused_lists", 1000);
    r.explain = true;
    const auto page = ask(r);
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    const auto recent = first("new", 30);
    std::set<EntityId> got;
    for (const auto& item : page->items) {
        got.insert(item.id);
        const auto at = std::ranges::find(recent, item.id);
        const double expected =
            at == recent.end() ? 0 : 1 / (61.0 + static_cast<double>(at - recent.begin()));
        bool explained = false;
        for (const auto& feature : item.explanation->features)
            if (feature.text == "rank(recent)") {
                explained = true;
                EXPECT_EQ(feature.value, expected) << item.id.to_string();
            }
        EXPECT_TRUE(explained);
    }
    for (const EntityId& id : recent) EXPECT_TRUE(got.contains(id));
    EXPECT_LE(got.size(), 60u);
    EXPECT_EQ(page->counts.candidates, got.size());
    EXPECT_FALSE(page->next_cursor);
}

TEST_F(Feeds, AFilterNeverEmptiesAList) {
    spread(3);
    FeedRequest r = request("listed", 1000);
    r.filter = "year = 7";
    const auto page = ask(r);
    ASSERT_TRUE(page.ok());
    EXPECT_GT(page->items.size(), 5u) << "the list is drawn from what the filter accepts";
    for (const auto& item : page->items) EXPECT_EQ(item.score, -7);
}

TEST_F(Feeds, FacetsCountWhatAllPagesShow) {
    spread(3);
    FeedRequest r = request("gated", 1000);
    r.facets = "category, year ranges (6)";
    for (const char* filter :
         {"", "year < 8", "category = 'music'", "category = 'film' OR year = 7"}) {
        r.filter = filter;
        const auto page = ask(r);
        ASSERT_TRUE(page.ok()) << page.error().to_string();
        ASSERT_EQ(page->facets.size(), 2u);
        // What a facet counts is what pages show without the conditions on its own field.
        for (const Facet& facet : page->facets) {
            FeedRequest rest = request("gated", 1000);
            const std::string own = facet.name == "year" ? "year < 8" : "category = 'music'";
            if (r.filter != own) rest.filter = r.filter;
            std::map<std::string, std::uint64_t> expected;
            std::uint64_t missing = 0;
            for (const auto& shown : all_pages(rest)) {
                const std::string value = value_of(shown.id, facet.name);
                if (value.empty()) {
                    ++missing;
                } else if (facet.name == "year") {
                    ++expected[std::stoi(value) < 6 ? "..6" : "6.."];
                } else {
                    ++expected[value];
                }
            }
            std::map<std::string, std::uint64_t> counted;
            for (const auto& [value, count] : facet.values) counted[value] = count;
            for (const auto& [from, to, count] : facet.ranges)
                if (count > 0) counted[from + ".." + to] = count;
            EXPECT_EQ(counted, expected) << facet.name << " where " << filter;
            EXPECT_EQ(facet.missing, missing) << facet.name << " where " << filter;
            EXPECT_FALSE(expected.empty());
        }
    }
}

TEST_F(Feeds, ARequirementLeavesOutAndAPenaltyLowers) {
    spread(3);
    FeedRequest r = request("gated", 1000);
    const auto gated = ask(r);
    r = request("most_viewed", 1000);
    r.filter = "year > 3";
    const auto all = ask(r);
    ASSERT_TRUE(gated.ok() && all.ok());
    EXPECT_EQ(gated->counts.matched, gated->items.size());
    EXPECT_LT(gated->counts.matched, all->counts.matched);
    EXPECT_GT(gated->counts.candidates, all->counts.matched);
    for (const auto& item : gated->items) {
        const auto same = std::ranges::find_if(
            all->items, [&](const ScoredItem& other) { return other.id == item.id; });
        ASSERT_NE(same, all->items.end());
        EXPECT_TRUE(item.score == same->score || item.score == same->score * 0.5);
    }
}

TEST_F(Feeds, DiversePagesAreWholeAndTogetherTheWholeOrder) {
    spread(3);
    for (const char* profile : {"diverse", "diverse_new"}) {
        const auto whole = all_pages(request("new", 1000));
        for (const std::uint32_t limit : {1u, 10u, 64u}) {
            std::set<EntityId> got;
            for (const auto& item : all_pages(request(profile, limit)))
                EXPECT_TRUE(got.insert(item.id).second) << profile << " repeats";
            EXPECT_EQ(got.size(), whole.size()) << profile << " by " << limit;
        }
    }
    const auto page = ask(request("diverse", 10));
    EXPECT_TRUE(page->constraints_satisfied);
    const auto last = ask(request("diverse", 1000));
    EXPECT_FALSE(last->constraints_satisfied);
    ASSERT_EQ(last->warnings.size(), 2u);
    EXPECT_EQ(last->warnings[0], "diversity: `max_per_creator 2` was given up to fill the page");
}

/// Signals come between the pages: what was shown never comes again, what rises comes next.
TEST_F(Feeds, NothingRepeatsWhileScoresMove) {
    for (const char* profile : {"most_viewed", "trending", "diverse", "fused_lists"}) {
        spread(1);
        std::mt19937_64 random(3);
        FeedRequest r = request(profile, 9);
        std::set<EntityId> shown;
        for (;;) {
            const auto page = ask(r);
            ASSERT_TRUE(page.ok());
            for (const auto& item : page->items)
                ASSERT_TRUE(shown.insert(item.id).second) << profile;
            if (!page->next_cursor) break;
            r.cursor = *page->next_cursor;
            for (int i = 0; i < 40; ++i) {
                const EntityId id(random() % 240 * 31 % 257);
                if (shards_[0]->view().entities.find(id))
                    shards_[0]->signal(id, "view", 1, kFilterNow);
            }
        }
        EXPECT_GT(shown.size(), 25u);
    }
    spread(1);
    FeedRequest r = request("most_viewed", 9);
    const auto first = ask(r);
    const EntityId riser = ask(request("most_viewed", 1000))->items.back().id;
    for (int i = 0; i < 100; ++i) shards_[0]->signal(riser, "view", 1, kFilterNow);
    r.cursor = *first->next_cursor;
    EXPECT_EQ(ask(r)->items.front().id, riser);
}

TEST_F(Feeds, GatesAndFiltersDecideWhatIsCounted) {
    spread(3);
    std::set<EntityId> open, matching;
    std::size_t unpublished = 0;
    for (std::uint64_t n = 0; n < 240; ++n) {
        const EntityId id(n * 31 % 257);
        if (n % 50 == 5) continue;
        if (n % 40 == 1 || n % 40 == 3) {
            ++unpublished;
            continue;
        }
        open.insert(id);
        if (n % 9 < 5 && id != EntityId(0)) matching.insert(id);
    }
    ASSERT_GT(unpublished, 5u);
    FeedRequest r = request("trending", 1000);
    auto page = ask(r);
    ASSERT_TRUE(page.ok());
    std::set<EntityId> got;
    for (const auto& item : page->items) got.insert(item.id);
    EXPECT_EQ(got, open);
    EXPECT_EQ(page->counts, (FeedCounts{open.size(), open.size(), open.size()}));
    EXPECT_FALSE(page->next_cursor);
    r.filter = "year < 5";
    r.exclude = {EntityId(0), EntityId(555)};
    page = ask(r);
    got.clear();
    for (const auto& item : page->items) got.insert(item.id);
    EXPECT_EQ(got, matching);
    EXPECT_EQ(page->counts, (FeedCounts{open.size(), matching.size(), matching.size()}));
}

TEST_F(Feeds, ACursorKeepsTheMomentAndTheSeed) {
    spread(1);
    FeedRequest r = request("shuffle", 5);
    const auto first = ask(r);
    ASSERT_TRUE(first.ok() && first->next_cursor);
    r.cursor = *first->next_cursor;
    r.now_ms += 3 * kHourMs;
    const auto later = ask(r);
    r.now_ms = kFilterNow;
    EXPECT_EQ(text_of(later), text_of(ask(r)));
    const auto refused = [&](FeedRequest changed) {
        const auto page = ask(changed);
        return page.ok() ? "ok" : std::string(page.error().reason());
    };
    EXPECT_EQ(refused(r), "ok");
    FeedRequest other = r;
    other.limit = 9;
    EXPECT_EQ(refused(other), "ok") << "the size of a page may change";
    other = r;
    other.seed = 1;
    EXPECT_EQ(refused(other), "invalid_cursor");
    other = r;
    other.filter = "year = 1";
    EXPECT_EQ(refused(other), "invalid_cursor");
    other = r;
    other.profile = "trending";
    EXPECT_EQ(refused(other), "invalid_cursor");
    other = r;
    other.cursor[9] ^= 1;
    EXPECT_EQ(refused(other), "invalid_cursor");
    FeedRequest spaced = request("trending", 5);
    spaced.filter = "year  <  5";
    spaced.cursor = *ask(spaced)->next_cursor;
    spaced.filter = "year<5";
    EXPECT_EQ(refused(spaced), "ok") << "only the meaning of a filter counts";
}

TEST_F(Feeds, ExplainAddsUp) {
    spread(2);
    FeedRequest r = request("trending", 10);
    r.explain = true;
    const auto page = ask(r);
    ASSERT_TRUE(page.ok());
    for (const auto& item : page->items) {
        ASSERT_TRUE(item.explanation);
        const auto& terms = item.explanation->terms;
        ASSERT_EQ(terms.size(), 3u);
        EXPECT_EQ(terms[0].value + terms[1].value + terms[2].value, item.score);
        EXPECT_EQ(item.explanation->features[0].text, "sum(share, 24h)");
    }
}

TEST_F(Feeds, BadRequestsNameTheirPart) {
    spread(1);
    const auto answer = [&](auto change) {
        FeedRequest r = request("trending");
        change(r);
        const auto page = ask(r);
        return page.ok() ? "ok" : std::string(page.error().reason()) + " " + page.error().field();
    };
    EXPECT_EQ(answer([](auto& r) { r.limit = 0; }), "invalid_argument limit");
    EXPECT_EQ(answer([](auto& r) { r.limit = 1001; }), "invalid_argument limit");
    EXPECT_EQ(answer([](auto& r) { r.profile = "nope"; }), "unknown_profile profile");
    EXPECT_EQ(answer([](auto& r) { r.profile = ""; }), "unknown_profile profile");
    EXPECT_EQ(answer([](auto& r) { r.filter = "year >"; }), "syntax_error filter");
    EXPECT_EQ(answer([](auto& r) { r.filter = "yeer > 1"; }), "unknown_field filter");
    EXPECT_EQ(answer([](auto& r) { r.params["x"] = 1; }), "unknown_param params.x");
    EXPECT_EQ(answer([](auto& r) { r.cursor = "xyz"; }), "invalid_cursor cursor");
    EXPECT_EQ(answer([](auto& r) { r.exclude.resize(kExcludedMax + 1); }), "too_large exclude");
    EXPECT_EQ(answer([](auto&) {}), "ok");
}

}  // namespace feed_test
}  // namespace tidal::query
