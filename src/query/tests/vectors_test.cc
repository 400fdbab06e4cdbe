// What reads vectors: sources, features, filters and diversity, against the definition in f64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <random>

#include "query/feed_run.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::query {
namespace vectors_test {

using ranking::SampleShard;

constexpr std::string_view kSchema = R"(
items:
  fields:
    category: keyword
    year: int
  embeddings:
    round: {dimensions: 5, metric: cosine}
    flat: {dimensions: 3, metric: l2, storage: f16}
    small: {dimensions: 4, metric: dot, storage: int8}
signals:
  view: {polarity: neutral, half_life: 1d}
)";
constexpr std::string_view kSlots[] = {"round", "flat", "small"};
constexpr std::size_t kDimensions[] = {5, 3, 4};

struct Item {
    std::uint64_t id = 0;
    int year = 0;
    bool closed = false;
    std::vector<float> vectors[3];  ///< As stored; empty = none.
};

std::vector<ranking::StoredProfile> profiles() {
    std::vector<ranking::StoredProfile> out;
    const auto add = [&](const std::string& name, const std::string& body) {
        out.push_back({name, 1, "profile " + name + " version 1 { " + body + " }"});
    };
    for (const auto slot : kSlots) {
        const std::string s(slot);
        add("item_" + s, "candidates ann(" + s + ", item) limit 30; score similarity(" + s + ");");
        add("vector_" + s, "candidates ann(" + s + ") limit 30; score similarity(" + s + ");");
        add("scan_" + s, "candidates scan; score similarity(" + s + ");");
        add("few_" + s, "candidates ann(" + s + ", item) limit 5; score year;");
    }
    add("mixed", "candidates union(ann(round, vector), recent); score fused;");
    add("plain", "candidates scan; score year;");
    return out;
}

class World {
public:
    World(std::uint64_t seed, std::size_t items)
        : schema_(ranking::sample_schema(kSchema)), registry_(*schema_, profiles()) {
        std::mt19937_64 random(seed);
        std::normal_distribution<float> normal;
        for (std::uint64_t id = 1; id <= items; ++id) {
            Item item{.id = id, .year = static_cast<int>(random() % 20)};
            item.closed = random() % 10 == 0;
            for (std::size_t slot = 0; slot < 3; ++slot) {
                if (random() % 6 == 0) continue;
                for (std::size_t d = 0; d < kDimensions[slot]; ++d)
                    item.vectors[slot].push_back(normal(random));
            }
            items_.push_back(std::move(item));
        }
    }

    void spread(std::size_t shard_count) {
        shards_.clear();
        for (std::size_t i = 0; i < shard_count; ++i)
            shards_.push_back(std::make_unique<SampleShard>(schema_, 1));
        for (Item& item : items_) {
            SampleShard& shard = home(item.id);
            ranking::SampleItem sample{.id = EntityId(item.id)};
            sample.created_at = kFilterNow - static_cast<UnixMillis>(item.id) * 1000;
            if (item.closed) sample.publish_at = kFilterNow + 1000;
            sample.fields.emplace("year", std::int64_t{item.year});
            shard.put(sample);
            for (std::size_t slot = 0; slot < 3; ++slot)
                if (!item.vectors[slot].empty()) {
                    shard.embed(sample.id, kSlots[slot], item.vectors[slot]);
                    item.vectors[slot] = **shard.entities().embedding(
                        sample.id, EmbeddingSlotId(static_cast<std::uint16_t>(slot)));
                }
        }
    }

