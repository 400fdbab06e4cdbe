#include "entity/internal/row_cache.h"

#include <gtest/gtest.h>

namespace tidal::entity {
namespace row_cache_test {

TEST(RowCache, KeepsWhatIsReadAndForgetsTheRest) {
    RowCache cache(4'000);  // Two generations of about 12 rows of 100 bytes and their entries.
    ASSERT_NE(cache.put(Slot(0), std::string(100, 'a')), nullptr);
    for (std::uint32_t slot = 1; slot < 100; ++slot) {
        ASSERT_NE(cache.put(Slot(slot), std::string(100, 'b')), nullptr);
        ASSERT_LE(cache.bytes(), 4'000u);
        const std::string* often = cache.find(Slot(0));
        ASSERT_NE(often, nullptr) << "read after every other";
        EXPECT_EQ(*often, std::string(100, 'a'));
    }
    EXPECT_EQ(cache.find(Slot(1)), nullptr);
    EXPECT_NE(cache.find(Slot(99)), nullptr);
}

TEST(RowCache, ForgetsWhatIsWritten) {
    RowCache cache(4'000);
    for (std::uint32_t slot = 0; slot < 20; ++slot) cache.put(Slot(slot), std::string(100, 'a'));
    for (std::uint32_t slot = 0; slot < 20; ++slot) cache.erase(Slot(slot));
    for (std::uint32_t slot = 0; slot < 20; ++slot) EXPECT_EQ(cache.find(Slot(slot)), nullptr);
    EXPECT_EQ(cache.bytes(), 0u);
    EXPECT_EQ(cache.put(Slot(1), std::string(5'000, 'a')), nullptr) << "larger than the cache";
}

}  // namespace row_cache_test
}  // namespace tidal::entity
