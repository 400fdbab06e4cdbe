#include "base/crc32c.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace tidal {
namespace crc32c_test {

// RFC 3720 appendix B.4; the check value of the CRC catalogue for "123456789".
TEST(Crc32c, PublishedVectors) {
    std::string ascending;
    for (int i = 0; i < 32; ++i) ascending += static_cast<char>(i);
    const std::string descending(ascending.rbegin(), ascending.rend());
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
    EXPECT_EQ(crc32c(ascending), 0x46dd794eU);
    EXPECT_EQ(crc32c(descending), 0x113fdb5cU);
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
    EXPECT_EQ(crc32c(""), 0U);
}

// One bit at a time, from the polynomial alone.
std::uint32_t bit_by_bit(std::string_view bytes) {
    std::uint32_t state = 0xffffffffU;
    for (const char byte : bytes) {
        state ^= static_cast<std::uint8_t>(byte);
        for (int i = 0; i < 8; ++i) state = (state >> 1) ^ ((state & 1) != 0 ? 0x82f63b78U : 0);
    }
    return ~state;
}

RC_GTEST_PROP(Crc32c, EqualsTheDefinitionHoweverCut, (const std::string& a, const std::string& b)) {
    RC_ASSERT(crc32c(a + b) == bit_by_bit(a + b));
    RC_ASSERT(crc32c_extend(crc32c(a), b) == crc32c(a + b));
}

TEST(Crc32c, EverySizeAndAlignmentOfTheFastPaths) {
    std::string bytes;
    for (int i = 0; i < 2100; ++i) bytes += static_cast<char>(i * 31 + i / 7);
    for (std::size_t start = 0; start < 16; ++start) {
        for (const std::size_t size : {1UL, 7UL, 8UL, 63UL, 64UL, 127UL, 512UL, 1024UL, 2048UL}) {
            const auto part = std::string_view(bytes).substr(start, size);
            EXPECT_EQ(crc32c(part), bit_by_bit(part)) << start << " " << size;
        }
    }
}

}  // namespace crc32c_test
}  // namespace tidal
