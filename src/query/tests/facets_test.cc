#include "query/facets.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "query/feed.h"
#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"

namespace tidal::query {
namespace facets_test {

class Facets : public testing::Test {
protected:
    void put(std::uint64_t id, std::map<std::string, record::Value> fields) {
        shard_.put({.id = EntityId(id),
                    .creator = {},
                    .created_at = kFilterNow - 1,
                    .publish_at = {},
                    .expires_at = {},
                    .fields = std::move(fields)});
    }
    Result<std::vector<BoundFacet>> bind(const std::string& facets, const std::string& filter) {
        TIDAL_ASSIGN(const auto requests, parse_facets(facets));
        if (filter.empty()) return bind_facets(requests, facets, nullptr, *schema_, kKind);
        const FilterNode node = *parse_filter(filter);
        return bind_facets(requests, facets, &node, *schema_, kKind);
    }
    /// "name: value count, ...; missing n" per facet.
    std::string count(const std::string& facets, const std::string& filter) {
        const auto bound = bind(facets, filter);
        if (!bound.ok()) return bound.error().to_string();
        const Roaring& live = shard_.entities().live();
        Roaring matched = live;
        if (!filter.empty())
            matched = evaluate(*bind_filter(*parse_filter(filter), filter, *schema_, kKind),
                               shard_.entities(), live, kFilterNow);
        const auto counts = count_facets(*bound, shard_.entities(), live, matched, kFilterNow);
        const std::vector<std::vector<FacetCounts>> shards{counts, counts};
        std::string out;
        for (const Facet& facet : merge_facets(*bound, shards)) {
            out += facet.name + ":";
            for (const auto& [value, n] : facet.values) out += " " + value + "=" + show(n);
            for (const auto& [from, to, n] : facet.ranges)
                out += " " + from + ".." + to + "=" + show(n);
            out +=
                " others=" + std::to_string(facet.others) + " missing=" + show(facet.missing) + ";";
        }
        return out;
    }
    /// The counts are those of two equal shards.
    static std::string show(std::uint64_t twice) {
        EXPECT_EQ(twice % 2, 0U);
        return std::to_string(twice / 2);
    }

    static constexpr EntityKind kKind = EntityKind::kItem;
    std::shared_ptr<const schema::Schema> schema_ = ranking::sample_schema();
    ranking::SampleShard shard_{schema_, 0};
};

TEST_F(Facets, CountValuesAndRanges) {
    const auto strings = [](auto... s) { return std::vector<std::string>{s...}; };
    put(1, {{"category", std::string("jazz")}, {"year", std::int64_t{1979}}});
    put(2, {{"category", std::string("jazz")}, {"year", std::int64_t{1980}}});
    put(3, {{"category", std::string("rock")}, {"year", std::int64_t{1990}}});
    put(4, {{"genres", strings("a", "b")}, {"featured", true}});
    EXPECT_EQ(count("category, genres, featured", ""),
              "category: jazz=2 rock=1 others=0 missing=1;"
              "genres: a=1 b=1 others=0 missing=3;"
              "featured: true=1 others=0 missing=3;");
    EXPECT_EQ(count("year ranges (1980, 1990)", ""),
              "year: ..1980=1 1980..1990=1 1990..=1 others=0 missing=1;");
    EXPECT_EQ(count("category top 1", ""), "category: jazz=2 others=1 missing=1;");
}

TEST_F(Facets, LeaveOutTheirOwnConditionAndKeepTheOthers) {
    put(1, {{"category", std::string("jazz")}, {"year", std::int64_t{1}}});
    put(2, {{"category", std::string("rock")}, {"year", std::int64_t{1}}});
    put(3, {{"category", std::string("rock")}, {"year", std::int64_t{2}}});
    EXPECT_EQ(count("category, year ranges (2)", "category = 'jazz' AND year = 1"),
              "category: jazz=1 rock=1 others=0 missing=0;"
              "year: ..2=1 2..=0 others=0 missing=0;");
    EXPECT_EQ(count("category", "category = 'jazz' OR NOT category = 'jazz'"),
              "category: rock=2 jazz=1 others=0 missing=0;");
    EXPECT_EQ(count("category", "category = 'jazz' OR year = 2"),
              "category: jazz=1 rock=1 others=0 missing=0;")
        << "a part of an OR is no condition of its own";
}

TEST_F(Facets, SayWhatIsWrongAndWhere) {
    EXPECT_EQ(count("title", ""),
              "`title` (text) cannot be counted (field facets), line=1, column=1, offset=0; "
              "keyword, keywords and bool by value; numbers and times in RANGES");
    EXPECT_EQ(count("category, yaer", ""),
              "unknown field `yaer` (field facets), line=1, column=11, offset=10; did you mean "
              "`year`?");
    EXPECT_NE(count("year", "").find("year RANGES (10, 20, 30)"), std::string::npos);
    EXPECT_NE(count("category ranges (1)", "").find("by value, not in ranges"), std::string::npos);
    EXPECT_NE(count("year ranges (2, 2)", "").find("the edges do not rise"), std::string::npos);
    EXPECT_NE(count("year ranges ('x')", "").find("no edge for int"), std::string::npos);
    EXPECT_NE(count("year ranges (1", "").find("expected `,` or `)`"), std::string::npos);
    EXPECT_NE(count("category top 0", "").find("`0` is not a whole number from 1 to 1000"),
              std::string::npos);
}

/// What a facet promises, written a second time: the matches of the filter without the facet's own
/// condition, counted one by one.
RC_GTEST_PROP(FacetsProperty, EqualACountOneByOne, ()) {
    static const auto schema = ranking::sample_schema();
    ranking::SampleShard shard(schema, 0);
    std::vector<ranking::SampleItem> items;
    for (std::uint64_t id = 0; id < 15; ++id) {
        items.push_back(random_item(id));
        shard.put(items.back());
    }
    for (int round = 0; round < 20; ++round) {
        const FilterNode other = RandomFilter::make(2);
        FilterNode own;
        own.field = "category";
        own.values.push_back({.kind = Literal::Kind::kString, .text = random_word()});
        FilterNode both;
        both.kind = FilterNode::Kind::kAnd;
        both.children = {own, other};
        const auto facets =
            bind_facets(*parse_facets("category top 1000"), "", &both, *schema, EntityKind::kItem);
        RC_ASSERT(facets.ok());
        const Roaring& live = shard.entities().live();
        const Roaring matched = evaluate(*bind_filter(both, "", *schema, EntityKind::kItem),
                                         shard.entities(), live, kFilterNow);
        const auto counts = count_facets(*facets, shard.entities(), live, matched, kFilterNow);
        std::map<std::string, std::uint64_t> expected;
        const bool all_own = facets->front().own_filter && !facets->front().filter;
        for (const auto& item : items) {
            if (!all_own && !ReferenceFilter(item)(other).value_or(false)) continue;
            const auto found = item.fields.find("category");
            if (found != item.fields.end()) ++expected[std::get<std::string>(found->second)];
        }
        RC_ASSERT(counts[0].values == expected);
    }
}

}  // namespace facets_test
}  // namespace tidal::query
