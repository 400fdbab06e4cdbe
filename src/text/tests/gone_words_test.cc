// Words that no text has any more: what they took is given back, and what gets their numbers is not
// taken for them.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "text/query_parser.h"
#include "text/search.h"
#include "text/tests/brute_force.h"
#include "text/text_index.h"

namespace tidal::text {
namespace gone_words_test {

constexpr FieldId kTags(3);  // Of no language: every word is its own term.

std::unique_ptr<TextIndex> empty_index() {
    auto out = std::make_unique<TextIndex>();
    out->keep_documents(7);
    out->set_fields(sample_fields());
    return out;
}

/// So many words that no other text has.
std::string text_of(std::uint32_t slot, std::uint32_t words) {
    std::string out;
    for (std::uint32_t i = 0; i < words; ++i) out += "w" + std::to_string(slot * words + i) + " ";
    return out;
}

class All final : public Collector {
public:
    double least() const override { return 0; }
    void offer(double, std::uint32_t slot) override { slots.push_back(slot); }
    std::vector<std::uint32_t> slots;
};

Search search_for(const TextIndex& index, const std::string& words) {
    const QueryNode root = parse_query(words, {"title", "body", "tags"}).root;
    Statistics statistics;
    index.gather_fields(&statistics);
    for (const QueryNode* word : words_of(root)) index.gather(*word, false, &statistics);
    return {index, root, statistics, false};
}

std::vector<std::uint32_t> run(Search& search) {
    All all;
    EXPECT_TRUE(search.run(all, nullptr, [](double) { return true; }));
    return all.slots;
}

std::vector<std::uint32_t> found(const TextIndex& index, const std::string& words) {
    Search search = search_for(index, words);
    return run(search);
}

TEST(GoneWords, LeaveTheirMemory) {
    constexpr std::uint32_t kTexts = 60, kWords = 100;
    auto index = empty_index();
    std::size_t full = 0;
    for (std::uint32_t round = 0; round < 3; ++round) {
        const std::uint32_t first = round * kTexts;
        for (std::uint32_t i = first; i < first + kTexts; ++i)
            index->change(Slot(i), kTags, "", text_of(i, kWords));
        // What others left is used first: as much as of an index that never had other words.
        if (round == 0) full = index->stats().bytes;
        EXPECT_LE(index->stats().bytes, full * 11 / 10) << "round " << round;
        EXPECT_EQ(index->stats().words, kTexts * kWords);
        for (std::uint32_t i = first; i < first + kTexts; ++i)
            index->change(Slot(i), kTags, text_of(i, kWords), "");
        EXPECT_LE(index->stats().bytes, full / 5) << "round " << round;
        EXPECT_EQ(index->stats().words, 0u);
    }
}

/// Lists of a segment are read in its file: taking all of them away leaves none in memory.
TEST(GoneWords, OfASegmentTakeNone) {
    constexpr std::uint32_t kTexts = 40, kWords = 100;
    auto before = empty_index();
    for (std::uint32_t i = 0; i < kTexts; ++i)
        before->change(Slot(i), kTags, "", text_of(i, kWords));
    auto segment = before->encode({.shard = ShardId(1), .index = LogIndex(9)});
    auto index = empty_index();
    ASSERT_TRUE(index->open(std::move(segment).value()).ok());
    for (std::uint32_t i = 0; i < kTexts; ++i)
        EXPECT_TRUE(index->meet(Slot(i), kTags, text_of(i, kWords)));
    index->finish_open();
    const std::size_t opened = index->stats().bytes;
    for (std::uint32_t i = 0; i < kTexts; ++i)
        index->change(Slot(i), kTags, text_of(i, kWords), "");
    EXPECT_LE(index->stats().bytes, opened);
    EXPECT_EQ(found(*index, "tags:w5"), std::vector<std::uint32_t>());
    index->change(Slot(3), kTags, "", "w5 w5");
    index->change(Slot(4), kTags, "", "w6");
    EXPECT_EQ(found(*index, "tags:w5"), std::vector<std::uint32_t>{3});
    EXPECT_EQ(found(*index, "tags:w6"), std::vector<std::uint32_t>{4});
}

TEST(GoneWords, OfASearchUnderWayAreNotTakenForOthers) {
    for (const char* const query : {"tags:old", "tags:\"old old\""}) {
        auto index = empty_index();
        index->change(Slot(1), kTags, "", "old old");
        Search search = search_for(*index, query);
        index->change(Slot(1), kTags, "old old", "");
        index->change(Slot(2), kTags, "", "fresh fresh");
        EXPECT_EQ(run(search), std::vector<std::uint32_t>()) << query;
        EXPECT_EQ(found(*index, "tags:fresh"), std::vector<std::uint32_t>{2});
    }
}

/// Begun anew from a segment that has them.
std::unique_ptr<TextIndex> reopened(TextIndex& index, std::uint32_t slot, const std::string& text) {
    auto segment = index.encode({.shard = ShardId(1), .index = LogIndex(9)});
    auto out = empty_index();
    EXPECT_TRUE(out->open(std::move(segment).value()).ok());
    EXPECT_TRUE(out->meet(Slot(slot), kTags, text));
    out->finish_open();
    return out;
}

/// A word that only one text has, when that text is written anew.
TEST(GoneWords, ThatComeBackAtOnceWereNeverGone) {
    for (const bool of_segment : {false, true}) {
        auto index = empty_index();
        index->change(Slot(1), kTags, "", "rare old");
        if (of_segment) index = reopened(*index, 1, "rare old");
        for (const char* const query : {"tags:rare", "tags:\"rare\""}) {
            Search search = search_for(*index, query);
            index->change(Slot(1), kTags, "rare old", "rare new");
            EXPECT_EQ(run(search), std::vector<std::uint32_t>{1}) << query;
            index->change(Slot(1), kTags, "rare new", "rare old");
        }
    }
}

/// Two words of one stem, of which one text has both.
TEST(GoneWords, LeaveTheStemToOthers) {
    constexpr FieldId kTitle(0);
    auto index = empty_index();
    index->change(Slot(1), kTitle, "", "pianos piano");
    index->change(Slot(2), kTitle, "", "piano");
    index->change(Slot(1), kTitle, "pianos piano", "");
    EXPECT_EQ(found(*index, "pianos"), std::vector<std::uint32_t>{2});
    index->change(Slot(2), kTitle, "piano", "");
    EXPECT_EQ(found(*index, "pianos"), std::vector<std::uint32_t>());
    index->change(Slot(3), kTitle, "", "pianos");
    EXPECT_EQ(found(*index, "piano"), std::vector<std::uint32_t>{3});
}

}  // namespace gone_words_test
}  // namespace tidal::text