    Result<FeedPage> ask(const FeedRequest& request) {
        TIDAL_ASSIGN(FeedPlan plan, plan_feed(request, *schema_, registry_, codec_));
        if (!plan.item_slots.empty())
            TIDAL_TRY(read_anchor_item(home(plan.similar_to->number()).view(), &plan));
        const StepBudget budget(20'000);
        if (plan.has_lists()) {
            std::vector<std::vector<SourceList>> lists;
            for (const auto& shard : shards_) {
                const auto view = shard->view();
                SourcesRun run(plan);
                for (bool done = false; !done;) {
                    TIDAL_ASSIGN(done, run.step(view, budget));
                }
                lists.push_back(run.take());
            }
            merge_sources(lists, &plan);
        }
        std::vector<ShardPage> pages;
        for (const auto& shard : shards_) {
            const auto view = shard->view();
            FeedRun run(plan);
            for (bool done = false; !done;) {
                TIDAL_ASSIGN(done, run.step(view, budget));
            }
            pages.push_back(run.take());
        }
        return merge_pages(plan, pages, codec_);
    }

    std::vector<Item>& items() { return items_; }
    SampleShard& home(std::uint64_t id) { return *shards_[id * 7 % shards_.size()]; }
    const schema::Schema& schema() const { return *schema_; }

private:
    std::shared_ptr<const schema::Schema> schema_;
    ranking::ProfileRegistry registry_;
    CursorCodec codec_{"a secret of at least 32 bytes ....."};
    std::vector<Item> items_;
    std::vector<std::unique_ptr<SampleShard>> shards_;
};

FeedRequest request(const std::string& profile, std::uint32_t limit = 20) {
    FeedRequest out;
    out.profile = profile;
    out.limit = limit;
    out.now_ms = kFilterNow;
    return out;
}

double brute_force(std::size_t slot, const std::vector<float>& a, const std::vector<float>& b) {
    double dot = 0, aa = 0, bb = 0, distance = 0;
    for (std::size_t d = 0; d < a.size(); ++d) {
        const double x = a[d], y = b[d];
        dot += x * y;
        aa += x * x;
        bb += y * y;
        distance += (x - y) * (x - y);
    }
    return slot == 0 ? dot / std::sqrt(aa * bb) : slot == 1 ? 1 / (1 + distance) : dot;
}

std::string ids_of(const FeedPage& page) {
    std::string out;
    for (const auto& item : page.items) out += item.id.to_string() + " ";
    return out;
}

/// The page holds the nearest of those that match, whatever the filter leaves, as far as f32 tells
/// them apart; and the same from one shard, three or eight.
RC_GTEST_PROP(Vectors, TheNearestOfWhatMatchesAreFound, ()) {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    World world(seed, *rc::gen::inRange<std::size_t>(1, 120));
    std::mt19937_64 random(seed + 1);
    const std::size_t slot = random() % 3;
    const bool by_item = random() % 2 == 0;
    const int from_year = static_cast<int>(random() % 21);
    FeedRequest ask =
        request(std::string(by_item ? "item_" : "vector_") + std::string(kSlots[slot]),
                1 + static_cast<std::uint32_t>(random() % 25));
    if (from_year > 0) ask.filter = "year >= " + std::to_string(from_year);
    std::string pages;
    for (const std::size_t shards : {1, 3, 8}) {
        world.spread(shards);
        std::vector<float> anchor;
        if (by_item) {
            const Item& item = world.items()[seed % world.items().size()];
            ask.similar_to = EntityId(item.id);
            anchor = item.vectors[slot];
        } else {
            std::mt19937_64 again(seed + 2);
            std::normal_distribution<float> normal;
            for (std::size_t d = 0; d < kDimensions[slot]; ++d) anchor.push_back(normal(again));
            ask.vector = anchor;
        }
        const auto page = world.ask(ask);
        RC_ASSERT(page.ok());
        if (anchor.empty()) {
            RC_ASSERT(page->items.empty() && page->warnings.size() == 1U);
            continue;
        }
        std::map<std::uint64_t, double> matches;
        for (const Item& item : world.items())
            if (!item.closed && item.year >= from_year && !item.vectors[slot].empty() &&
                EntityId(item.id) != ask.similar_to)
                matches[item.id] = brute_force(slot, anchor, item.vectors[slot]);
        RC_ASSERT(page->items.size() == std::min<std::size_t>(ask.limit, matches.size()));
        double least = INFINITY;
        for (const ScoredItem& item : page->items) {
            const auto found = matches.find(item.id.number());
            RC_ASSERT(found != matches.end());
            RC_ASSERT(std::abs(found->second - item.score) < 1e-5);
            RC_ASSERT(item.score <= least);
            least = item.score;
            matches.erase(found);
        }
        for (const auto& [id, value] : matches) RC_ASSERT(value < least + 1e-5);
        if (!pages.empty()) RC_ASSERT(pages == ids_of(*page));
        pages = ids_of(*page);
    }
}

/// similarity(slot) as a condition: exactly those, never what has no vector, also under NOT.
RC_GTEST_PROP(Vectors, ConditionsCompareSimilarities, ()) {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    World world(seed, 80);
    world.spread(2);
    const std::size_t slot = seed % 3;
    const Item& anchor = world.items()[seed % 80];
    RC_PRE(!anchor.vectors[slot].empty());
    FeedRequest ask = request("plain", 200);
    ask.similar_to = EntityId(anchor.id);
    const double bar = 0.30000001;  // Met by nobody.
    const bool negated = seed % 2 == 0;
    ask.filter = std::string(negated ? "NOT " : "") + "similarity(" + std::string(kSlots[slot]) +
                 ") > " + std::to_string(bar);
    const auto page = world.ask(ask);
    RC_ASSERT(page.ok());
    std::set<std::uint64_t> shown;
    for (const auto& item : page->items) shown.insert(item.id.number());
    for (const Item& item : world.items()) {
        const bool known = !item.vectors[slot].empty() && !item.closed && item.id != anchor.id;
        const double value =
            known ? brute_force(slot, anchor.vectors[slot], item.vectors[slot]) : 0;
        if (known && std::abs(value - bar) < 1e-5) continue;
        RC_ASSERT(shown.contains(item.id) == (known && (value > bar) != negated));
    }
}

class VectorsTest : public ::testing::Test {
protected:
    VectorsTest() { world_.spread(3); }

