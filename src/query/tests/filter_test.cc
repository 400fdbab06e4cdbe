#include "query/filter.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <sstream>

#include "query/bound_filter.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/transcript.h"
#include "ranking/token_stream.h"

namespace tidal::query {
namespace {

std::string report(const Error& error) {
    return std::string(error.reason()) + ": " + error.to_string();
}

/// A kind and a filter; answers its canonical text or what is wrong with it.
std::string answer_filter(const std::string& input) {
    static const auto schema = ranking::sample_schema();
    const auto line_end = input.find('\n');
    const std::string command = input.substr(0, line_end);
    const std::string text = line_end == std::string::npos ? "" : input.substr(line_end + 1);
    const auto filter = parse_filter(text);
    if (!filter) return report(filter.error());
    if (command == "parse") return print_filter(*filter);
    const EntityKind kind = command == "user" ? EntityKind::kUser : EntityKind::kItem;
    const auto bound = bind_filter(*filter, text, *schema, kind);
    return bound.ok() ? print_filter(*filter) : report(bound.error());
}

TEST(Filter, Transcripts) {
    for (const char* file : {"filter_syntax.txt", "filter_types.txt"})
        ranking::run_transcript(std::string(TIDAL_TESTDATA_DIR "/") + file, answer_filter);
}

TEST(Filter, TheReferencePageParses) {
    std::ifstream file(TIDAL_SOURCE_DIR "/docs/reference/filters.md");
    std::stringstream page;
    page << file.rdbuf();
    const std::string text = page.str(), open = "```filter\n";
    const auto begin = text.find(open);
    ASSERT_NE(begin, std::string::npos);
    const auto block =
        text.substr(begin + open.size(), text.find("\n```", begin) - begin - open.size());
    const auto filter = parse_filter(block);
    ASSERT_TRUE(filter.ok()) << filter.error().to_string();
    const auto schema = ranking::sample_schema();
    EXPECT_TRUE(bind_filter(*filter, block, *schema, EntityKind::kItem).ok());
}

TEST(Filter, LimitsHold) {
    const auto code = [](const std::string& text) {
        const auto parsed = parse_filter(text);
        return parsed.ok() ? "ok" : std::string(parsed.error().reason());
    };
    const auto nested = [](int depth) {
        return std::string(depth, '(') + "a=1" + std::string(depth, ')');
    };
    EXPECT_EQ(code(nested(60)), "ok");
    EXPECT_EQ(code(nested(5000)), "filter_too_deep");
    std::string nots, chain = "a=1", list = "a IN (1";
    for (int i = 0; i < 2000; ++i) nots += "NOT ";
    EXPECT_EQ(code(nots + "a=1"), "filter_too_deep");
    for (int i = 0; i < 510; ++i) chain += " OR a=1";
    EXPECT_EQ(code(chain), "ok");
    EXPECT_EQ(code(chain + " OR a=1 OR a=1"), "filter_too_large");
    for (int i = 0; i < 2000; ++i) list += ",1";
    EXPECT_EQ(code(list + ")"), "filter_too_large");
    EXPECT_EQ(code("a=1" + std::string(ranking::kTextBytesMax, ' ')), "filter_too_large");
}

RC_GTEST_PROP(Filter, PrintedTextParsesToTheSameTree, ()) {
    for (int i = 0; i < 50; ++i) {
        const FilterNode filter = RandomFilter::make(static_cast<int>(die(4)));
        const auto parsed = parse_filter(print_filter(filter));
        if (!parsed.ok()) RC_LOG() << print_filter(filter) << "\n";
        RC_ASSERT(parsed.ok());
        RC_ASSERT(*parsed == filter);
    }
}

RC_GTEST_PROP(Filter, MatchesWhatTheReferenceMatches, ()) {
    static const auto schema = ranking::sample_schema();
    ranking::SampleShard shard(schema, 0);
    std::vector<ranking::SampleItem> items;
    for (std::uint64_t id = 0; id < 12; ++id) {
        items.push_back(random_item(id));
        shard.put(items.back());
    }
    shard.put(random_item(99));
    shard.erase(EntityId(99));
    for (int i = 0; i < 100; ++i) {
        const FilterNode filter = RandomFilter::make(static_cast<int>(die(4)));
        const auto bound = bind_filter(filter, "", *schema, EntityKind::kItem);
        if (!bound.ok()) RC_LOG() << print_filter(filter) << ": " << report(bound.error());
        RC_ASSERT(bound.ok());
        const Roaring matched =
            evaluate(*bound, shard.entities(), shard.entities().live(), kFilterNow);
        std::uint64_t count = 0;
        for (const auto& item : items) {
            const bool want = ReferenceFilter(item)(filter).value_or(false);
            const bool got = matched.contains(shard.entities().find(item.id)->value());
            if (want != got)
                RC_LOG() << print_filter(filter) << " on item " << item.id.to_string() << "\n";
            RC_ASSERT(want == got);
            count += want ? 1 : 0;
        }
        RC_ASSERT(matched.cardinality() == count);
    }
}

}  // namespace
}  // namespace tidal::query
