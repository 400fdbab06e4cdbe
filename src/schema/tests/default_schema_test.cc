// The built-in schema: the file, word for word, and fit for the demo and the runbook calls.

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "schema/schema.h"

namespace tidal::schema {
namespace default_schema_test {

TEST(DefaultSchema, IsTheFile) {
    std::ifstream file(TIDAL_SOURCE_DIR "/config/default-schema.yaml");
    ASSERT_TRUE(file.is_open());
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_EQ(default_schema_yaml(), text.str());
}

TEST(DefaultSchema, HasWhatTheRunbookAndTheDemoUse) {
    const auto schema = parse_schema(default_schema_yaml());
    ASSERT_TRUE(schema) << schema.error().to_string();
    const auto type_of = [&](std::string_view name) {
        const FieldSpec* field = schema->find_field(EntityKind::kItem, name);
        return field == nullptr ? std::string_view("missing") : field_type_name(field->type);
    };
    EXPECT_EQ(type_of("title"), "text");
    EXPECT_EQ(type_of("category"), "keyword");
    EXPECT_EQ(type_of("genres"), "keywords");
    EXPECT_EQ(type_of("year"), "int");
    EXPECT_EQ(type_of("price"), "missing");

    const EmbeddingSpec* slot = schema->find_embedding(EntityKind::kItem, "default");
    ASSERT_NE(slot, nullptr);
    EXPECT_EQ(slot->dimensions, 4u);
    EXPECT_EQ(slot->metric, Metric::kCosine);
    EXPECT_EQ(slot->storage, VectorStorage::kF32);
}

TEST(DefaultSchema, HasTheSignalsOfTheSemantics) {
    const auto schema = parse_schema(default_schema_yaml());
    ASSERT_TRUE(schema);
    const std::pair<const char*, Polarity> expected[] = {
        {"view", Polarity::kNeutral},     {"like", Polarity::kPositive},
        {"share", Polarity::kPositive},   {"comment", Polarity::kPositive},
        {"save", Polarity::kPositive},    {"complete", Polarity::kPositive},
        {"dislike", Polarity::kNegative}, {"skip", Polarity::kNegative},
        {"hide", Polarity::kNegative}};
    EXPECT_EQ(schema->signals.size(), std::size(expected));
    for (const auto& [name, polarity] : expected) {
        const SignalSpec* signal = schema->find_signal(name);
        ASSERT_NE(signal, nullptr) << name;
        EXPECT_EQ(signal->polarity, polarity) << name;
        EXPECT_EQ(signal->windows.size(), kWindowCount) << name;
    }
    const SignalSpec& view = *schema->find_signal("view");
    EXPECT_EQ(view.unique, UniqueSpec{Window::k24h});
    EXPECT_EQ(view.sets_state, std::vector<std::string>{"seen"});
    EXPECT_EQ(schema->find_signal("like")->sets_state, std::vector<std::string>{"liked"});
    // Each is told apart from the others by a state of its own.
    std::set<std::string> states;
    for (const SignalSpec& signal : schema->signals) {
        EXPECT_EQ(signal.sets_state.size(), 1u) << signal.name;
        for (const std::string& state : signal.sets_state)
            EXPECT_TRUE(states.insert(state).second) << state;
    }
}

TEST(WithImpression, AddsWhatIsNotDeclared) {
    const auto schema = parse_schema("signals: {view: {half_life: 1d}}");
    ASSERT_TRUE(schema);
    const Schema added = with_impression(*schema);
    EXPECT_TRUE(validate(added).ok());
    ASSERT_EQ(added.signals.size(), 2u);
    EXPECT_EQ(added.signals[1].name, kImpression);
    EXPECT_EQ(added.signals[1].polarity, Polarity::kNeutral);
    EXPECT_EQ(with_impression(added), added);
    // A directory of a version without it gains it; a file that does not name it keeps it.
    const auto raised = check_addition(*schema, with_impression(*schema, &*schema));
    ASSERT_TRUE(raised) << raised.error().to_string();
    EXPECT_EQ(raised->version, schema->version.next());
    EXPECT_EQ(check_addition(*raised, with_impression(*schema, &*raised)).value(), *raised);
}

TEST(WithImpression, KeepsOnesOwn) {
    const auto own = parse_schema("signals: {impression: {half_life: 30d}, view: {half_life: 1d}}");
    const auto file = parse_schema("signals: {view: {half_life: 1d}, like: {half_life: 1d}}");
    ASSERT_TRUE(own && file);
    EXPECT_EQ(with_impression(*own), *own);
    const auto added = check_addition(*own, with_impression(*file, &*own));
    ASSERT_TRUE(added) << added.error().to_string();
    ASSERT_EQ(added->signals.size(), 3u);
    EXPECT_EQ(added->signals[0].half_life_ms, 30LL * 24 * 3600 * 1000);
    EXPECT_EQ(added->signals[2].name, "like");
}

TEST(WithImpression, LeavesAFullSchemaAlone) {
    Schema full;
    for (std::size_t i = 0; i < kSignalsMax; ++i) {
        SignalSpec& signal = full.signals.emplace_back();
        signal.id = SignalTypeId(static_cast<std::uint16_t>(i));
        signal.name = "s" + std::to_string(i);
        signal.half_life_ms = 1000;
        signal.windows = {Window::kAll};
    }
    EXPECT_EQ(with_impression(full), full);
    Schema fewer = full;
    fewer.signals.resize(3);
    EXPECT_EQ(with_impression(fewer, &full), fewer);
}

}  // namespace default_schema_test
}  // namespace tidal::schema
