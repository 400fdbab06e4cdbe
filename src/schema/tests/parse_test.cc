// What the YAML reader accepts, and how it answers what it does not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schema/schema.h"
#include "schema/yaml.h"

namespace tidal::schema {
namespace parse_test {

using ::testing::HasSubstr;

std::string context(const Error& error, std::string_view key) {
    for (const auto& [k, v] : error.context())
        if (k == key) return v;
    return "";
}

TEST(ParseSchema, ReadsEveryKey) {
    const auto schema = parse_schema(R"(
items:
  ids: string
  dynamic: true
  fields:
    title: {type: text, language: german}
    price: {type: float, default: 1.5}
    place: geo
  embeddings:
    picture: {dimensions: 768, metric: l2, storage: int8}
signals:
  view: {half_life: 90m, windows: [all, 1h], unique: 7d, sets: [seen, heard]}
  score: {decay: permanent, polarity: negative, target: item}
  heat: {decay: linear, lifetime: 2w}
)");
    ASSERT_TRUE(schema) << schema.error().to_string();
    const KindSchema& items = schema->kind(EntityKind::kItem);
    EXPECT_TRUE(items.string_ids);
    EXPECT_TRUE(items.dynamic);
    EXPECT_EQ(items.fields[0].language, "german");
    EXPECT_EQ(items.fields[1].default_value, 1.5);
    EXPECT_EQ(items.fields[2].type, FieldType::kGeo);
    EXPECT_EQ(items.fields[2].id, FieldId(2));
    EXPECT_EQ(items.embeddings[0], (EmbeddingSpec{EmbeddingSlotId(0), "picture", 768, Metric::kL2,
                                                  VectorStorage::kInt8}));
    const SignalSpec& view = schema->signals[0];
    EXPECT_EQ(view.half_life_ms, 90 * 60'000);
    EXPECT_EQ(view.windows, (std::vector<Window>{Window::k1h, Window::kAll}));
    EXPECT_EQ(view.unique, UniqueSpec{Window::k7d});
    EXPECT_EQ(view.sets_state, (std::vector<std::string>{"heard", "seen"}));
    EXPECT_EQ(schema->signals[1].decay, DecayKind::kPermanent);
    EXPECT_EQ(schema->signals[1].windows.size(), kWindowCount);
    EXPECT_EQ(schema->signals[2].half_life_ms, 14 * 86'400'000LL);
}

TEST(ParseSchema, AcceptsJsonAndNothing) {
    const auto json = parse_schema(R"({"items": {"fields": {"year": "int"}}})");
    ASSERT_TRUE(json) << json.error().to_string();
    EXPECT_EQ(json->kind(EntityKind::kItem).fields[0].type, FieldType::kInt);
    ASSERT_TRUE(parse_schema(""));
    ASSERT_TRUE(parse_schema("items:\nsignals: {}\n"));
}

TEST(ParseSchema, ClosedQuotesAreRead) {
    const auto node = parse_yaml(
        "\xEF\xBB\xBF"
        R"({'it''s': "a\"b", c: '', "d": ''''})");
    ASSERT_TRUE(node) << node.error().to_string();
    ASSERT_EQ(node->entries.size(), 3U);
    EXPECT_EQ(node->entries[0].key, "it's");
    EXPECT_EQ(node->entries[0].value.scalar, "a\"b");
    EXPECT_EQ(node->entries[2].value.scalar, "'");
}

struct Refusal {
    const char* name;
    const char* yaml;
    const char* field;
    const char* place;  ///< "line:column" of the error.
    const char* says;
};

class Refused : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refused, SaysWhatAndWhere) {
    const Refusal& c = GetParam();
    const auto schema = parse_schema(c.yaml);
    ASSERT_FALSE(schema);
    const Error& error = schema.error();
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.field(), c.field);
    EXPECT_EQ(context(error, "line") + ":" + context(error, "column"), c.place);
    EXPECT_THAT(error.to_string(), HasSubstr(c.says));
}

INSTANTIATE_TEST_SUITE_P(
    ParseSchema, Refused,
    ::testing::Values(
        Refusal{"UnknownTopKey", "item:\n  fields: {}", "item", "1:1", "items"},
        Refusal{"UnknownKey", "items:\n  feilds: {}", "items.feilds", "2:3", "fields"},
        Refusal{"UnknownType", "items:\n  fields:\n    a: keywrod", "items.fields.a", "3:8",
                "keyword"},
        Refusal{"NoType", "items: {fields: {a: {default: 1}}}", "items.fields.a", "1:18",
                "needs a type"},
        Refusal{"BadName", "items: {fields: {Title: text}}", "items.fields.Title", "1:18",
                "no name"},
        Refusal{"Reserved", "items:\n  fields:\n    created_at: int", "items.fields.created_at",
                "3:5", "reserved"},
        Refusal{"TwiceAField", "items:\n  fields:\n    a: int\n    a: int", "", "4:5",
                "given twice"},
        Refusal{"OpenDoubleQuote", "items:\n  fields:\n    a: \"int\\\"\n", "", "3:8",
                "not closed"},
        Refusal{"OpenSingleQuote", "items:\n  fields:\n    a: 'int''\n", "", "3:8", "not closed"},
        Refusal{"OpenKey", "items:\n  fields: {'a: int}\n", "", "2:12", "not closed"},
        Refusal{"DefaultOfText", "items: {fields: {a: {type: text, default: 1}}}", "items.fields.a",
                "1:18", "default"},
        Refusal{"DefaultNotWhole", "items: {fields: {a: {type: int, default: 1.5}}}",
                "items.fields.a", "1:18", "whole"},
        Refusal{"DefaultNotFinite", "items: {fields: {a: {type: float, default: inf}}}",
                "items.fields.a", "1:18", "finite"},
        Refusal{"DefaultQuoted", "items: {fields: {a: {type: int, default: \"1\"}}}",
                "items.fields.a.default", "1:42", "number"},
        Refusal{"Language", "items: {fields: {a: {type: text, language: germen}}}",
                "items.fields.a", "1:18", "german"},
        Refusal{"LanguageOfInt", "items: {fields: {a: {type: int, language: german}}}",
                "items.fields.a", "1:18", "only text"},
        Refusal{"BoostOfInt", "items: {fields: {a: {type: int, boost: 2}}}", "items.fields.a",
                "1:18", "only text"},
        Refusal{"NoBoost", "items: {fields: {a: {type: text, boost: 0}}}", "items.fields.a", "1:18",
                "boost"},
        Refusal{"LengthWeight", "items: {fields: {a: {type: text, b: 1.5}}}", "items.fields.a",
                "1:18", "0 to 1"},
        Refusal{"StopWord", "items: {fields: {a: {type: text, stop_words: ['']}}}",
                "items.fields.a", "1:18", "stop word"},
        Refusal{"NoDimensions", "items: {embeddings: {v: {metric: dot}}}", "items.embeddings.v",
                "1:22", "1 to 4096"},
        Refusal{"TooManyDimensions", "items: {embeddings: {v: {dimensions: 4294967297}}}",
                "items.embeddings.v", "1:22", "1 to 4096"},
        Refusal{"SlotLikeAField", "items: {fields: {v: text}, embeddings: {v: {dimensions: 4}}}",
                "items", "1:1", "same name"},
        Refusal{"Ids", "items: {ids: u32}", "items.ids", "1:14", "u64"},
        Refusal{"Dynamic", "items: {dynamic: yes}", "items.dynamic", "1:18", "true or false"},
        Refusal{"NoHalfLife", "signals: {view: {}}", "signals.view", "1:11", "half_life"},
        Refusal{"ZeroHalfLife", "signals: {view: {half_life: 0s}}", "signals.view", "1:11",
                "above 0"},
        Refusal{"HalfLifeNoUnit", "signals: {view: {half_life: 7}}", "signals.view.half_life",
                "1:29", "no unit"},
        Refusal{"HalfLifeOfPermanent", "signals: {v: {decay: permanent, half_life: 7d}}",
                "signals.v", "1:33", "no half_life"},
        Refusal{"LifetimeMissing", "signals: {v: {decay: linear}}", "signals.v", "1:11",
                "lifetime"},
        Refusal{"Window", "signals: {v: {half_life: 7d, windows: [1h, 48h]}}", "signals.v.windows",
                "1:44", "48h"},
        Refusal{"WindowTwice", "signals: {v: {half_life: 7d, windows: [1h, 1h]}}",
                "signals.v.windows", "1:44", "twice"},
        Refusal{"NoWindows", "signals: {v: {half_life: 7d, windows: []}}", "signals.v", "1:11",
                "at least one"},
        Refusal{"UniqueAll", "signals: {v: {half_life: 7d, unique: all}}", "signals.v", "1:11",
                "not in all"},
        Refusal{"Columnar", "signals: {v: {half_life: 7d, columnar: [7d]}}", "signals.v.columnar",
                "1:30", "unknown"},
        Refusal{"StateName", "signals: {v: {half_life: 7d, sets: [Seen]}}", "signals.v.sets",
                "1:37", "no name"},
        Refusal{"Impression", "signals: {impression: {half_life: 7d, polarity: positive}}",
                "signals.impression", "1:11", "neutral"},
        Refusal{"Target", "signals: {v: {half_life: 7d, target: user}}", "signals.v", "1:11",
                "about items"},
        Refusal{"NotAMap", "- 1", "", "1:1", "map"},
        Refusal{"Open", "items: {\n", "", "2:1", "not found"},
        Refusal{"Alias", "items: &a {}\nusers: *a", "", "1:8", "anchor"},
        Refusal{"Tag", "items: !!map {}", "", "1:8", "tags"},
        Refusal{"SecondDocument", "items: {}\n---\nusers: {}", "", "3:1", "second document"},
        Refusal{"KeyIsAList", "[a]: 1", "", "1:1", "plain name"}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(ParseSchema, BoundsTextDepthAndCounts) {
    EXPECT_EQ(parse_schema(std::string(kSchemaTextBytesMax + 1, ' ')).error().code(),
              ErrorCode::kTooLarge);
    for (const std::string open : {"[", "{a: ", "- ", "? "}) {
        std::string deep;
        for (int i = 0; i < 20'000; ++i) deep += open;
        EXPECT_FALSE(parse_schema(deep));
    }
    std::string fields = "items:\n  fields:\n";
    for (std::size_t i = 0; i < kFieldsMax; ++i) fields += "    f" + std::to_string(i) + ": int\n";
    EXPECT_TRUE(parse_schema(fields));
    EXPECT_THAT(parse_schema(fields + "    more: int\n").error().message(),
                HasSubstr("more than 256"));
    std::string signals = "signals:\n";
    for (std::size_t i = 0; i < kSignalsMax; ++i)
        signals += "  s" + std::to_string(i) + ": {decay: permanent}\n";
    EXPECT_TRUE(parse_schema(signals));
    EXPECT_THAT(parse_schema(signals + "  more: {decay: permanent}\n").error().message(),
                HasSubstr("more than 64"));
}

}  // namespace parse_test
}  // namespace tidal::schema
