#include "base/case_fold.h"

#include <gtest/gtest.h>

namespace tidal {
namespace case_fold_test {

std::string fold(std::string_view text) {
    return fold_case(text, 1000);
}

TEST(CaseFold, FoldsEveryScript) {
    EXPECT_EQ(fold("Jazz PIANO 9"), "jazz piano 9");
    EXPECT_EQ(fold("ÀÉÎÖÜ Çß"), "àéîöü çß");
    EXPECT_EQ(fold("ΑΒΓ Σίσυφος"), fold("αβγ σίσυφοσ"));
    EXPECT_EQ(fold("ПРИВЕТ Ёлка"), "привет ёлка");
    EXPECT_EQ(fold("ŁÓDŹ Ÿ ſ"), "łódź ÿ s");
    EXPECT_EQ(fold("日本語 कथा 🙂"), "日本語 कथा 🙂");
    EXPECT_EQ(fold("𐐀"), "𐐨");
    EXPECT_EQ(fold(""), "");
}

TEST(CaseFold, IsIdempotentAndKeepsWhatItDoesNotKnow) {
    for (std::uint32_t c = 0x80; c < 0x11000; ++c) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        std::string text;
        if (c < 0x800) {
            text = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
        } else if (c < 0x10000) {
            text = {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
                    static_cast<char>(0x80 | (c & 0x3F))};
        } else {
            text = {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
                    static_cast<char>(0x80 | (c >> 6 & 0x3F)),
                    static_cast<char>(0x80 | (c & 0x3F))};
        }
        const std::string once = fold(text);
        ASSERT_EQ(fold(once), once) << c;
    }
    EXPECT_EQ(fold("a\xFF\xC3"), "a\xFF\xC3");
}

TEST(CaseFold, EndsBetweenCharacters) {
    EXPECT_EQ(fold_case("abc", 2), "ab");
    EXPECT_EQ(fold_case("aÉé", 2), "a");
    EXPECT_EQ(fold_case("aÉé", 3), "aé");
    EXPECT_EQ(fold_case("aÉé", 4), "aé");
    EXPECT_EQ(fold_case("É", 0), "");
}

}  // namespace case_fold_test
}  // namespace tidal
