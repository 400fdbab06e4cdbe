#include "audience/internal/taste_ring.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace tidal::audience {
namespace taste_ring_test {

constexpr std::size_t kMax = 5;

/// As it is described: sorted anew with every change.
struct Model {
    std::vector<RingEntry> entries;  ///< The newest first.

    std::vector<RingEntry>::iterator find(const EntityId& item) {
        return std::ranges::find(entries, item, &RingEntry::item);
    }
    bool note(const EntityId& item, UnixMillis at_ms, HybridTime stamp) {
        const auto held = find(item);
        const bool is_new = held == entries.end();
        if (is_new) {
            entries.push_back({item, at_ms, 1, stamp});
        } else {
            held->at_ms = std::max(held->at_ms, at_ms);
            held->first = std::min(held->first, stamp);
            ++held->signals;
        }
        std::ranges::sort(entries, is_newer);
        if (entries.size() <= kMax) return is_new;
        entries.pop_back();
        return find(item) != entries.end();
    }
    void take_back(const EntityId& item, HybridTime stamp) {
        const auto held = find(item);
        if (held == entries.end() || stamp < held->first) return;
        if (--held->signals == 0) entries.erase(held);
    }
    std::vector<EntityId> before(const EntityId& item, std::size_t most) {
        std::vector<EntityId> out;
        auto held = find(item);
        if (held == entries.end()) return out;
        for (++held; held != entries.end() && out.size() < most; ++held) out.push_back(held->item);
        return out;
    }
};

EntityId id(std::uint64_t number) {
    if (number % 4 == 0) return EntityId("film-" + std::to_string(number));
    return EntityId(number);
}

RC_GTEST_PROP(TasteRing, IsWhatItIsDescribedAs, ()) {
    TasteRing ring(kMax);
    Model model;
    UnixMillis now = 1000;
    const auto steps = *rc::gen::inRange(0, 80);
    for (int step = 0; step < steps; ++step) {
        const EntityId item = id(*rc::gen::inRange<std::uint64_t>(1, 12));
        const HybridTime stamp = HybridTime::from_bits(static_cast<std::uint64_t>(step));
        const int dice = *rc::gen::inRange(0, 10);
        now += *rc::gen::inRange(0, 2);  // Mostly in order, some at the same moment.
        if (dice < 6) {
            RC_ASSERT(ring.note(item, now, stamp) == model.note(item, now, stamp));
        } else if (dice == 6) {
            const UnixMillis late = now - *rc::gen::inRange(0, 10);
            RC_ASSERT(ring.note(item, late, stamp) == model.note(item, late, stamp));
        } else if (dice == 7) {
            ring.take_back(item, stamp);
            model.take_back(item, stamp);
        } else if (dice == 8) {
            ring = TasteRing(kMax, ring.entries());  // As a start reads it.
        } else {
            const TasteRing copy = ring;
            ring = copy;
        }
        RC_ASSERT(ring.entries() == model.entries);
        RC_ASSERT(ring.before(item, 3) == model.before(item, 3));
    }
}

}  // namespace taste_ring_test
}  // namespace tidal::audience