    std::string refusal(FeedRequest ask) {
        const auto page = world_.ask(ask);
        return page.ok() ? "page"
                         : std::string(page.error().reason()) + " " +
                               std::string(page.error().field()) + " " + page.error().message();
    }

    World world_{1, 40};
};

TEST_F(VectorsTest, WhatIsMissingIsNamed) {
    EXPECT_EQ(refusal(request("item_round")),
              "missing_input similar_to `ann(round, item)` needs an item (`similar_to`)");
    EXPECT_EQ(refusal(request("vector_flat")),
              "missing_input vector `ann(flat, vector)` needs a vector (`vector`)");
    EXPECT_THAT(refusal(request("scan_flat")),
                testing::StartsWith("missing_input vector `similarity(flat)` needs a vector, an"));
    FeedRequest ask = request("scan_flat");
    ask.user.emplace().id = EntityId(7);
    EXPECT_TRUE(world_.ask(ask).ok()) << "measured from what the user liked";
    ask = request("item_round");
    ask.similar_to = EntityId(std::uint64_t{4711});
    EXPECT_EQ(refusal(ask), "unknown_item similar_to no item with this id");
    ask = request("vector_round");
    ask.vector = {1, 2, 3};
    EXPECT_THAT(refusal(ask), testing::StartsWith("wrong_dimension vector embedding 'round'"));
    ask.vector = {0, 0, 0, 0, 0};
    EXPECT_THAT(refusal(ask), testing::HasSubstr("zero norm"));
    ask.vector = {0, 0, NAN, 0, 0};
    EXPECT_THAT(refusal(ask), testing::HasSubstr("NaN"));
}

TEST_F(VectorsTest, OneSourceOfSeveralMayLackItsInput) {
    const auto page = world_.ask(request("mixed"));
    ASSERT_TRUE(page.ok()) << page.error().to_string();
    EXPECT_FALSE(page->items.empty());
    EXPECT_THAT(page->warnings, testing::ElementsAre(
                                    "`ann(round, vector)` is empty: it needs a vector (`vector`)"));
}

TEST_F(VectorsTest, InputsThatNothingReadsAreToldOf) {
    FeedRequest ask = request("plain");
    ask.similar_to = EntityId(std::uint64_t{4711});
    ask.vector = {1};
    const auto page = world_.ask(ask);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->warnings.size(), 2U);
}

