#include "query/internal/slot_sieve.h"

#include <gtest/gtest.h>

#include <random>

namespace tidal::query {
namespace slot_sieve_test {

Roaring drawn(std::mt19937* random, std::uint32_t members, std::uint32_t slots) {
    Roaring out;
    while (out.cardinality() < members) out.add((*random)() % slots);
    return out;
}

/// Whoever is in a set is never taken for one that is in none.
TEST(SlotSieve, HoldsTheMembersOfAllItsSets) {
    std::mt19937 random(1);
    for (const std::uint32_t members : {1U, 2U, 63U, 64U, 1'000U, 2'048U, 2'049U, 20'000U}) {
        const Roaring one = drawn(&random, members, 1'000'000);
        const Roaring other = drawn(&random, members, 70'000);
        const std::vector<const Roaring*> sets{&one, &other};
        const SlotSieve sieve(sets);
        for (const std::uint32_t slot : one | other) ASSERT_TRUE(sieve.may_hold(slot)) << members;
    }
}

TEST(SlotSieve, PassesMostOfTheOthers) {
    std::mt19937 random(2);
    for (const std::uint32_t members : {1U, 10U, 310U, 3'000U}) {
        const Roaring set = drawn(&random, members, 1'000'000);
        const std::vector<const Roaring*> sets{&set};
        const SlotSieve sieve(sets);
        std::uint32_t taken = 0;
        for (std::uint32_t slot = 0; slot < 1'000'000; ++slot)
            taken += sieve.may_hold(slot) ? 1 : 0;
        EXPECT_LE(taken, 1'000'000 / 16 + members) << members;
    }
}

TEST(SlotSieve, HoldsNothingOfNoSets) {
    const SlotSieve none({});
    const Roaring empty;
    const std::vector<const Roaring*> sets{&empty};
    const SlotSieve of_empty(sets);
    for (const std::uint32_t slot : {0U, 1U, 64U, 4'000'000'000U}) {
        EXPECT_FALSE(none.may_hold(slot));
        EXPECT_FALSE(of_empty.may_hold(slot));
    }
}

}  // namespace slot_sieve_test
}  // namespace tidal::query
