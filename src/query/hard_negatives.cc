#include "query/internal/hard_negatives.h"

#include "audience/user_states.h"
#include "query/slot_blocks.h"

namespace tidal::query {

bool HardNegatives::is_blocked(const ranking::ShardView& view, std::uint32_t slot) const {
    const EntityId* const creator = view.entities.creator_of(Slot(slot));
    return creator != nullptr && plan_.user->blocked.contains(*creator);
}

Roaring HardNegatives::all(const ranking::ShardView& view) const {
    Roaring out;
    if (!plan_.user) return out;
    if (const Roaring* const hidden = this->hidden(view)) out = *hidden;
    for (const EntityId& creator : plan_.user->blocked)
        if (const Roaring* items = view.entities.creator_bitmap(creator)) out |= *items;
    return out;
}

HardNegatives::Blocked::Blocked(const HardNegatives& negatives, const ranking::ShardView& view)
    : negatives_(negatives), view_(view) {
    const auto& user = negatives.plan_.user;
    any_ = user && !user->blocked.empty() && view.kind == EntityKind::kItem;
}

const Roaring* HardNegatives::hidden(const ranking::ShardView& view) const {
    if (!plan_.user || view.user_states == nullptr) return nullptr;
    return view.user_states->find(plan_.user->id, audience::kHidden);
}

void HardNegatives::remove_from(const ranking::ShardView& view, Roaring* slots) const {
    if (!plan_.user) return;
    if (const Roaring* const hidden = this->hidden(view)) *slots -= *hidden;
    const Creators& blocked = plan_.user->blocked;
    if (blocked.empty() || view.kind != EntityKind::kItem) return;
    if (slots->cardinality() < blocked.size()) {
        *slots = select(*slots, [&](std::uint32_t slot) { return !is_blocked(view, slot); });
        return;
    }
    for (const EntityId& creator : blocked)
        if (const Roaring* items = view.entities.creator_bitmap(creator)) *slots -= *items;
}

}  // namespace tidal::query
