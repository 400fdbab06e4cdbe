#include "query/diversity.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <numeric>
#include <set>

namespace tidal::query {
namespace diversity_test {

using ranking::DiversityKind;
using ranking::DiversityRule;

DiversityRule per_creator(std::uint32_t count) {
    return {.kind = DiversityKind::kMaxPerCreator, .count = count};
}
DiversityRule share(double percent, std::optional<std::string> value = {}) {
    return {.kind = DiversityKind::kMaxShare,
            .name = "genre",
            .value = std::move(value),
            .percent = percent};
}
DiversityRule distinct(std::uint32_t count) {
    return {.kind = DiversityKind::kMinDistinct, .name = "genre", .count = count};
}
/// One rule; each letter is an item's only value, a space an item without one.
std::vector<DiverseItem> items(std::string_view letters) {
    std::vector<DiverseItem> out;
    for (const char letter : letters)
        out.push_back({{letter == ' ' ? RuleValues{} : RuleValues{std::string(1, letter)}}});
    return out;
}
std::string page_of(const DiversityRule& rule, std::string_view letters, std::size_t limit) {
    const DiversePage page = diversify({&rule, 1}, items(letters), limit);
    std::string out;
    for (const std::size_t at : page.chosen) out += letters[at];
    if (!page.given_up.empty()) out += "!";
    return out;
}

TEST(DiversityTest, TheBestThatFitsComesNext) {
    EXPECT_EQ(page_of(per_creator(1), "aabbc", 3), "abc");
    EXPECT_EQ(page_of(per_creator(2), "aaabbc", 5), "aabbc");
    EXPECT_EQ(page_of(per_creator(1), "aa b", 3), "a b");
}

TEST(DiversityTest, SharesAreOfThePage) {
    EXPECT_EQ(page_of(share(50), "aaaabbbb", 4), "aabb");
    EXPECT_EQ(page_of(share(10), "aabbcc", 3), "abc") << "one is always allowed";
    EXPECT_EQ(page_of(share(25, "a"), "aabbbb", 4), "abbb") << "others are not held back";
}

/// Two of a creator are alike; the third is like nobody.
TEST(DiversityTest, WhatIsAlikeIsKeptApartAmongWhatFits) {
    const DiversityRule rules[] = {per_creator(2), {.kind = DiversityKind::kMmr, .lambda = 0.5}};
    const auto item = [](const char* creator, std::vector<float> vector, double score) {
        return DiverseItem{.values = {RuleValues{creator}, RuleValues{}},
                           .vectors = {{schema::Metric::kCosine, std::move(vector)}},
                           .score = score};
    };
    std::vector<DiverseItem> all{item("a", {1, 0}, 9), item("a", {1, 0}, 8.9),
                                 item("a", {0, 1}, 8.8), item("b", {0.8F, 0.6F}, 5),
                                 item("b", {}, 1)};
    EXPECT_EQ(diversify(rules, all, 4).chosen, (std::vector<std::size_t>{0, 2, 4, 3}))
        << "the second of `a` that is alike has no place left, one without a vector is like nobody";
    EXPECT_EQ(diversify(rules, all, 2, 2).chosen, (std::vector<std::size_t>{0, 1})) << "pinned";
    const DiversePage whole = diversify(rules, all, 5);
    EXPECT_EQ(whole.chosen.size(), 5U);
    EXPECT_EQ(whole.given_up, std::vector<std::size_t>{0}) << "never mmr";
}

/// One over the range of these scores is no number.
TEST(DiversityTest, ScoresThatHardlyDifferAreRelevantInTheirOrder) {
    const DiversityRule rule{.kind = DiversityKind::kMmr, .lambda = 1};
    std::vector<DiverseItem> all;
    for (const double score : {2e-320, 1e-320, 0.0})
        all.push_back({.values = {RuleValues{}}, .vectors = {RuleVector{}}, .score = score});
    EXPECT_EQ(diversify({&rule, 1}, all, 2).chosen, (std::vector<std::size_t>{0, 1}));
}

TEST(DiversityTest, DistinctValuesComeAsLateAsTheyCan) {
    EXPECT_EQ(page_of(distinct(3), "aaaabc", 4), "aabc");
    EXPECT_EQ(page_of(distinct(2), "aaaa", 3), "aaa!");
    EXPECT_EQ(page_of(distinct(9), "abcd", 3), "abc") << "no more than the page has places";
}

TEST(DiversityTest, RulesAreGivenUpInTheOrderDeclared) {
    const std::vector<DiversityRule> rules = {share(50), per_creator(1)};
    std::vector<DiverseItem> all;
    for (const char* creator : {"x", "y", "z", "x"}) all.push_back({{{"a"}, {creator}}});
    const DiversePage page = diversify(rules, all, 4);
    EXPECT_EQ(page.chosen, (std::vector<std::size_t>{0, 1, 2, 3}));
    EXPECT_EQ(page.given_up, (std::vector<std::size_t>{0, 1}));
}

/// Of few directions, so that many are alike; or none.
RuleVector random_vector(schema::Metric metric) {
    RuleVector out{.metric = metric, .values = {}};
    if (*rc::gen::inRange(0, 6) == 0) return out;
    std::vector<float> values;
    for (int i = 0; i < 2; ++i)
        values.push_back(static_cast<float>(*rc::gen::inRange(-1, 2)) + 0.25F);
    out.values = vector::comparable(metric, std::move(values));
    return out;
}

/// 10,000 random lists: the page is whole, its items are of the list and different, the best comes
/// first, and a rule not given up holds.
RC_GTEST_PROP(DiversityTest, APageIsWholeAndKeepsWhatItSays, ()) {
    for (int round = 0; round < 100; ++round) {
        const auto count = *rc::gen::inRange<std::size_t>(0, 40);
        const auto limit = *rc::gen::inRange<std::size_t>(1, 25);
        std::vector<DiversityRule> rules;
        for (int i = *rc::gen::inRange(0, 4); i > 0; --i) switch (*rc::gen::inRange(0, 5)) {
                case 0:
                    rules.push_back(per_creator(*rc::gen::inRange<std::uint32_t>(1, 4)));
                    break;
                case 1:
                    rules.push_back(share(*rc::gen::inRange(1, 101)));
                    break;
                case 2:
                    rules.push_back(share(*rc::gen::inRange(1, 101), "1"));
                    break;
                case 3:
                    rules.push_back(
                        {.kind = DiversityKind::kMmr, .lambda = *rc::gen::inRange(0, 11) / 10.0});
                    break;
                default:
                    rules.push_back(distinct(*rc::gen::inRange<std::uint32_t>(1, 8)));
            }
        std::vector<DiverseItem> all(count);
        double score = 5;
        for (DiverseItem& item : all) {
            score -= *rc::gen::inRange(0, 3);
            item.score = score;
            for (std::size_t rule = 0; rule < rules.size(); ++rule) {
                if (rules[rule].kind == DiversityKind::kMmr) {
                    item.values.emplace_back();
                    item.vectors.push_back(random_vector(static_cast<schema::Metric>(rule % 3)));
                    continue;
                }
                std::set<std::string> values;
                for (int i = *rc::gen::inRange(0, 3); i > 0; --i)
                    values.insert(std::to_string(*rc::gen::inRange(0, 6)));
                item.values.emplace_back(values.begin(), values.end());
            }
        }

        const DiversePage page = diversify(rules, all, limit);
        const std::size_t size = std::min(limit, count);
        RC_ASSERT(page.chosen.size() == size);
        RC_ASSERT(std::set(page.chosen.begin(), page.chosen.end()).size() == size);
        if (rules.empty()) {
            std::vector<std::size_t> front(size);
            std::iota(front.begin(), front.end(), 0);
            RC_ASSERT(page.chosen == front);
        }
        RC_ASSERT(std::ranges::is_sorted(page.given_up));
        for (const std::size_t rule : page.given_up)
            RC_ASSERT(rules[rule].kind != DiversityKind::kMmr);
        for (std::size_t rule = 0; rule < rules.size(); ++rule) {
            if (std::ranges::find(page.given_up, rule) != page.given_up.end()) continue;
            std::map<std::string, std::size_t> counts;
            for (const std::size_t at : page.chosen)
                for (const std::string& value : all[at].values[rule]) ++counts[value];
            const DiversityRule& r = rules[rule];
            const auto most = std::max<std::size_t>(
                1, static_cast<std::size_t>(r.percent / 100 * static_cast<double>(size)));
            for (const auto& [value, n] : counts) {
                if (r.kind == DiversityKind::kMaxPerCreator) RC_ASSERT(n <= r.count);
                if (r.kind == DiversityKind::kMaxShare && (!r.value || *r.value == value))
                    RC_ASSERT(n <= most);
            }
            if (r.kind == DiversityKind::kMinDistinct)
                RC_ASSERT(counts.size() >= std::min<std::size_t>(r.count, size));
        }
    }
}

}  // namespace diversity_test
}  // namespace tidal::query
