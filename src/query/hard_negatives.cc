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
    if (view.user_states != nullptr)
        if (const Roaring* hidden = view.user_states->find(plan_.user->id, audience::kHidden))
            out = *hidden;
    for (const EntityId& creator : plan_.user->blocked)
        if (const Roaring* items = view.entities.creator_bitmap(creator)) out |= *items;
    return out;
}

bool HardNegatives::refuses(const ranking::ShardView& view, Slot slot) const {
    if (!plan_.user) return false;
    if (view.user_states != nullptr)
        if (const Roaring* hidden = view.user_states->find(plan_.user->id, audience::kHidden);
            hidden != nullptr && hidden->contains(slot.value()))
            return true;
    return view.kind == EntityKind::kItem && !plan_.user->blocked.empty() &&
           is_blocked(view, slot.value());
}

void HardNegatives::remove_from(const ranking::ShardView& view, Roaring* slots) const {
    if (!plan_.user) return;
    if (view.user_states != nullptr)
        if (const Roaring* hidden = view.user_states->find(plan_.user->id, audience::kHidden))
            *slots -= *hidden;
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
