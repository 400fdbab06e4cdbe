#include "query/internal/query_conditions.h"

#include <gtest/gtest.h>

namespace tidal::query {
namespace query_conditions_test {

/// "words | filter"
std::string taken(std::string_view text, EntityKind kind = EntityKind::kItem) {
    static const auto schema = schema::parse_schema(
        "items: {fields: {title: text, category: keyword, genres: keywords}}\n"
        "users: {fields: {name: text}}\n");
    const QueryConditions got = take_conditions(text, *schema, kind);
    return got.words + " | " + (got.filter ? print_filter(*got.filter) : "");
}

TEST(QueryConditions, AreTakenOutOfTheWords) {
    EXPECT_EQ(taken("jazz piano"), "jazz piano | ");
    EXPECT_EQ(taken("piano #jazz"), "piano | category = 'jazz' OR genres HAS 'jazz'");
    EXPECT_EQ(taken("#\"acid jazz\" \"so what\""),
              "\"so what\" | category = 'acid jazz' OR genres HAS 'acid jazz'");
    EXPECT_EQ(taken("creator:7 piano -creator:\"8\""),
              "piano | creator_id = '7' AND (creator_id IS NULL OR NOT creator_id = '8')");
    EXPECT_EQ(
        taken("-#jazz"),
        " | (category IS NULL OR NOT category = 'jazz') AND (genres IS NULL OR NOT genres HAS "
        "'jazz')");
    EXPECT_EQ(taken("#it's"), " | category = 'it''s' OR genres HAS 'it''s'");
}

TEST(QueryConditions, AreWordsWhereTheyCannotBeConditions) {
    EXPECT_EQ(taken("# piano"), "# piano | ");
    EXPECT_EQ(taken("creator:"), "creator: | ");
    EXPECT_EQ(taken("creator:miles"), "creator:miles | ");
    EXPECT_EQ(taken("#jazz OR piano"), "#jazz OR piano | ");
    EXPECT_EQ(taken("(#jazz piano)"), "(#jazz piano) | ");
    EXPECT_EQ(taken("\"#jazz"), "\"#jazz | ");
    EXPECT_EQ(taken("#jazz creator:7", EntityKind::kUser), "#jazz creator:7 | ");
    std::string many;
    for (int i = 0; i < 20; ++i) many += "#a ";
    EXPECT_EQ(taken(many).substr(0, 11), "#a #a #a #a");
}

}  // namespace query_conditions_test
}  // namespace tidal::query
