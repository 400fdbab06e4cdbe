#include "entity/internal/id_map.h"

#include <gtest/gtest.h>

#include <limits>

namespace tidal::entity {
namespace id_map_test {

TEST(IdMap, FindsEveryIdAsItGrows) {
    IdMap map;
    EXPECT_EQ(map.find(EntityId(0)), std::nullopt) << "nothing is there";
    constexpr std::uint64_t kStep = std::uint64_t{1} << 40;  // Equal in their lower bits.
    for (std::uint64_t i = 0; i < 5'000; ++i) {
        EXPECT_EQ(map.add(EntityId(i * kStep)), Slot(static_cast<std::uint32_t>(2 * i)));
        EXPECT_EQ(map.add(EntityId(std::to_string(i))),
                  Slot(static_cast<std::uint32_t>(2 * i + 1)));
    }
    for (std::uint64_t i = 0; i < 5'000; ++i) {
        ASSERT_EQ(map.find(EntityId(i * kStep)), Slot(static_cast<std::uint32_t>(2 * i)));
        ASSERT_EQ(map.find(EntityId(std::to_string(i))),
                  Slot(static_cast<std::uint32_t>(2 * i + 1)));
        ASSERT_EQ(map.find(EntityId(i * kStep + 1)), std::nullopt);
    }
    EXPECT_EQ(map.find(EntityId(std::numeric_limits<std::uint64_t>::max())), std::nullopt);
}

TEST(IdMap, IsTheSameLoaded) {
    IdMap map;
    for (std::uint32_t slot = 100; slot-- > 0;)
        EXPECT_TRUE(map.load(EntityId(slot * 7), Slot(slot)));
    EXPECT_FALSE(map.load(EntityId(1), Slot(3))) << "taken";
    ASSERT_TRUE(map.finish_load());
    for (std::uint32_t slot = 0; slot < 100; ++slot)
        EXPECT_EQ(map.find(EntityId(slot * 7)), Slot(slot));
    EXPECT_EQ(map.find(EntityId(1)), std::nullopt);
}

}  // namespace id_map_test
}  // namespace tidal::entity
