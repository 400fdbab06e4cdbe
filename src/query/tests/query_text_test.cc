#include "query/query_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "query/tests/random_query.h"
#include "ranking/source_text.h"
#include "ranking/tests/transcript.h"
#include "ranking/token_stream.h"

namespace tidal::query {
namespace query_text_test {

TEST(QueryText, Transcript) {
    ranking::run_transcript(TIDAL_TESTDATA_DIR "/query_text.txt", [](const std::string& input) {
        const auto query = parse_query(input);
        if (query.ok()) return print_query(*query);
        return std::string(query.error().reason()) + ": " + query.error().to_string();
    });
}

RC_GTEST_PROP(QueryText, PrintedTextParsesToTheSameQuery, ()) {
    for (int i = 0; i < 30; ++i) {
        const Query query = random_query();
        const std::string text = print_query(query);
        const auto parsed = parse_query(text);
        if (!parsed.ok()) RC_LOG() << text << ": " << parsed.error().to_string() << "\n";
        RC_ASSERT(parsed.ok());
        RC_ASSERT(*parsed == query);
    }
}

TEST(QueryText, APartKeepsItsPlace) {
    const std::string text = "RETRIEVE items\n  WHERE yaer = 3 LIMIT 5";
    const auto query = parse_query(text);
    ASSERT_TRUE(query.ok());
    EXPECT_EQ(part_in_place(text, query->filter_at), "              \n        yaer = 3 ");
    const auto place = ranking::locate(part_in_place(text, query->filter_at), 23);
    EXPECT_EQ(place.line, 2U);
    EXPECT_EQ(place.column, 9U);
}

TEST(QueryText, LimitsHold) {
    EXPECT_EQ(parse_query(std::string(ranking::kTextBytesMax + 1, ' ')).error().code(),
              ErrorCode::kTooLarge);
    std::string facets = "RETRIEVE items FACETS f0";
    for (std::size_t i = 1; i < kFacetsMax; ++i) facets += ", f" + std::to_string(i);
    EXPECT_TRUE(parse_query(facets).ok());
    EXPECT_EQ(parse_query(facets + ", g").error().code(), ErrorCode::kTooLarge);
}

}  // namespace query_text_test
}  // namespace tidal::query
