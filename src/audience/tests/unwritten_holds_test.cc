#include "audience/internal/unwritten_holds.h"

#include <gtest/gtest.h>

namespace tidal::audience {
namespace unwritten_holds_test {

UnwrittenHolds::Hold hold(std::uint64_t user, std::uint16_t state, std::uint64_t stamp) {
    return {CompactId(EntityId(user)), HybridTime::from_bits(stamp), StateId(state)};
}
StateKey key(std::uint32_t slot, std::uint64_t user, std::uint16_t state) {
    return {Slot(slot), StateId(state), EntityId(user)};
}

TEST(UnwrittenHolds, AreFoundAndTakenItemByItem) {
    UnwrittenHolds holds;
    EXPECT_EQ(holds.find(key(3, 1, 2)), std::nullopt);
    EXPECT_TRUE(holds.take(Slot(3)).empty());
    EXPECT_EQ(holds.add(Slot(3), hold(9, 2, 10)), 1u);
    EXPECT_EQ(holds.add(Slot(5), hold(1, 2, 11)), 1u);
    EXPECT_EQ(holds.add(Slot(3), hold(1, 3, 12)), 2u);
    EXPECT_EQ(holds.add(Slot(3), hold(1, 2, 13)), 3u);
    EXPECT_EQ(holds.find(key(3, 1, 3))->set, HybridTime::from_bits(12));
    EXPECT_EQ(holds.find(key(5, 9, 2)), std::nullopt);
    const auto taken = holds.take(Slot(3));
    ASSERT_EQ(taken.size(), 3u) << "by state, then by user";
    EXPECT_EQ(taken[0].set, HybridTime::from_bits(13));
    EXPECT_EQ(taken[1].set, HybridTime::from_bits(10));
    EXPECT_EQ(taken[2].set, HybridTime::from_bits(12));
    EXPECT_EQ(holds.size(), 1u);
    EXPECT_EQ(holds.next(), Slot(5));
}

TEST(UnwrittenHolds, PlacesOfThoseRemovedAreUsedAgain) {
    UnwrittenHolds holds;
    for (std::uint64_t user = 0; user < 3'000; ++user)
        holds.add(Slot(static_cast<std::uint32_t>(user % 7)), hold(user, 2, user + 1));
    for (std::uint64_t user = 0; user < 3'000; user += 2) {
        EXPECT_TRUE(holds.remove(key(static_cast<std::uint32_t>(user % 7), user, 2)));
        EXPECT_FALSE(holds.remove(key(static_cast<std::uint32_t>(user % 7), user, 2)));
    }
    for (std::uint64_t user = 3'000; user < 5'000; ++user)
        holds.add(Slot(static_cast<std::uint32_t>(user % 7)), hold(user, 2, user + 1));
    for (std::uint64_t user = 1; user < 5'000; user += user < 3'000 ? 2 : 1) {
        const auto row = holds.find(key(static_cast<std::uint32_t>(user % 7), user, 2));
        ASSERT_TRUE(row) << user;
        EXPECT_EQ(row->set, HybridTime::from_bits(user + 1));
    }
    EXPECT_EQ(holds.size(), 1'500u + 2'000u);
    std::size_t taken = 0;
    while (holds.size() > 0) taken += holds.take(holds.next()).size();
    EXPECT_EQ(taken, 3'500u);
    EXPECT_EQ(holds.add(Slot(6), hold(1, 2, 1)), 1u) << "from nothing again";
    EXPECT_EQ(holds.next(), Slot(6));
}

}  // namespace unwritten_holds_test
}  // namespace tidal::audience
