// Text and bytes round trips, the fingerprint, and damaged bytes.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>

#include "generate.h"
#include "schema/schema.h"

namespace tidal::schema {
namespace encoding_test {

RC_GTEST_PROP(SchemaRoundTrip, YamlAndBytesGiveTheSameSchema, ()) {
    const Schema schema = generate_schema();
    const auto valid = validate(schema);
    RC_LOG() << (valid ? "" : valid.error().to_string());
    RC_ASSERT(valid.ok());

    const auto decoded = decode_schema(encode_schema(schema));
    RC_ASSERT(decoded.ok());
    RC_ASSERT(*decoded == schema);

    auto parsed = parse_schema(print_schema(schema));
    RC_LOG() << (parsed ? "" : parsed.error().to_string());
    RC_ASSERT(parsed.ok());
    parsed->version = schema.version;
    RC_ASSERT(*parsed == schema);
    RC_ASSERT(fingerprint(*parsed) == fingerprint(schema));
}

RC_GTEST_PROP(SchemaBytes, EveryPrefixAndExtensionIsCorruption, ()) {
    const std::string bytes = encode_schema(generate_schema());
    const auto cut = *rc::gen::inRange<std::size_t>(0, bytes.size());
    RC_ASSERT(decode_schema(bytes.substr(0, cut)).error().code() == ErrorCode::kCorruption);
    RC_ASSERT(decode_schema(bytes + 'x').error().code() == ErrorCode::kCorruption);
}

TEST(SchemaBytes, ANewerFormatIsSaidToBeOne) {
    std::string bytes = encode_schema(Schema{});
    bytes[4] = 3;
    EXPECT_EQ(decode_schema(bytes).error().code(), ErrorCode::kIncompatible);
    bytes[0] = 'x';
    EXPECT_EQ(decode_schema(bytes).error().code(), ErrorCode::kCorruption);
}

std::string to_hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        out += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        out += "0123456789abcdef"[c & 15];
    }
    return out;
}

std::string from_hex(std::string_view hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return out;
}

// The golden file was written by format 1 and must be readable by every later version.
TEST(SchemaBytes, ReadsTheGoldenFile) {
    const auto expected = parse_schema(R"(
items:
  fields: {title: text, price: {type: float, default: 0.5}, body: {type: text, language: french}}
  embeddings: {default: {dimensions: 4}}
users: {ids: string, dynamic: true}
signals:
  view: {half_life: 1d, windows: [24h, all], unique: 24h, sets: [seen]}
  skip: {decay: permanent, polarity: negative}
)");
    ASSERT_TRUE(expected) << expected.error().to_string();
    std::ifstream file(TIDAL_TESTDATA_DIR "/schema_v1.hex");
    std::string hex;
    ASSERT_TRUE(file >> hex);
    EXPECT_EQ(to_hex(encode_schema(*expected)), hex);
    EXPECT_EQ(fingerprint(*expected), "4348636a0c3c67239dde7028f8ed323c");
    const auto golden = decode_schema(from_hex(hex));
    ASSERT_TRUE(golden) << golden.error().to_string();
    EXPECT_EQ(*golden, *expected);
}

TEST(SchemaBytes, ReadsTheGoldenFileOfFormat2) {
    const auto expected = parse_schema(R"(
items:
  fields: {title: {type: text, boost: 3}, body: {type: text, k1: 0.9, b: 0.4, stop_words: [the, of]}}
)");
    ASSERT_TRUE(expected) << expected.error().to_string();
    std::ifstream file(TIDAL_TESTDATA_DIR "/schema_v2.hex");
    std::string hex;
    ASSERT_TRUE(file >> hex);
    EXPECT_EQ(to_hex(encode_schema(*expected)), hex);
    const auto golden = decode_schema(from_hex(hex));
    ASSERT_TRUE(golden) << golden.error().to_string();
    EXPECT_EQ(*golden, *expected);
}

TEST(Fingerprint, IsOfTheMeaningNotOfVersionOrLayout) {
    auto a = parse_schema("items: {fields: {x: int}}\nsignals: {v: {half_life: 24h}}");
    auto b =
        parse_schema("signals:\n  v:\n    half_life: 1d\nitems:\n  fields:\n    x: {type: int}\n");
    ASSERT_TRUE(a && b);
    EXPECT_EQ(fingerprint(*a), fingerprint(*b));
    EXPECT_EQ(fingerprint(*a).size(), 32u);
    b->version = SchemaVersion(9);
    EXPECT_EQ(fingerprint(*a), fingerprint(*b));
    b->signals[0].half_life_ms += 1;
    EXPECT_NE(fingerprint(*a), fingerprint(*b));
}

}  // namespace encoding_test
}  // namespace tidal::schema
