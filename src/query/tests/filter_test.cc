#include "query/filter.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <sstream>

#include "query/bound_filter.h"
#include "query/match_one.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/transcript.h"
#include "ranking/token_stream.h"

namespace tidal::query {
namespace filter_test {

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
    const Viewer viewer{.id = EntityId(7), .followed = {}, .blocked = {}, .muted = {}};
    FilterInputs inputs;
    if (command.ends_with(" with user")) inputs.user = &viewer;
    inputs.anchor = command.ends_with(" with anchor");
    const EntityKind kind = command == "user" ? EntityKind::kUser : EntityKind::kItem;
    const auto bound = bind_filter(*filter, text, *schema, kind, inputs);
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
        const FilterNode filter = i % 25 == 0 ? RandomFilter::chain(static_cast<int>(die(30)))
                                              : RandomFilter::make(static_cast<int>(die(4)));
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
        // Deep ones are chains: a tree as deep and bushy would not fit the limits.
        const FilterNode filter = i % 25 == 0 ? RandomFilter::chain(static_cast<int>(die(63)))
                                              : RandomFilter::make(static_cast<int>(die(4)));
        const auto bound = bind_filter(filter, "", *schema, EntityKind::kItem);
        if (!bound.ok()) RC_LOG() << print_filter(filter) << ": " << report(bound.error());
        RC_ASSERT(bound.ok());
        std::vector<NodeTrace> trace;
        const Roaring matched =
            evaluate(*bound, shard.entities(), shard.entities().live(), kFilterNow, &trace);
        RC_ASSERT(trace.size() == describe_nodes(*bound).size());
        RC_ASSERT(trace[0].examined == items.size());
        RC_ASSERT(trace[0].matched == matched.cardinality());
        std::uint64_t count = 0;
        for (const auto& item : items) {
            const bool want = ReferenceFilter(item)(filter).value_or(false);
            const Slot slot = *shard.entities().find(item.id);
            const bool got = matched.contains(slot.value());
            if (is_of_fields_alone(*bound))
                RC_ASSERT(query::matches(*bound, shard.entities(), slot) == want);
            if (want != got)
                RC_LOG() << print_filter(filter) << " on item " << item.id.to_string() << "\n";
            RC_ASSERT(want == got);
            count += want ? 1 : 0;
        }
        RC_ASSERT(matched.cardinality() == count);
    }
}

/// Enough slots for sorted columns, few enough different values for every kind of range.
class ManyItems : public testing::Test {
protected:
    static constexpr std::uint64_t kItems = 20'000;

    void SetUp() override {
        for (std::uint64_t id = 0; id < kItems; ++id) put(id, id % 997);
    }
    void put(std::uint64_t id, std::uint64_t year) {
        ranking::SampleItem item{.id = EntityId(id)};
        item.created_at = kFilterNow - static_cast<std::int64_t>(id) * 60'000;
        item.fields.emplace("year", static_cast<std::int64_t>(year));
        item.fields.emplace("category", std::string(id % 2 == 0 ? "even" : "odd"));
        shard_.put(item);
        years_[id] = year;
    }
    template <typename Wanted>
    std::uint64_t count(Wanted wanted) const {
        std::uint64_t out = 0;
        for (const auto& [id, year] : years_) out += wanted(id, year) ? 1 : 0;
        return out;
    }
    std::uint64_t matches(const std::string& text) {
        const auto bound =
            bind_filter(*parse_filter(text), text, *schema_, EntityKind::kItem).value();
        texts_ = describe_nodes(bound);
        return evaluate(bound, shard_.entities(), shard_.entities().live(), kFilterNow, &trace_)
            .cardinality();
    }

    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema();
    ranking::SampleShard shard_{schema_, 0};
    std::map<std::uint64_t, std::uint64_t> years_;
    std::vector<FilterExplanation> texts_;
    std::vector<NodeTrace> trace_;
};

TEST_F(ManyItems, SortedColumnsAnswerAsScansAndFollowWrites) {
    const auto in_range = [](std::uint64_t, std::uint64_t year) { return year >= 5 && year < 9; };
    for (int round = 0; round < 5; ++round) {  // The first rounds sort, the later ones use it.
        EXPECT_EQ(matches("year BETWEEN 5 AND 8"), count(in_range));
        EXPECT_EQ(matches("created_within 10m"), 11);
        EXPECT_EQ(matches("NOT year BETWEEN 5 AND 8"), kItems - count(in_range));
        put(static_cast<std::uint64_t>(round) * 3'000, 6);
    }
    EXPECT_EQ(trace_[0].examined, kItems);
    shard_.erase(EntityId(5));
    years_.erase(5);
    EXPECT_EQ(matches("year BETWEEN 5 AND 8"), count(in_range));
    EXPECT_NEAR(trace_[0].estimated, static_cast<double>(count(in_range)), 7)
        << "six slots are written since their chunks were sorted";
}

TEST_F(ManyItems, TheMostSelectivePartOfAnAndGoesFirst) {
    for (int i = 0; i < 4; ++i) matches("year = 3");
    EXPECT_EQ(matches("category = 'even' AND year = 3"), 10);
    ASSERT_EQ(texts_.size(), 3);
    EXPECT_EQ(texts_[1].text, "category = 'even'");
    EXPECT_EQ(texts_[2].text, "year = 3");
    EXPECT_EQ(texts_[2].depth, 1);
    EXPECT_EQ(trace_[2].examined, kItems) << "the range is asked about everything";
    EXPECT_EQ(trace_[1].examined, trace_[2].matched) << "and the keyword about what it left";
    EXPECT_NEAR(trace_[2].estimated, 21, 1e-6);
    EXPECT_EQ(trace_[2].matched, 21);
}

}  // namespace filter_test
}  // namespace tidal::query
