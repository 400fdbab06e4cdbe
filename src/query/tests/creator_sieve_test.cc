// Creators that a user has nothing to do with: whoever is followed or liked passes, few others do.
#include "query/internal/creator_sieve.h"

#include <gtest/gtest.h>

#include <string>

namespace tidal::query {
namespace creator_sieve_test {

TEST(CreatorSieve, HoldsWhomTheUserKnowsAndFewOthers) {
    // Ids that follow each other, and multiples of a power of two.
    for (const std::uint64_t step : {1, 4096}) {
        for (const std::uint64_t known : {0, 1, 10, 500}) {
            Viewer user;
            for (std::uint64_t id = 1; id <= known; ++id) {
                user.followed.insert(EntityId(id * step));
                user.affinities.emplace(EntityId((1'000 + id) * step), -0.5);
            }
            const CreatorSieve sieve(&user);
            for (const EntityId& id : user.followed) EXPECT_TRUE(sieve.may_hold(id));
            for (const auto& [id, weight] : user.affinities) EXPECT_TRUE(sieve.may_hold(id));
            std::uint64_t others = 0;
            for (std::uint64_t id = 10'000; id < 20'000; ++id)
                others += sieve.may_hold(EntityId(id * step)) ? 1 : 0;
            EXPECT_LE(others, known == 0 ? 0U : 1'250U) << known << " of " << step;
        }
    }
}

TEST(CreatorSieve, HoldsNobodyOfNobodyAndAnyNamedByText) {
    EXPECT_FALSE(CreatorSieve(nullptr).may_hold(EntityId(std::uint64_t{7})));
    Viewer user;
    user.followed.insert(EntityId(std::string("ann")));
    EXPECT_TRUE(CreatorSieve(&user).may_hold(EntityId(std::string("ann"))));
}

}  // namespace creator_sieve_test
}  // namespace tidal::query
