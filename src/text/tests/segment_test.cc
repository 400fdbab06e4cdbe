// A start with a segment against an index made afresh of the same texts: through any number of
// lives, with texts that changed meanwhile.
#include "text/segment.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <map>

#include "text/internal/field_index.h"
#include "text/search.h"
#include "text/tests/brute_force.h"

namespace tidal::text {
namespace segment_test {

using Texts = std::map<std::pair<std::uint32_t, std::uint16_t>, std::string>;

constexpr std::uint32_t kSlots = 40;
constexpr std::uint64_t kSeed = 42;
const std::vector<std::string> kWords = {
    "jazz",  "piano",  "pianos",       "running", "run",  "the",      "blue",    "Kind",
    "kinds", "runner", "\u6771\u4EAC", "wi-fi",   "1959", "kindness", "runners", "piranha"};

/// Everything that a query sees.
class Everything final : public Collector {
public:
    Everything(const TextIndex& index, const std::string& query, bool typos) {
        const QueryNode root = parse_query(query, {"title", "body", "tags"}).root;
        index.gather_fields(&statistics_);
        for (const QueryNode* word : words_of(root)) {
            index.gather(*word, false, &statistics_);
            if (typos) index.gather(*word, true, &statistics_);
        }
        Search(index, root, statistics_, typos).run(*this, nullptr, [](double) { return true; });
        for (const auto& [expansion, words] : statistics_.words)
            for (const auto& [word, found] : words)
                words_.emplace_back(word, found.term, found.edits, found.documents);
        for (const auto& field : statistics_.fields)
            fields_.emplace_back(field.documents, field.length);
    }
    double least() const override { return -1; }
    void offer(double score, std::uint32_t slot) override { found_[slot] = score; }
    bool operator==(const Everything& other) const {
        return found_ == other.found_ && words_ == other.words_ && fields_ == other.fields_ &&
               statistics_.holders == other.statistics_.holders;
    }

private:
    Statistics statistics_;
    std::map<std::uint32_t, double> found_;
    std::vector<std::tuple<std::string, std::string, std::uint32_t, std::uint64_t>> words_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> fields_;
};

std::unique_ptr<TextIndex> started(const std::optional<Segment>& segment, const Texts& texts,
                                   bool keeps = false) {
    auto index = std::make_unique<TextIndex>();
    if (keeps) index->keep_documents(kSeed);
    index->set_fields(sample_fields());
    if (segment && !index->open(*segment).ok()) ADD_FAILURE() << "not opened";
    for (const auto& [at, text] : texts)
        if (!text.empty()) index->meet(Slot(at.first), FieldId(at.second), text);
    index->finish_open();
    return index;
}

Segment written(const std::optional<Segment>& before, const Texts& texts) {
    return started(before, texts, true)
        ->encode({.shard = ShardId(1), .index = LogIndex(9)})
        .value();
}

std::string random_text() {
    std::string out;
    const auto size = *rc::gen::inRange(0, 12);
    for (int i = 0; i < size; ++i) out += *rc::gen::elementOf(kWords) + " ";
    return out;
}

/// @param index  Told of the changes, if any.
void change_some(int count, Texts* texts, TextIndex* index) {
    for (int i = 0; i < count; ++i) {
        const auto slot = *rc::gen::inRange<std::uint32_t>(0, kSlots);
        const auto field = *rc::gen::element<std::uint16_t>(0, 1, 3);
        const std::string text = *rc::gen::inRange(0, 4) == 0 ? "" : random_text();
        std::string& stored = (*texts)[{slot, field}];
        if (index != nullptr) index->change(Slot(slot), FieldId(field), stored, text);
        stored = text;
    }
}

void expect_same(const TextIndex& index, const Texts& texts) {
    const auto fresh = started(std::nullopt, texts);
    RC_ASSERT(index.stats().documents == fresh->stats().documents);
    RC_ASSERT(index.stats().words == fresh->stats().words);
    for (int i = 0; i < 3; ++i) {
        const std::string word = *rc::gen::elementOf(kWords), other = *rc::gen::elementOf(kWords);
        for (const std::string& query : {word + " " + other + "*", word.substr(0, 1) + "*",
                                         "\"" + word + " " + other + "\"", word + " -" + other})
            RC_ASSERT(Everything(index, query, true) == Everything(*fresh, query, true));
    }
    RC_ASSERT(Everything(index, "rnning pinao", true) == Everything(*fresh, "rnning pinao", true));
}

RC_GTEST_PROP(TextSegments, GiveTheIndexOfTheTextsThereAre, ()) {
    Texts texts;
    std::optional<Segment> segment;
    for (int life = 0; life < 4; ++life) {
        const auto index = started(segment, texts);
        expect_same(*index, texts);
        change_some(*rc::gen::inRange(0, 60), &texts, index.get());
        expect_same(*index, texts);
        if (*rc::gen::arbitrary<bool>()) segment = written(segment, texts);
        change_some(*rc::gen::inRange(0, 20), &texts, index.get());
        expect_same(*index, texts);
    }
}

TEST(TextSegments, TakeOverWhatIsTheSame) {
    const Texts texts = {{{0, 0}, "blue piano"}, {{3, 0}, "piano"}, {{3, 1}, "runs"}};
    const Segment segment = written(std::nullopt, texts);
    TextIndex index;
    index.set_fields(sample_fields());
    ASSERT_TRUE(index.open(segment).ok());
    EXPECT_TRUE(index.meet(Slot(0), FieldId(0), "blue piano"));
    EXPECT_FALSE(index.meet(Slot(3), FieldId(0), "pianos"));
    EXPECT_FALSE(index.meet(Slot(4), FieldId(0), "piano"));
    index.finish_open();
    EXPECT_EQ(index.stats().documents, 3u) << "the body of 3 is gone";
}

TEST(TextSegments, LongListsKeepTheirBlocks) {
    Texts texts;
    for (std::uint32_t slot = 0; slot < 1'000; ++slot)
        texts[{slot, 0}] = slot % 3 == 0 ? "common rare" : "common";
    const Segment first = written(std::nullopt, texts);
    const Segment second = written(first, texts);
    EXPECT_EQ(first.index, second.index);
    EXPECT_EQ(first.documents, second.documents);
    EXPECT_TRUE(Everything(*started(first, texts), "common rare", false) ==
                Everything(*started(std::nullopt, texts), "common rare", false));
}

TEST(TextSegments, OfAnotherAnalysisAreLeftAlone) {
    const Texts texts = {{{0, 0}, "running"}};
    const Segment segment = written(std::nullopt, texts);
    auto fields = sample_fields();
    fields[0].analysis.language = "none";
    TextIndex index;
    index.set_fields(fields);
    ASSERT_TRUE(index.open(segment).ok());
    EXPECT_FALSE(index.meet(Slot(0), FieldId(0), "running"));
    index.finish_open();
    EXPECT_EQ(index.stats().documents, 1u);
}

TEST(TextSegments, EveryFlippedByteIsFound) {
    Texts texts;
    for (std::uint32_t slot = 0; slot < 20; ++slot)
        texts[{slot, 0}] = kWords[slot % kWords.size()] + " " + kWords[slot * 7 % kWords.size()];
    const Segment segment = written(std::nullopt, texts);
    const std::string head = encode_segment_head(segment.head);
    ASSERT_EQ(head.size(), kSegmentHeadBytes);
    EXPECT_EQ(decode_segment_head(head).value(), segment.head);
    for (std::size_t at = 0; at < head.size(); ++at) {
        std::string damaged = head;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
        EXPECT_FALSE(decode_segment_head(damaged).ok()) << at;
    }
    for (std::string Segment::*const part : {&Segment::index, &Segment::documents}) {
        for (std::size_t at = 0; at < (segment.*part).size(); ++at) {
            Segment damaged = segment;
            (damaged.*part)[at] = static_cast<char>((damaged.*part)[at] ^ 0x20);
            TextIndex index;
            index.set_fields(sample_fields());
            EXPECT_FALSE(index.open(std::move(damaged)).ok()) << at;
            EXPECT_EQ(index.stats().documents, 0u);
        }
    }
}

/// Checksums that fit do not make it a segment: whatever a byte becomes, nothing breaks.
TEST(TextSegments, BelieveNothing) {
    Texts texts;
    for (std::uint32_t slot = 0; slot < 20; ++slot) texts[{slot, 0}] = kWords[slot % 7] + " blue";
    const Segment segment = written(std::nullopt, texts);
    for (std::string Segment::*const part : {&Segment::index, &Segment::documents}) {
        for (std::size_t at = 0; at < (segment.*part).size(); ++at) {
            for (const char to : {'\0', '\x7f', '\xff'}) {
                Segment other = segment;
                (other.*part)[at] = to;
                seal_segment(&other);
                TextIndex index;
                index.set_fields(sample_fields());
                (void)index.open(std::move(other));
                for (const auto& [slot, text] : texts)
                    if (slot.first % 2 == 0) index.meet(Slot(slot.first), FieldId(0), text);
                index.finish_open();
                (void)Everything(index, "jazz blue pia*", true);
            }
        }
    }
}

TEST(TextSegments, WriteTheirGoldenBytes) {
    FieldIndex field({"none", {}}, {});
    field.keep_documents(7);
    field.change(0, "", "blue piano blue");
    field.change(2, "", "piano");
    Encoder index, documents;
    ASSERT_TRUE(field.encode(&index, &documents).ok());
    SegmentHead head{.shard = ShardId(3), .kind = EntityKind::kCreator, .index = LogIndex(77)};
    head.seed = 7;
    std::ifstream file(TIDAL_TESTDATA_DIR "/text_segment_v1.txt");
    for (const std::string& bytes :
         {encode_segment_head(head), std::string(index.view()), std::string(documents.view())}) {
        std::string hex, want;
        file >> hex;
        for (const char c : bytes) {
            want += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
            want += "0123456789abcdef"[c & 15];
        }
        EXPECT_EQ(want, hex);
    }
}

}  // namespace segment_test
}  // namespace tidal::text
