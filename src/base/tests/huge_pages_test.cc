#include "base/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

namespace tidal {
namespace huge_pages_test {

TEST(HugePages, VectorsKeepWhatTheyHoldAsTheyGrow) {
    HugeVector<std::uint64_t> numbers;
    constexpr std::uint64_t kCount = 3'000'000;  // Many large pages.
    for (std::uint64_t i = 0; i < kCount; ++i) numbers.push_back(i * i);
    for (std::uint64_t i = 0; i < kCount; ++i) ASSERT_EQ(numbers[i], i * i);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(numbers.data()) % (2 << 20), 0u);
    numbers.clear();
    numbers.shrink_to_fit();
    EXPECT_EQ(numbers.capacity(), 0u);
}

TEST(HugePages, SmallOnesAreAlignedAsTheirTypeAsks) {
    struct alignas(64) Line {
        std::uint64_t number = 7;
    };
    const HugeVector<Line> lines(3);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(lines.data()) % 64, 0u);
    EXPECT_EQ(lines[2].number, 7u);
}

}  // namespace huge_pages_test
}  // namespace tidal
