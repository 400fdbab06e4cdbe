#include "audience/relationships.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace relationships_test {

using record::RelationshipBody;
using record::RelationshipKind;

HybridTime at(std::uint64_t bits) {
    return HybridTime::from_bits(bits);
}
const EntityId kAda("ada"), kBob(2), kNina("nina"), kMiles(7);

TEST(Relationships, BeginEndAndOutliveARestart) {
    entity::MemoryStore store;
    auto all = Relationships::open(store).value();
    const auto apply = [&](RelationshipKind kind, bool ends, const EntityId& creator,
                           std::uint64_t stamp) {
        ASSERT_TRUE(all->apply({kind, ends, kAda, creator}, at(stamp)).ok());
    };
    apply(RelationshipKind::kFollows, false, kNina, 1);
    apply(RelationshipKind::kFollows, false, kMiles, 2);
    apply(RelationshipKind::kBlocks, false, kMiles, 3);
    apply(RelationshipKind::kFollows, true, kMiles, 4);
    for (int life = 0; life < 2; ++life) {
        EXPECT_EQ(all->of(kAda, RelationshipKind::kFollows),
                  (Relationships::Since{{kNina, at(1)}}));
        EXPECT_EQ(all->of(kAda, RelationshipKind::kBlocks),
                  (Relationships::Since{{kMiles, at(3)}}));
        EXPECT_TRUE(all->of(kAda, RelationshipKind::kMutes).empty());
        EXPECT_TRUE(all->of(kBob, RelationshipKind::kFollows).empty());
        all = Relationships::open(store).value();
    }
    apply(RelationshipKind::kFollows, false, kMiles, 4);
    EXPECT_TRUE(all->of(kAda, RelationshipKind::kFollows).contains(kMiles)) << "a tie begins it";
    ASSERT_TRUE(all->erase_user(kAda).ok());
    EXPECT_TRUE(store.rows.empty());
    EXPECT_EQ(all->rows(), 0u);
    EXPECT_TRUE(all->of(kAda, RelationshipKind::kBlocks).empty());
}

TEST(Relationships, WithAUserWhoIsGoneEndForTheirFriendsToo) {
    constexpr auto kFriends = RelationshipKind::kFriends;
    entity::MemoryStore store;
    auto all = Relationships::open(store).value();
    ASSERT_TRUE(all->apply({kFriends, false, kAda, kBob}, at(1)).ok());
    ASSERT_TRUE(all->apply({kFriends, false, kAda, kNina}, at(2)).ok());
    ASSERT_TRUE(all->apply({kFriends, false, kNina, kBob}, at(3)).ok());
    ASSERT_TRUE(all->apply({kFriends, true, kNina, kBob}, at(4)).ok());
    ASSERT_TRUE(all->apply({RelationshipKind::kFollows, false, kAda, kBob}, at(5)).ok());
    all = Relationships::open(store).value();
    ASSERT_TRUE(all->erase_friend(kBob).ok());
    ASSERT_TRUE(all->erase_friend(kMiles).ok());
    for (int life = 0; life < 2; ++life) {
        EXPECT_EQ(all->of(kAda, kFriends), (Relationships::Since{{kNina, at(2)}}));
        EXPECT_TRUE(all->of(kAda, RelationshipKind::kFollows).contains(kBob))
            << "a creator of this id is another one";
        EXPECT_EQ(all->rows(), 2u);
        all = Relationships::open(store).value();
    }
    ASSERT_TRUE(all->erase_user(kAda).ok());
    ASSERT_TRUE(all->erase_friend(kNina).ok());
    EXPECT_TRUE(store.rows.empty());
    EXPECT_EQ(all->rows(), 0u);
}

RC_GTEST_PROP(Relationships, EqualAModelInAnyOrderOfArrival, ()) {
    entity::MemoryStore store;
    auto all = Relationships::open(store).value();
    std::map<std::tuple<int, RelationshipKind, int>, std::pair<std::uint64_t, std::uint64_t>> model;
    const auto steps =
        *rc::gen::container<std::vector<std::uint32_t>>(100, rc::gen::arbitrary<std::uint32_t>());
    for (const std::uint32_t step : steps) {
        const int user = static_cast<int>(step % 2), creator = static_cast<int>(step / 2 % 3);
        const auto kind = static_cast<RelationshipKind>(2 + step / 6 % 4);
        const std::uint64_t stamp = 1 + step / 24 % 50;
        const bool ends = step / 1'000 % 2 == 0;
        ASSERT_TRUE(all->apply({kind, ends, EntityId(static_cast<std::uint64_t>(user)),
                                EntityId(static_cast<std::uint64_t>(creator))},
                               at(stamp))
                        .ok());
        auto& [begun, ended] = model[{user, kind, creator}];
        auto& greatest = ends ? ended : begun;
        greatest = std::max(greatest, stamp);
        if (step / 5'000 % 8 == 0) all = Relationships::open(store).value();
        if (step / 5'000 % 16 == 1) {
            ASSERT_TRUE(all->erase_user(EntityId(static_cast<std::uint64_t>(user))).ok());
            std::erase_if(model, [&](const auto& one) { return std::get<0>(one.first) == user; });
        }
        if (step / 5'000 % 16 == 2) {
            ASSERT_TRUE(all->erase_friend(EntityId(static_cast<std::uint64_t>(creator))).ok());
            std::erase_if(model, [&](const auto& one) {
                return std::get<1>(one.first) == RelationshipKind::kFriends &&
                       std::get<2>(one.first) == creator;
            });
        }
    }
    for (int user = 0; user < 2; ++user)
        for (int kind = 2; kind < 6; ++kind)
            for (int creator = 0; creator < 3; ++creator) {
                const auto found = model.find({user, static_cast<RelationshipKind>(kind), creator});
                const bool expected = found != model.end() && found->second.first != 0 &&
                                      found->second.first >= found->second.second;
                RC_ASSERT(all->of(EntityId(static_cast<std::uint64_t>(user)),
                                  static_cast<RelationshipKind>(kind))
                              .contains(EntityId(static_cast<std::uint64_t>(creator))) == expected);
            }
}

}  // namespace relationships_test
}  // namespace tidal::audience
