#include "entity/internal/value_bitmaps.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

namespace tidal::entity {
namespace value_bitmaps_test {

RC_GTEST_PROP(SlotSetProperty, LoadingInAnyOrderEqualsAdding, (std::set<std::uint8_t> slots)) {
    // Few of many slots are sorted, many of few go through bits: both ways, same set.
    for (const std::uint32_t slot_count : {0x10000U, 0x100U}) {
        SlotSet loaded, added;
        for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) loaded.load(*slot);
        loaded.finish_load(slot_count);
        for (const std::uint8_t slot : slots) added.add(slot);
        RC_ASSERT(loaded.bitmap() == added.bitmap());
        RC_ASSERT(loaded.bitmap().cardinality() == slots.size());
    }
}

RC_GTEST_PROP(ValueBitmapsProperty, FollowAMapOfSets,
              (const std::vector<std::tuple<std::uint8_t, std::uint8_t, bool>>& changes)) {
    ValueBitmaps<std::string> bitmaps;
    std::map<std::string, std::set<std::uint32_t>, std::less<>> model;
    for (const auto& [draw, slot, add] : changes) {
        const std::string value(1, static_cast<char>('a' + draw % 4));
        if (add) {
            bitmaps.add(std::string_view(value), slot);
            model[value].insert(slot);
        } else {
            bitmaps.remove(std::string_view(value), slot);
            if (const auto at = model.find(value); at != model.end()) {
                at->second.erase(slot);
                if (at->second.empty()) model.erase(at);
            }
        }
    }
    std::map<std::string, std::set<std::uint32_t>, std::less<>> seen;
    bitmaps.for_each([&](std::string_view value, const Roaring& slots) {
        for (const std::uint32_t slot : slots) seen[std::string(value)].insert(slot);
    });
    RC_ASSERT(seen == model);
    RC_ASSERT(bitmaps.find(std::string_view("z")) == nullptr);
}

}  // namespace value_bitmaps_test
}  // namespace tidal::entity
