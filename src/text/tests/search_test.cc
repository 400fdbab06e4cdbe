// Searches against brute force, over random collections that change, on 1, 3 and 8 shards.
#include "text/search.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>

#include "text/tests/brute_force.h"

namespace tidal::text {
namespace search_test {

/// Keeps the best by score, then by lesser slot.
class Best final : public Collector {
public:
    explicit Best(std::size_t keep) : keep_(keep) {}
    double least() const override {
        return found_.size() < keep_ ? -1 : -std::get<0>(*found_.rbegin());
    }
    void offer(double score, std::uint32_t slot) override {
        EXPECT_TRUE(offered_.insert(slot).second) << "twice: " << slot;
        found_.emplace(-score, slot);
        if (found_.size() > keep_) found_.erase(std::prev(found_.end()));
    }
    const std::set<std::pair<double, std::uint32_t>>& found() const { return found_; }

private:
    const std::size_t keep_;
    std::set<std::pair<double, std::uint32_t>> found_;
    std::set<std::uint32_t> offered_;
};

bool always(double) {
    return true;
}

/// A collection spread over shards: slot s of all is slot s / shards of shard s % shards.
class Shards {
public:
    explicit Shards(std::uint32_t count, std::optional<double> k1 = {}) {
        auto fields = sample_fields();
        for (auto& field : fields) field.scoring.k1 = k1.value_or(field.scoring.k1);
        for (std::uint32_t i = 0; i < count; ++i) {
            all_.push_back(std::make_unique<TextIndex>());
            all_.back()->set_fields(fields);
        }
    }
    std::uint32_t count() const { return static_cast<std::uint32_t>(all_.size()); }
    TextIndex& shard(std::uint32_t at) { return *all_[at]; }
    void change(std::uint32_t slot, std::uint16_t field, std::string_view before,
                std::string_view after) {
        all_[slot % count()]->change(Slot(slot / count()), FieldId(field), before, after);
    }
    Statistics statistics(const QueryNode& root, bool typos = false) {
        Statistics out;
        for (const auto& shard : all_) {
            Statistics mine;
            shard->gather_fields(&mine);
            for (const QueryNode* word : words_of(root)) {
                shard->gather(*word, false, &mine);
                if (typos) shard->gather(*word, true, &mine);
            }
            out.add(mine);
        }
        out.choose_words();
        return out;
    }
    /// Score and slot of all, the best first.
    std::vector<std::pair<double, std::uint32_t>> best(const QueryNode& root, std::size_t keep,
                                                       const Roaring* accepted = nullptr,
                                                       bool typos = false) {
        const Statistics statistics = this->statistics(root, typos);
        std::vector<std::pair<double, std::uint32_t>> out;
        for (std::uint32_t i = 0; i < count(); ++i) {
            Roaring here;
            if (accepted != nullptr)
                for (const std::uint32_t slot : *accepted)
                    if (slot % count() == i) here.add(slot / count());
            Best best(keep);
            Search search(*all_[i], root, statistics, typos);
            EXPECT_TRUE(search.run(best, accepted == nullptr ? nullptr : &here, always));
            for (const auto& [score, slot] : best.found())
                out.emplace_back(-score, slot * count() + i);
        }
        std::ranges::sort(out, [](const auto& a, const auto& b) {
            return a.first != b.first ? a.first > b.first : a.second < b.second;
        });
        if (out.size() > keep) out.resize(keep);
        return out;
    }

private:
    std::vector<std::unique_ptr<TextIndex>> all_;
};

const std::vector<std::string> kWords = {
    "jazz", "piano", "pianos", "running", "run",          "the",   "of",   "blue",
    "Kind", "kinds", "so",     "what",    "\u6771\u4EAC", "wi-fi", "1959", "runner"};

std::string random_text(std::size_t most) {
    const auto size = *rc::gen::inRange<std::size_t>(0, most);
    std::string out;
    for (std::size_t i = 0; i < size; ++i) out += *rc::gen::elementOf(kWords) + " ";
    return out;
}

std::string random_unit() {
    const std::string word = *rc::gen::elementOf(kWords);
    switch (*rc::gen::inRange(0, 9)) {
        case 0:
            return "\"" + random_text(4) + "\"";
        case 1:
            return word.substr(0, 2) + "*";
        case 2:
            return "title:" + word;
        case 3:
            return "body:\"" + random_text(3) + "\"";
        case 4:
            return "-" + word;
        case 5:
            return "(" + random_text(4) + ")";
        default:
            return word;
    }
}

std::string random_query() {
    std::string out;
    const auto size = *rc::gen::inRange(1, 6);
    for (int i = 0; i < size; ++i) {
        if (i > 0) out += *rc::gen::element<std::string>(" ", " ", " OR ", " AND ", " AND NOT ");
        out += random_unit();
    }
    return out;
}

QueryNode parsed(std::string_view text) {
    return parse_query(text, {"title", "body", "tags"}).root;
}

/// Adds, changes and deletes; what is left is in `documents`.
void random_changes(int count, std::uint32_t slots, std::vector<Shards*> all,
                    std::map<std::uint32_t, BruteForce::Document>* documents) {
    for (int i = 0; i < count; ++i) {
        const auto slot = *rc::gen::inRange<std::uint32_t>(0, slots);
        const auto field = *rc::gen::element<std::uint16_t>(0, 1, 3);
        const bool erased = *rc::gen::inRange(0, 6) == 0;
        const std::string text = erased ? "" : random_text(field == 1 ? 30 : 6);
        std::string& stored = (*documents)[slot][field];
        for (Shards* shards : all) shards->change(slot, field, stored, text);
        stored = text;
    }
}

void expect_answers(const std::map<std::uint32_t, double>& expected, std::size_t keep,
                    const std::vector<std::pair<double, std::uint32_t>>& found) {
    std::vector<std::pair<double, std::uint32_t>> order;
    for (const auto& [slot, score] : expected) order.emplace_back(score, slot);
    std::ranges::sort(order, [](const auto& a, const auto& b) { return a.first > b.first; });
    RC_ASSERT(found.size() == std::min(keep, order.size()));
    for (std::size_t i = 0; i < found.size(); ++i) {
        // The reference adds in another way: equal but for rounding, so ties may swap.
        RC_ASSERT(std::abs(found[i].first - order[i].first) <= 1e-12 * order[i].first + 1e-15);
        const double of_slot = expected.at(found[i].second);
        RC_ASSERT(std::abs(found[i].first - of_slot) <= 1e-12 * of_slot + 1e-15);
    }
}

RC_GTEST_PROP(Search, IsBruteForceOnAnyNumberOfShards, ()) {
    Shards one(1), three(3), eight(8);
    std::map<std::uint32_t, BruteForce::Document> documents;
    random_changes(*rc::gen::inRange(0, 200), 60, {&one, &three, &eight}, &documents);
    BruteForce reference(documents);
    for (int i = 0; i < 8; ++i) {
        const QueryNode root = parsed(random_query());
        const auto keep = *rc::gen::inRange<std::size_t>(1, 30);
        Roaring accepted;
        const bool filtered = *rc::gen::arbitrary<bool>();
        for (std::uint32_t slot = 0; slot < 60; ++slot)
            if (*rc::gen::arbitrary<bool>()) accepted.add(slot);
        auto expected = reference.answers(root);
        if (filtered)
            std::erase_if(expected,
                          [&](const auto& each) { return !accepted.contains(each.first); });
        const auto found = one.best(root, keep, filtered ? &accepted : nullptr);
        expect_answers(expected, keep, found);
        RC_ASSERT(three.best(root, keep, filtered ? &accepted : nullptr) == found);
        RC_ASSERT(eight.best(root, keep, filtered ? &accepted : nullptr) == found);
    }
}

/// The scores of given slots are those that searches give, to the last bit.
RC_GTEST_PROP(Search, ScoresOfSlotsAreThoseOfSearches, ()) {
    Shards one(1);
    std::map<std::uint32_t, BruteForce::Document> documents;
    random_changes(100, 60, {&one}, &documents);
    for (int i = 0; i < 5; ++i) {
        const QueryNode root = parsed(random_query());
        std::map<std::uint32_t, double> found;
        for (const auto& [score, slot] : one.best(root, 100)) found[slot] = score;
        std::vector<Slot> slots;
        for (std::uint32_t slot = 0; slot < 70; ++slot) slots.emplace_back(slot);
        std::vector<double> scores(slots.size());
        Search search(one.shard(0), root, one.statistics(root), false);
        for (int again = 0; again < 2; ++again) {
            search.scores(slots, scores);
            for (std::uint32_t slot = 0; slot < 70; ++slot)
                RC_ASSERT(scores[slot] == (found.contains(slot) ? found[slot] : 0.0));
        }
    }
}

/// A query of words w0, w1, ... of which the first are the most frequent.
std::string drawn_query(std::minstd_rand& random) {
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    const auto word = [&] {
        const std::uint32_t rank = 1 + below(40);
        return "w" + std::to_string(below(rank));
    };
    std::string out;
    const std::uint32_t units = 1 + below(5);
    for (std::uint32_t i = 0; i < units; ++i) {
        constexpr const char* kBetween[] = {" ", " OR ", " AND ", " AND NOT ", " AND ", " "};
        if (i > 0) out += kBetween[below(6)];
        const std::uint32_t kind = below(10);
        const std::string first = word(), second = word();
        if (kind == 0)
            out += "\"" + first + " " + second + "\"";
        else if (kind == 1)
            out += "w" + std::to_string(1 + below(3)) + "*";
        else if (kind == 2)
            out += "title:" + first;
        else if (kind == 3)
            out += "body:\"" + first + " " + second + "\"";
        else if (kind == 4)
            out += "-" + first;
        else if (kind == 5)
            out += "(" + first + " AND " + second + ")";
        else
            out += first;
    }
    return out;
}

/// Lists of some thirty blocks, whose texts were changed and taken away, against every text.
TEST(Search, IsBruteForceOverListsOfManyBlocks) {
    constexpr std::uint32_t kSlots = 4'000;
    std::minstd_rand random(11);
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    Shards one(1), three(3);
    std::map<std::uint32_t, BruteForce::Document> documents;
    for (std::uint32_t change = 0; change < kSlots + kSlots / 4; ++change) {
        const std::uint32_t slot = change < kSlots ? change : below(kSlots);
        const std::uint16_t field = below(3) == 0 ? 0 : 1;
        std::uint32_t length = below(field == 0 ? 5 : 16);
        if (below(80) == 0) length += 280;  // More than a byte of length says.
        std::string text;
        for (std::uint32_t i = 0; i < length; ++i) {
            const std::uint32_t rank = 1 + below(40);
            text += "w" + std::to_string(below(rank)) + " ";
        }
        if (below(90) == 0)
            for (int i = 0; i < 40; ++i) text += "w3 ";
        std::string& stored = documents[slot][field];
        one.change(slot, field, stored, text);
        three.change(slot, field, stored, text);
        stored = text;
    }
    Roaring accepted;
    for (std::uint32_t slot = 0; slot < kSlots; ++slot)
        if (below(3) == 0) accepted.add(slot);
    BruteForce reference(documents);
    std::size_t far_from_all = 0;
    for (int i = 0; i < 80; ++i) {
        const std::string text = drawn_query(random);
        const QueryNode root = parsed(text);
        auto expected = reference.answers(root);
        const bool filtered = below(3) == 0;
        if (filtered)
            std::erase_if(expected,
                          [&](const auto& each) { return !accepted.contains(each.first); });
        std::vector<double> order;
        for (const auto& [slot, score] : expected) order.push_back(score);
        std::ranges::sort(order, std::greater());
        for (const std::size_t keep : {std::size_t{1}, std::size_t{10}, std::size_t{kSlots}}) {
            const auto found = one.best(root, keep, filtered ? &accepted : nullptr);
            ASSERT_EQ(found.size(), std::min(keep, order.size())) << text;
            for (std::size_t at = 0; at < found.size(); ++at) {
                const auto& [score, slot] = found[at];
                ASSERT_TRUE(expected.contains(slot)) << text << ": " << slot;
                ASSERT_NEAR(score, order[at], 1e-12 * order[at]) << text << ": place " << at;
                ASSERT_NEAR(score, expected.at(slot), 1e-12 * score) << text << ": " << slot;
            }
            ASSERT_EQ(three.best(root, keep, filtered ? &accepted : nullptr), found) << text;
        }
        if (order.size() > 500) ++far_from_all;
    }
    EXPECT_GT(far_from_all, 20U) << "queries that have something to pass over";
}

/// Between steps others write: what they leave alone is found, with its score of the beginning.
RC_GTEST_PROP(Search, GoesOnWhileTheIndexChanges, ()) {
    Shards one(1);
    std::map<std::uint32_t, BruteForce::Document> documents;
    constexpr std::uint32_t kSlots = 2'000;
    for (std::uint32_t slot = 0; slot < kSlots; slot += 2) {
        std::string& text = documents[slot][1];
        for (std::uint32_t word = 0; word < 3 + slot % 7; ++word)
            text += kWords[(slot * 31 + word * word * 7) % kWords.size()] + " ";
        one.change(slot, 1, "", text);
    }
    const QueryNode root = parsed(random_query());
    const Statistics statistics = one.statistics(root);
    const auto before = one.best(root, kSlots);
    Search search(one.shard(0), root, statistics, false);
    Best best(kSlots);
    std::set<std::uint32_t> touched;
    for (bool done = false; !done;) {
        int pieces = 0;
        done = search.run(best, nullptr, [&](double) { return pieces++ < 3; });
        const auto slot = *rc::gen::inRange<std::uint32_t>(0, kSlots);
        touched.insert(slot);
        std::string& stored = documents[slot][1];
        const std::string text = random_text(10);
        one.change(slot, 1, stored, text);
        stored = text;
    }
    std::set<std::pair<double, std::uint32_t>> found;
    for (const auto& [score, slot] : best.found())
        if (!touched.contains(slot)) found.emplace(-score, slot);
    std::set<std::pair<double, std::uint32_t>> expected;
    for (const auto& [score, slot] : before)
        if (!touched.contains(slot)) expected.emplace(score, slot);
    RC_ASSERT(found == expected);
}

TEST(Search, LongListsAreCutIntoBlocksThatAreSkipped) {
    Shards one(1);
    constexpr std::uint32_t kSlots = 50'000;
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        std::string text = "common word";
        if (slot % 1'000 == 7) text += " rare";
        if (slot == 40'007) text += " rare";
        one.change(slot, 0, "", text);
    }
    const QueryNode root = parsed("common rare");
    const Statistics statistics = one.statistics(root);
    Search search(one.shard(0), root, statistics, false);
    Best best(5);
    double cost = 0;
    EXPECT_TRUE(search.run(best, nullptr, [&](double nanoseconds) {
        cost += nanoseconds;
        return true;
    }));
    ASSERT_EQ(best.found().size(), 5u);
    EXPECT_EQ(best.found().begin()->second, 40'007u);
    // Fifty windows have the rare word; the some 390 blocks of the other are not opened one by one.
    EXPECT_LT(cost, 390 * 3'000.0);
}

/// Lists of many blocks, some of their texts long and some words often in them: the best that are
/// found by passing over others are, to the last bit, the head of all.
TEST(Search, TheBestAreTheHeadOfAll) {
    constexpr std::uint32_t kSlots = 30'000;
    Shards one(1);
    std::minstd_rand random(7);
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        std::uint32_t length = 1 + below(30);
        if (slot % 97 == 5) length += 300;
        std::string text;
        for (std::uint32_t i = 0; i < length; ++i) {
            const std::uint32_t rank = 1 + below(40);
            text += "w" + std::to_string(below(rank)) + " ";
        }
        if (slot % 1'009 == 3)
            for (int i = 0; i < 300; ++i) text += "w2 ";
        if (below(2'000) == 0) text += "seldom";
        one.change(slot, slot % 3 == 0 ? 0 : 1, "", text);
    }
    Roaring accepted;
    for (std::uint32_t slot = 0; slot < kSlots; ++slot)
        if (below(10) == 0) accepted.add(slot);
    for (const char* const query :
         {"w3", "w0 w1", "w2 w30", "w5 w6 w7", "seldom w0", "seldom", "w1 AND w2",
          "w9 AND w4 AND w3", "seldom AND w1", "body:w3 body:w9", "title:w1 AND title:w12",
          "w1 w2 w3 w4 w5 w6", "w8 w9 -w3", "w8 AND w9 -w3", "w3*", "w3* AND w1", "body:w2",
          "w2 AND w39 AND w38"})
        for (const Roaring* const filter :
             {static_cast<const Roaring*>(nullptr), static_cast<const Roaring*>(&accepted)}) {
            const auto all = one.best(parsed(query), kSlots, filter);
            for (const std::size_t keep : {1, 10, 100}) {
                const auto found = one.best(parsed(query), keep, filter);
                const std::size_t size = std::min(keep, all.size());
                ASSERT_EQ(found.size(), size) << query;
                for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(found[i], all[i]) << query;
            }
        }
}

/// What matches, whatever it scores, over several windows of slots, a piece at a time.
TEST(Search, AllThatMatchAreThoseThatRunOffers) {
    constexpr std::uint32_t kTexts = 12'000, kApart = 17, kSlots = kTexts * kApart;
    Shards one(1);
    std::minstd_rand random(11);
    for (std::uint32_t i = 0; i < kTexts; ++i) {
        std::string text;
        for (std::uint32_t word = 0; word < 1 + i % 9; ++word)
            text += "w" + std::to_string(random() % (1 + random() % 30)) + " ";
        one.change(i * kApart, i % 3 == 0 ? 0 : 1, "", text);
    }
    for (const char* const query :
         {"w3", "w0 w1", "w1 AND w2", "w9 AND w4 AND w3", "w8 w9 -w3", "w8 AND w9 -w3", "w3*",
          "w2* AND w1", "\"w1 w2\"", "\"w1 w2\" AND w3", "w1 AND (w2 OR w3)",
          "w1 AND (w2 OR w3*) -w4", "\"w0 w1\" -w2", "nothing", ""}) {
        const QueryNode root = parsed(query);
        const Statistics statistics = one.statistics(root);
        std::set<std::uint32_t> expected;
        for (const auto& [score, slot] : one.best(root, kSlots)) expected.insert(slot);
        Search search(one.shard(0), root, statistics, false);
        Roaring found;
        for (bool done = false; !done;) {
            int pieces = 0;
            done = search.match(kSlots, &found, [&](double) { return pieces++ < 1; });
        }
        EXPECT_EQ(std::set<std::uint32_t>(found.begin(), found.end()), expected) << query;
    }
}

/// With k1 = 0 a term counts once, however often it is there; the other one is nowhere near.
TEST(Search, WordsFarApartAreFoundWhereFrequenciesDoNotCount) {
    Shards one(1, 0.0);
    constexpr std::uint32_t kCats = 400, kDogs = 5;
    for (std::uint32_t i = 0; i < kCats; ++i) one.change(i * 50, 1, "", "cat");
    for (std::uint32_t i = 0; i < kDogs; ++i) one.change(25'000 + i, 1, "", "dog dog");
    EXPECT_EQ(one.best(parsed("body:cat body:dog"), 1'000).size(), kCats + kDogs);
    const auto best = one.best(parsed("body:cat body:dog"), 10);
    ASSERT_EQ(best.size(), 10U);
    for (std::size_t i = 0; i < best.size(); ++i)
        EXPECT_EQ(best[i].second >= 25'000, i < kDogs) << "the rarer word first";
}

TEST(Search, TyposFindWhatWasMeant) {
    Shards two(2);
    const char* const titles[] = {
        "The Matrix",  "Interstellar", "Matter", "The Adventure", "Adventures in Babysitting",
        "Blade Runner"};
    for (std::uint32_t i = 0; i < std::size(titles); ++i) two.change(i, 0, "", titles[i]);
    const auto first = [&](std::string_view text) {
        const auto found = two.best(parsed(text), 3, nullptr, true);
        return found.empty() ? std::string() : std::string(titles[found[0].second]);
    };
    EXPECT_EQ(first("matrx"), "The Matrix");
    EXPECT_EQ(first("matirx"), "The Matrix");
    EXPECT_EQ(first("interstelar"), "Interstellar");
    EXPECT_EQ(first("intrestelar"), "Interstellar");
    EXPECT_EQ(first("advenure"), "The Adventure");
    EXPECT_EQ(first("runer"), "Blade Runner");
    EXPECT_EQ(first("natrix"), "");     // Its first letter is another.
    EXPECT_EQ(first("blad"), "");       // Too short.
    EXPECT_EQ(first("\"matrx\""), "");  // Quoted.
    // With every word as it is, what is exact comes first.
    EXPECT_EQ(first("matter"), "Matter");
}

}  // namespace search_test
}  // namespace tidal::text
