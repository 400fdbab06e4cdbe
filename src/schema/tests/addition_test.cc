// A later schema may add; whatever it removes or retypes is named with both sides.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "generate.h"
#include "schema/schema.h"

namespace tidal::schema {
namespace addition_test {

using ::testing::HasSubstr;

Schema parse(std::string_view yaml) {
    auto schema = parse_schema(yaml);
    EXPECT_TRUE(schema) << schema.error().to_string();
    return schema ? *schema : Schema{};
}

constexpr std::string_view kBase = R"(
items:
  fields: {title: text, year: int}
  embeddings: {default: {dimensions: 4}}
signals:
  view: {half_life: 1d, windows: [24h, all]}
)";

TEST(CheckAddition, NothingNewKeepsTheVersion) {
    const Schema base = parse(kBase);
    const auto same = check_addition(base, base);
    ASSERT_TRUE(same);
    EXPECT_EQ(*same, base);
}

TEST(CheckAddition, AppendsInTheIdsOfTheCurrentSchema) {
    const Schema base = parse(kBase);
    const Schema wanted = parse(R"(
items:
  fields: {new_one: keyword, year: int, title: text}
  embeddings: {picture: {dimensions: 8}, default: {dimensions: 4}}
users:
  fields: {language: keyword}
signals:
  like: {half_life: 7d, polarity: positive}
  view: {half_life: 1d, windows: [1h, 24h, all]}
)");
    const auto merged = check_addition(base, wanted);
    ASSERT_TRUE(merged) << merged.error().to_string();
    EXPECT_EQ(merged->version, SchemaVersion(2));
    const auto& fields = merged->kind(EntityKind::kItem).fields;
    ASSERT_EQ(fields.size(), 3u);
    EXPECT_EQ(fields[0].name, "title");
    EXPECT_EQ(fields[1].name, "year");
    EXPECT_EQ(fields[2].name, "new_one");
    EXPECT_EQ(fields[2].id, FieldId(2));
    EXPECT_EQ(merged->find_embedding(EntityKind::kItem, "picture")->id, EmbeddingSlotId(1));
    EXPECT_EQ(merged->find_signal("view")->id, SignalTypeId(0));
    EXPECT_EQ(merged->find_signal("view")->windows.size(), 3u);
    EXPECT_EQ(merged->find_signal("like")->id, SignalTypeId(1));
    EXPECT_EQ(merged->kind(EntityKind::kUser).fields.size(), 1u);
    EXPECT_TRUE(validate(*merged).ok());
}

TEST(CheckAddition, NamesEachDifferenceWithBothSides) {
    const auto merged = check_addition(parse(kBase), parse(R"(
items:
  fields: {year: float}
  embeddings: {default: {dimensions: 8}}
signals:
  view: {half_life: 2d, windows: [all], sets: [seen], unique: 24h}
)"));
    ASSERT_FALSE(merged);
    EXPECT_EQ(merged.error().code(), ErrorCode::kIncompatible);
    EXPECT_EQ(merged.error().reason(), "schema_not_an_addition");
    const std::string text = merged.error().to_string();
    for (const char* part :
         {"items.fields.title (declared -> missing)", "items.fields.year (int -> float)",
          "items.embeddings.default (4 dimensions -> 8 dimensions)",
          "signals.view (half-life 1d -> half-life 2d)",
          "signals.view (windows 24h all -> windows all)",
          "signals.view (sets nothing -> sets seen)", "signals.view (no unique -> unique 24h)"})
        EXPECT_THAT(text, HasSubstr(part));
}

TEST(CheckAddition, ADynamicKindKeepsFieldsItsFileDoesNotName) {
    const Schema current = parse("items: {dynamic: true, fields: {title: text, found: keyword}}");
    const auto kept =
        check_addition(current, parse("items: {dynamic: true, fields: {title: text}}"));
    ASSERT_TRUE(kept) << kept.error().to_string();
    EXPECT_EQ(*kept, current);
    EXPECT_FALSE(check_addition(current, parse("items: {fields: {title: text, found: keyword}}")));
    EXPECT_TRUE(check_addition(parse("items: {fields: {title: text}}"), current));
}

TEST(CheckAddition, TheSumMustKeepTheLimits) {
    const auto with = [](const std::string& prefix, std::size_t count) {
        std::string yaml = "items:\n  dynamic: true\n  fields:\n";
        for (std::size_t i = 0; i < count; ++i)
            yaml += "    " + prefix + std::to_string(i) + ": int\n";
        return parse(yaml);
    };
    const auto merged = check_addition(with("a", 200), with("b", 57));
    ASSERT_FALSE(merged);
    EXPECT_EQ(merged.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(merged.error().message(), HasSubstr("more than 256"));
}

RC_GTEST_PROP(CheckAddition, DroppingAnyDeclarationIsRefused, ()) {
    Schema current = generate_schema();
    current.kinds[0].dynamic = false;
    current.kinds[0].fields.push_back(
        {FieldId(static_cast<std::uint16_t>(current.kinds[0].fields.size())), "last"});
    current.signals.push_back(generate_signal(current.signals.size()));
    Schema wanted = current;
    if (*rc::gen::arbitrary<bool>())
        wanted.kinds[0].fields.pop_back();
    else
        wanted.signals.pop_back();
    RC_ASSERT(check_addition(current, wanted).error().code() == ErrorCode::kIncompatible);
    const auto back = check_addition(wanted, current);
    RC_ASSERT(back.ok());
    RC_ASSERT(fingerprint(*back) == fingerprint(current));
    RC_ASSERT(back->version == wanted.version.next());
}

}  // namespace addition_test
}  // namespace tidal::schema
