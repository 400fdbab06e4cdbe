#include "base/utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace tidal {
namespace utf8_test {

using namespace std::string_literals;

std::string encode(std::uint32_t code_point) {
    const auto byte = [](std::uint32_t v) { return static_cast<char>(v); };
    const auto tail = [&](int shift) { return byte(0x80 | ((code_point >> shift) & 0x3f)); };
    if (code_point < 0x80) return {byte(code_point)};
    if (code_point < 0x800) return {byte(0xc0 | (code_point >> 6)), tail(0)};
    if (code_point < 0x10000) return {byte(0xe0 | (code_point >> 12)), tail(6), tail(0)};
    return {byte(0xf0 | (code_point >> 18)), tail(12), tail(6), tail(0)};
}

TEST(Utf8, EveryCodePointButSurrogatesIsWellFormed) {
    for (std::uint32_t code_point = 0; code_point < 0x110000; ++code_point) {
        const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
        ASSERT_EQ(!find_utf8_error(encode(code_point)), !surrogate) << code_point;
    }
    EXPECT_TRUE(find_utf8_error(encode(0x110000)));
}

TEST(Utf8, NamesTheFirstBadByte) {
    EXPECT_EQ(find_utf8_error(""), std::nullopt);
    EXPECT_EQ(find_utf8_error("plain\xff"), 5U);
    EXPECT_EQ(find_utf8_error("12345678\x80"), 8U);       // continuation without a lead
    EXPECT_EQ(find_utf8_error("a\xc0\x80"), 1U);          // overlong NUL
    EXPECT_EQ(find_utf8_error("a\xe0\x80\x80"), 2U);      // overlong
    EXPECT_EQ(find_utf8_error("a\xed\xa0\x80"), 2U);      // surrogate
    EXPECT_EQ(find_utf8_error("a\xf0\x8f\xbf\xbf"), 2U);  // overlong
    EXPECT_EQ(find_utf8_error("a\xf4\x90\x80\x80"), 2U);  // above U+10FFFF
    EXPECT_EQ(find_utf8_error("a\xf5\x80\x80\x80"), 1U);
    EXPECT_EQ(find_utf8_error("a\xe2\x82"), 1U);  // cut off
    EXPECT_EQ(find_utf8_error("a\xe2\x82z"), 3U);
    EXPECT_EQ(find_utf8_error("nul\0inside"s), std::nullopt);
}

TEST(Utf8, CheckNamesFieldAndOffset) {
    const auto result = check_utf8("ab\xff", "metadata.title");
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().to_string(),
              "text is not valid UTF-8 (field metadata.title), byte_offset=2; send UTF-8");
    EXPECT_TRUE(check_utf8("Straße 東京", "x").ok());
}

RC_GTEST_PROP(Utf8, ConcatenationsOfCodePointsPassAndABrokenByteDoesNot, ()) {
    const auto code_points =
        *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange(0U, 0xd800U));
    std::string text;
    for (const auto code_point : code_points) text += encode(code_point);
    RC_ASSERT(!find_utf8_error(text));
    const auto at = *rc::gen::inRange<std::size_t>(0, text.size() + 1);
    text.insert(at, 1, '\xff');
    const auto offset = find_utf8_error(text);
    RC_ASSERT(offset.has_value());
    RC_ASSERT(*offset <= at);
}

}  // namespace utf8_test
}  // namespace tidal
