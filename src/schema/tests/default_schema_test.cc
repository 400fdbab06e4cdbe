// The built-in schema: the file, word for word, and fit for the demo and the runbook calls.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "schema/schema.h"

namespace tidal::schema {
namespace {

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
}

}  // namespace
}  // namespace tidal::schema
