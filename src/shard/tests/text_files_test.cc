// Searches over texts, a start of which comes from a file: against an index of the texts there are.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "shard/tests/state_fixture.h"
#include "text/search.h"

namespace tidal::shard {
namespace text_files_test {

constexpr FieldId kTitle{0};
const std::vector<std::string> kTitles = {
    "jazz piano", "blue jazz", "Running", "runs and pianos", "", "piano", "kind of blue"};
const std::vector<std::string> kQueries = {"jazz",          "piano",  "run*",
                                           "\"blue jazz\"", "pianoo", "kind -blue"};

struct All final : text::Collector {
    double least() const override { return -1; }
    void offer(double score, std::uint32_t slot) override { found[slot] = score; }
    std::map<std::uint32_t, double> found;
};

std::map<std::uint32_t, double> answers(const text::TextIndex& index, std::string_view query) {
    const auto root = text::parse_query(query, {"title"}).root;
    text::Statistics statistics;
    index.gather_fields(&statistics);
    for (const text::QueryNode* word : text::words_of(root)) {
        index.gather(*word, false, &statistics);
        index.gather(*word, true, &statistics);
    }
    All all;
    text::Search(index, root, statistics, true).run(all, nullptr, [](double) { return true; });
    return all.found;
}

class Texts : public OneShard {
public:
    Texts() : OneShard({.shard = kHere, .text_changes_min = 1}) {}

    void title(std::uint64_t item, const std::string& text) {
        record::UpsertBody body;
        body.id = EntityId(item);
        body.fields.push_back({kTitle, record::Value(text)});
        apply(std::move(body));
    }
    /// An index of the titles that reads give.
    std::unique_ptr<text::TextIndex> afresh() {
        auto index = std::make_unique<text::TextIndex>();
        index->set_fields(text_fields(*state().schema(), EntityKind::kItem));
        entity::EntityTable& items = state().entities(EntityKind::kItem);
        for (const EntityId& id : items.sorted_ids()) {
            const auto view = must(items.get(id));
            if (!view) continue;
            for (const auto& [field, value] : view->fields)
                if (field == kTitle)
                    index->change(view->slot, field, "", std::get<std::string>(value));
        }
        return index;
    }
    bool right() {
        const auto expected = afresh();
        text::TextIndex& index = state().texts(EntityKind::kItem);
        bool same = index.stats().documents == expected->stats().documents &&
                    index.stats().words == expected->stats().words;
        for (const std::string& query : kQueries)
            same = same && answers(index, query) == answers(*expected, query);
        return same;
    }
    std::string file() { return must(runtime::read_file(disk(), kFile)); }
    static constexpr std::string_view kFile = "store/s0001/items.texts";
};

RC_GTEST_PROP(TextFiles, GiveTheTextsThereAreAfterAnyHistory, ()) {
    Texts shard;
    for (int step = 0; step < 60; ++step) {
        const auto item = *rc::gen::inRange<std::uint64_t>(1, 12);
        switch (*rc::gen::inRange(0, 9)) {
            case 0:
                shard.erase(item);
                break;
            case 1:
                shard.checkpoint();
                break;
            case 2:
                shard.file_texts();
                break;
            case 3:
                shard.restart();
                RC_ASSERT(shard.right());
                break;
            default:
                shard.title(item, *rc::gen::elementOf(kTitles));
        }
    }
    shard.restart();
    RC_ASSERT(shard.right());
}

TEST(TextFiles, AreMadeWhenTextsHaveChanged) {
    Texts shard;
    for (std::uint64_t item = 1; item <= 20; ++item) shard.title(item, "jazz piano");
    shard.checkpoint();
    EXPECT_EQ(shard.file_texts(), 1u);
    EXPECT_EQ(shard.file_texts(), 0u);
    shard.restart();
    EXPECT_EQ(shard.file_texts(), 0u) << "the start had all from the file";
    shard.title(1, "blue jazz");
    EXPECT_EQ(shard.file_texts(), 0u) << "less than an eighth has changed";
    for (std::uint64_t item = 1; item <= 3; ++item) shard.title(item, "Running");
    shard.checkpoint();
    EXPECT_EQ(shard.file_texts(), 1u);
    EXPECT_TRUE(shard.right());
}

TEST(TextFiles, ThatAreDamagedOrGoneCostTimeAndNoAnswer) {
    Texts shard;
    for (std::uint64_t item = 1; item <= 20; ++item) shard.title(item, kTitles[item % 7]);
    shard.checkpoint();
    shard.file_texts();
    const std::string whole = shard.file();
    for (std::size_t at = 0; at < whole.size(); at += 13) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        must(runtime::write_file(shard.disk(), Texts::kFile, damaged));
        shard.restart();
        ASSERT_TRUE(shard.right()) << at;
        EXPECT_EQ(shard.file_texts(), 1u) << "it is made again";
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{63}, whole.size() - 1}) {
        must(runtime::write_file(shard.disk(), Texts::kFile, whole.substr(0, size)));
        shard.restart();
        ASSERT_TRUE(shard.right()) << size;
    }
    must(shard.disk().remove(Texts::kFile));
    must(shard.disk().sync_directory("store/s0001"));
    shard.restart();
    EXPECT_TRUE(shard.right());
}

}  // namespace text_files_test
}  // namespace tidal::shard
