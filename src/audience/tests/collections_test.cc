#include "audience/collections.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "audience/internal/member_row.h"
#include "entity/tests/memory_store.h"

namespace tidal::audience {
namespace collections_test {

HybridTime at(std::uint64_t ms) {
    return HybridTime::from(static_cast<UnixMillis>(1'767'000'000'000 + ms), 0);
}

std::unique_ptr<Collections> open(storage::ShardStore& store, std::uint64_t bytes_max = 1 << 20) {
    return Collections::open({.bytes_max = bytes_max}, store).value();
}

TEST(Collections, MovesWithoutLosingWhenItWasAdded) {
    entity::MemoryStore store;
    auto all = open(store);
    const CollectionId picks(7);
    EXPECT_TRUE(all->put(picks, Slot(1), 5, at(1)));
    EXPECT_FALSE(all->put(picks, Slot(1), -0.0, at(2)));
    const auto again = open(store);
    for (const Collections* each : {all.get(), again.get()}) {
        const auto* const in = each->find(picks);
        ASSERT_NE(in, nullptr);
        EXPECT_EQ(in->members.at(1).position, 0);
        EXPECT_FALSE(std::signbit(in->members.at(1).position));
        EXPECT_EQ(in->members.at(1).added, at(1));
    }
    EXPECT_TRUE(all->remove(picks, Slot(1)));
    EXPECT_FALSE(all->remove(picks, Slot(1)));
    EXPECT_EQ(all->find(picks), nullptr);
}

TEST(Collections, DropInStepsTheLeastSlotsFirst) {
    entity::MemoryStore store;
    auto all = open(store);
    for (std::uint32_t slot = 0; slot < 10; ++slot) all->put(CollectionId(1), Slot(slot), 0, at(0));
    all->put(CollectionId(2), Slot(3), 0, at(0));
    EXPECT_EQ(all->drop(CollectionId(1), 4), 6u);
    EXPECT_EQ(open(store)->find(CollectionId(1))->slots.minimum(), 4u);
    EXPECT_EQ(all->drop(CollectionId(1), 100), 0u);
    EXPECT_EQ(all->drop(CollectionId(1), 100), 0u);
    EXPECT_EQ(open(store)->ids(), std::vector{CollectionId(2)});
}

TEST(Collections, TakeNoMoreThanTheirMemory) {
    entity::MemoryStore store;
    auto all = open(store, 700);  // One collection, and members up to the byte that is too many.
    std::uint32_t slot = 0;
    for (; all->has_room(CollectionId(1), Slot(slot)); ++slot)
        all->put(CollectionId(1), Slot(slot), 0, at(0));
    EXPECT_GE(all->stats().bytes, 700u);
    EXPECT_LE(slot, 10u);
    EXPECT_TRUE(all->has_room(CollectionId(1), Slot(0))) << "what is in may move";
    EXPECT_FALSE(all->has_room(CollectionId(2), Slot(0)));
    all->remove(CollectionId(1), Slot(0));
    EXPECT_TRUE(all->has_room(CollectionId(1), Slot(0)));
}

TEST(Collections, RefuseRowsOfOthers) {
    EXPECT_FALSE(decode_member("").ok());
    EXPECT_FALSE(decode_member(encode_member({1, at(1)}) + "x").ok());
    EXPECT_FALSE(decode_member_key("a/m/123").ok());
    const MemberKey key{Slot(300), CollectionId(UINT64_MAX)};
    EXPECT_EQ(decode_member_key(encode_member_key(key)).value(), key);
}

RC_GTEST_PROP(Collections, EqualAModelThroughRestarts, ()) {
    entity::MemoryStore store;
    auto all = open(store);
    std::map<std::pair<std::uint64_t, std::uint32_t>, double> model;
    const auto steps = *rc::gen::inRange(1, 60);
    for (int step = 0; step < steps; ++step) {
        const auto collection = *rc::gen::inRange<std::uint64_t>(1, 4);
        const auto slot = *rc::gen::inRange<std::uint32_t>(0, 6);
        switch (*rc::gen::inRange(0, 5)) {
            case 0:
            case 1: {
                const double position = *rc::gen::inRange(-3, 4);
                RC_ASSERT(all->put(CollectionId(collection), Slot(slot), position, at(step)) !=
                          model.contains({collection, slot}));
                model[{collection, slot}] = position;
                break;
            }
            case 2:
                RC_ASSERT(all->remove(CollectionId(collection), Slot(slot)) ==
                          (model.erase({collection, slot}) == 1));
                break;
            case 3:
                RC_ASSERT(all->drop_item(Slot(slot)).ok());
                std::erase_if(model, [&](const auto& each) { return each.first.second == slot; });
                break;
            default:
                all = open(store);
        }
        std::map<std::pair<std::uint64_t, std::uint32_t>, double> found;
        for (const CollectionId id : all->ids()) {
            const auto& in = *all->find(id);
            RC_ASSERT(in.slots.cardinality() == in.members.size());
            for (const auto& [each, member] : in.members)
                found[{id.value(), each}] = member.position;
        }
        RC_ASSERT(found == model);
        RC_ASSERT(all->stats().members == model.size());
    }
}

}  // namespace collections_test
}  // namespace tidal::audience