TEST_F(VectorsTest, PagesGoOnAndBelongToTheirAnchor) {
    FeedRequest ask = request("scan_round", 7);
    ask.similar_to = EntityId(std::uint64_t{2});
    FeedRequest whole = ask;
    whole.limit = 100;
    const auto all = world_.ask(whole);
    ASSERT_TRUE(all.ok()) << all.error().to_string();
    std::string pages;
    for (;;) {
        const auto page = world_.ask(ask);
        ASSERT_TRUE(page.ok()) << page.error().to_string();
        pages += ids_of(*page);
        if (!page->next_cursor) break;
        ask.cursor = *page->next_cursor;
    }
    EXPECT_EQ(pages, ids_of(*all));
    ask.similar_to = EntityId(std::uint64_t{3});
    EXPECT_THAT(refusal(ask), testing::StartsWith("invalid_cursor"));
}

TEST_F(VectorsTest, AnEarlierSourceLimitBoundsThePage) {
    FeedRequest ask = request("few_flat");
    for (const Item& item : world_.items()) {
        if (item.vectors[1].empty()) continue;
        ask.similar_to = EntityId(item.id);
        break;
    }
    const auto page = world_.ask(ask);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->items.size(), 5U);
}

TEST_F(VectorsTest, ADeletedItemIsNearToNothing) {
    FeedRequest ask = request("item_round", 100);
    const auto with_vector = [&](const Item& item) {
        return !item.vectors[0].empty() && !item.closed;
    };
    auto& items = world_.items();
    const auto first = std::ranges::find_if(items, with_vector);
    const auto second = std::find_if(first + 1, items.end(), with_vector);
    ask.similar_to = EntityId(first->id);
    const std::string gone = " " + std::to_string(second->id) + " ";
    EXPECT_NE((" " + ids_of(*world_.ask(ask))).find(gone), std::string::npos);
    world_.home(second->id).erase(EntityId(second->id));
    EXPECT_EQ((" " + ids_of(*world_.ask(ask))).find(gone), std::string::npos);
    ask.similar_to = EntityId(second->id);
    EXPECT_THAT(refusal(ask), testing::StartsWith("unknown_item"));
}

TEST_F(VectorsTest, ExplainShowsTheSimilarity) {
    FeedRequest ask = request("scan_round", 1);
    ask.similar_to = EntityId(std::uint64_t{2});
    ask.explain = true;
    const auto page = world_.ask(ask);
    ASSERT_TRUE(page.ok());
    const auto& item = page->items.at(0);
    ASSERT_NE(item.explanation, nullptr);
    ASSERT_EQ(item.explanation->terms.size(), 1U);
    EXPECT_EQ(item.explanation->terms[0].text, "similarity(round)");
    EXPECT_EQ(item.explanation->terms[0].value, item.score);
}

/// By the formula, item after item, over the whole list.
TEST_F(VectorsTest, MmrIsGreedyOverScoreAndLikeness) {
    for (const double lambda : {0.0, 0.3, 0.8, 1.0}) {
        FeedRequest ask = request("plain", 10);
        ask.diversity = "mmr(" + std::to_string(lambda) + ", round)";
        const auto page = world_.ask(ask);
        ASSERT_TRUE(page.ok()) << page.error().to_string();
        std::vector<Item> left;
        for (const Item& item : world_.items())
            if (!item.closed) left.push_back(item);
        std::ranges::sort(left, [](const Item& a, const Item& b) {
            return a.year != b.year ? a.year > b.year : a.id < b.id;
        });
        const double best = left.front().year, range = best - left.back().year;
        std::vector<Item> shown;
        std::string wanted;
        while (shown.size() < 10) {
            std::size_t chosen = 0;
            double greatest = -INFINITY;
            for (std::size_t i = 0; i < left.size(); ++i) {
                double nearest = -2;
                for (const Item& other : shown)
                    if (!other.vectors[0].empty() && !left[i].vectors[0].empty())
                        nearest =
                            std::max(nearest, brute_force(0, left[i].vectors[0], other.vectors[0]));
                const double value = lambda * (1 - (best - left[i].year) / range) -
                                     (1 - lambda) * (nearest == -2 ? 0 : nearest);
                if (value > greatest + 1e-9) {
                    greatest = value;
                    chosen = i;
                }
            }
            wanted += std::to_string(left[chosen].id) + " ";
            shown.push_back(left[chosen]);
            left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen));
        }
        EXPECT_EQ(ids_of(*page), wanted) << lambda;
    }
}

}  // namespace vectors_test
}  // namespace tidal::query
