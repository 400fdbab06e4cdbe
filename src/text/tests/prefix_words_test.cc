// What a beginning stands for: the most frequent words, however many there are.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <random>
#include <set>

#include "text/internal/field_index.h"
#include "text/tests/brute_force.h"

namespace tidal::text {
namespace prefix_words_test {

constexpr FieldId kTags(3);                          // Of no language: every word is its own term.
using Words = std::map<std::string, std::uint64_t>;  ///< Documents by word.

Words expanded(const TextIndex& index, const std::string& prefix, Statistics* statistics) {
    index.gather({QueryNode::Kind::kPrefix, prefix, "tags", {}}, false, statistics);
    Words out;
    for (const auto& [word, found] : statistics->words[{kTags, Expansion::Kind::kPrefix, prefix}])
        out[word] = found.documents;
    return out;
}

/// The first so many by falling documents, then in order.
Words most_frequent(const Words& all, const std::string& prefix, std::size_t most) {
    std::vector<std::pair<std::string, std::uint64_t>> order;
    for (const auto& each : all)
        if (each.first.starts_with(prefix) && each.second > 0) order.push_back(each);
    std::ranges::stable_sort(order,
                             [](const auto& a, const auto& b) { return a.second > b.second; });
    if (order.size() > most) order.resize(most);
    return {order.begin(), order.end()};
}

std::set<std::string> words_in(const std::string& text) {
    std::set<std::string> out;
    for (std::size_t at = 0; at < text.size(); at = text.find(' ', at) + 1)
        out.insert(text.substr(at, text.find(' ', at) - at));
    return out;
}

/// Through changes and starts with a segment.
RC_GTEST_PROP(PrefixWords, AreTheMostFrequent, ()) {
    std::minstd_rand random(*rc::gen::inRange(1, 1'000'000));
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    std::map<std::uint32_t, std::string> texts;
    Words documents;
    auto index = std::make_unique<TextIndex>();
    index->keep_documents(7);
    index->set_fields(sample_fields());
    for (int change = 0; change < 150; ++change) {
        const std::uint32_t slot = below(30);
        std::string text;
        const std::uint32_t size = below(4) == 0 ? 0 : below(25);
        for (std::uint32_t i = 0; i < size; ++i) {
            // The lower the more often, so that frequencies are of several classes.
            const std::uint32_t word = below(1 + below(300));
            text += std::string(1, static_cast<char>('a' + word % 2)) + std::to_string(word) + " ";
        }
        std::string& stored = texts[slot];
        for (const std::string& word : words_in(stored)) --documents[word];
        for (const std::string& word : words_in(text)) ++documents[word];
        index->change(Slot(slot), kTags, stored, text);
        stored = text;
        if (below(60) == 0) {
            auto segment = index->encode({.shard = ShardId(1), .index = LogIndex(9)});
            index = std::make_unique<TextIndex>();
            index->keep_documents(7);
            index->set_fields(sample_fields());
            RC_ASSERT(index->open(std::move(segment).value()).ok());
            for (const auto& [of, each] : texts)
                if (!each.empty()) index->meet(Slot(of), kTags, each);
            index->finish_open();
        }
        if (below(15) != 0) continue;
        for (const char* const prefix : {"a", "b", "a1", "b10", "c"}) {
            Statistics statistics;
            RC_ASSERT(expanded(*index, prefix, &statistics) ==
                      most_frequent(documents, prefix, kPrefixWordsMax));
            RC_ASSERT(statistics.cut ==
                      (most_frequent(documents, prefix, 1'000).size() > kPrefixWordsMax));
            RC_ASSERT(!statistics.prefix_unseen);
        }
    }
}

class LargeVocabulary : public ::testing::Test {
protected:
    static constexpr std::uint32_t kWords = 120'000, kWordsOfText = 1'000;

    LargeVocabulary() { index_.set_fields(sample_fields()); }
    /// Rising with the number; letters alone.
    static std::string word(std::uint32_t number) {
        std::string out = "waaaa";
        for (std::size_t at = out.size(); at-- > 1; number /= 26)
            out[at] = static_cast<char>('a' + number % 26);
        return out;
    }
    /// Each word in one document more.
    void add_all() {
        for (std::uint32_t number = 0; number < kWords;) {
            std::string text;
            for (std::uint32_t i = 0; i < kWordsOfText; ++i) text += word(number++) + " ";
            index_.change(Slot(next_slot_++), kTags, "", text);
        }
    }
    FieldIndex& field() { return *index_.index_of(kTags); }

    TextIndex index_;
    std::uint32_t next_slot_ = 0;
};

/// The most frequent are the last in the alphabet, and not all of the others are looked at.
TEST_F(LargeVocabulary, TheMostFrequentAreFoundWhereverTheyStand) {
    add_all();
    Words expected;
    for (std::uint32_t i = 1; i <= 80; ++i) {
        const std::string each = word(kWords - 1 - i * 7);
        for (std::uint32_t n = 0; n < i; ++n) index_.change(Slot(next_slot_++), kTags, "", each);
        if (i > 80 - kPrefixWordsMax) expected[each] = i + 1;
    }
    Statistics statistics;
    EXPECT_EQ(expanded(index_, "w", &statistics), expected);
    EXPECT_TRUE(statistics.cut);
    EXPECT_FALSE(statistics.prefix_unseen);
    std::map<std::string, ExpandedWord> found;
    EXPECT_LT(field().expand_prefix("w", kLookAtMax, &found).at, 200U);
}

/// All alike, the first in the alphabet do; all nearly alike, that many are too many to look at.
TEST_F(LargeVocabulary, WhatIsNotLookedAtIsSaid) {
    add_all();
    Statistics once;
    const Words first = expanded(index_, "w", &once);
    EXPECT_EQ(first.size(), kPrefixWordsMax);
    EXPECT_EQ(first.begin()->first, word(0));
    EXPECT_EQ(first.rbegin()->first, word(kPrefixWordsMax - 1));
    EXPECT_TRUE(once.cut);
    EXPECT_FALSE(once.prefix_unseen);

    add_all();
    index_.change(Slot(next_slot_++), kTags, "", word(kWords - 1));  // In three; unseen.
    Statistics twice;
    EXPECT_EQ(expanded(index_, "w", &twice).size(), kPrefixWordsMax);
    EXPECT_TRUE(twice.cut);
    EXPECT_TRUE(twice.prefix_unseen);
    std::map<std::string, ExpandedWord> found;
    EXPECT_EQ(field().expand_prefix("w", kLookAtMax, &found).at, kLookAtMax);
    // In so many documents that it is looked at before the others.
    index_.change(Slot(next_slot_++), kTags, "", word(kWords - 1));
    Statistics more;
    EXPECT_EQ(expanded(index_, "w", &more)[word(kWords - 1)], 4U);
    EXPECT_TRUE(more.prefix_unseen);
}

/// Every word that differs from one in two of its letters, which are more than are looked at.
TEST_F(LargeVocabulary, TyposThatAreNotLookedAtAreSaid) {
    const std::string meant = "wabcdefgh";
    std::string text;
    for (std::size_t i = 1; i < meant.size(); ++i)
        for (std::size_t j = i + 1; j < meant.size(); ++j)
            for (char a = 'i'; a <= 'z'; ++a)
                for (char b = 'i'; b <= 'z'; ++b) {
                    std::string other = meant;
                    other[i] = a;
                    other[j] = b;
                    text += other + " ";
                }
    ASSERT_GT(text.size() / 10, kLookAtMax);
    index_.change(Slot(0), kTags, "", text);
    std::map<std::string, ExpandedWord> found;
    EXPECT_EQ(field().expand_typo(meant, 2, kLookAtMax, &found).at, kLookAtMax);
    Statistics statistics, all;
    index_.gather({QueryNode::Kind::kWord, meant, "tags", {}}, true, &statistics);
    all.add(statistics);
    EXPECT_TRUE(all.typos_unseen);
    EXPECT_TRUE(field().expand_typo(meant, 2, 28 * 18 * 18, &found).all);
    EXPECT_EQ(found.size(), 28U * 18 * 18);
}

}  // namespace prefix_words_test
}  // namespace tidal::text
