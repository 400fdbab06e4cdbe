#include "query/internal/hard_negatives.h"

#include "audience/user_states.h"

namespace tidal::query {

Roaring HardNegatives::all(const ranking::ShardView& view) const {
    if (!plan_.user || view.user_states == nullptr) return {};
    const Roaring* const hidden = view.user_states->find(*plan_.user, audience::kHidden);
    return hidden == nullptr ? Roaring() : *hidden;
}

void HardNegatives::remove_from(const ranking::ShardView& view, Roaring* slots) const {
    if (!plan_.user || view.user_states == nullptr) return;
    if (const Roaring* hidden = view.user_states->find(*plan_.user, audience::kHidden))
        *slots -= *hidden;
}

}  // namespace tidal::query
