#include "audience/internal/taste_ring.h"

#include <algorithm>

#include "record/id_codec.h"

namespace tidal::audience {

bool is_newer(const RingEntry& a, const RingEntry& b) {
    return a.at_ms != b.at_ms ? a.at_ms > b.at_ms : a.item > b.item;
}

TasteRing::TasteRing(std::size_t entries_max, const std::vector<RingEntry>& entries)
    : entries_max_(entries_max) {
    items_.reserve(entries.size());
    held_.reserve(IdList::room_for(entries.size()));
    for (std::size_t i = entries.size(); i-- > 0;) {
        items_.insert(items_.size(), entries[i].item);
        held_.push_back({entries[i].at_ms, entries[i].first, entries[i].signals});
    }
}

std::vector<RingEntry> TasteRing::entries() const {
    std::vector<RingEntry> out;
    out.reserve(items_.size());
    for (std::size_t i = items_.size(); i-- > 0;) out.push_back(entry(i));
    return out;
}

bool TasteRing::note(const EntityId& item, UnixMillis at_ms, HybridTime stamp) {
    RingEntry added{item, at_ms, 1, stamp};
    const std::size_t found = items_.find(item);
    const bool is_new = found == items_.size();
    if (!is_new) {
        const Held& held = held_[found];
        added.at_ms = std::max(at_ms, held.at_ms);
        added.signals = held.signals == UINT32_MAX ? UINT32_MAX : held.signals + 1;
        added.first = std::min(stamp, held.first);
        erase(found);
    }
    // What comes is mostly the newest.
    std::size_t at = items_.size();
    while (at > 0 && (held_[at - 1].at_ms > added.at_ms ||
                      (held_[at - 1].at_ms == added.at_ms && is_newer(entry(at - 1), added))))
        --at;
    if (is_new && items_.size() == entries_max_) {
        if (at == 0) return false;  // Older than all that is kept.
        erase(0);
        --at;
    }
    items_.insert(at, item);
    IdList::append(&held_, {added.at_ms, added.first, added.signals});
    std::rotate(held_.begin() + static_cast<std::ptrdiff_t>(at), held_.end() - 1, held_.end());
    return is_new;
}

void TasteRing::take_back(const EntityId& item, HybridTime stamp) {
    const std::size_t found = items_.find(item);
    if (found == items_.size() || stamp < held_[found].first) return;
    if (--held_[found].signals == 0) erase(found);
}

void TasteRing::erase(std::size_t at) {
    items_.erase(at);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at));
}

void TasteRing::clear() {
    items_ = {};
    held_ = {};
}

std::vector<EntityId> TasteRing::before(const EntityId& item, std::size_t most) const {
    std::size_t at = items_.find(item);
    if (at == items_.size()) return {};
    std::vector<EntityId> out;
    out.reserve(std::min(at, most));
    while (at > 0 && out.size() < most) out.push_back(items_[--at].id());
    return out;
}

void TasteRing::encode(Encoder* out) const {
    out->varint(items_.size());
    for (std::size_t i = items_.size(); i-- > 0;) {
        record::encode_optional_id(items_[i].id(), out);
        out->svarint(held_[i].at_ms);
        out->varint(held_[i].signals);
        out->u64(held_[i].first.bits());
    }
}

std::uint64_t TasteRing::bytes() const {
    return items_.bytes() + IdList::room_for(held_.size()) * sizeof(Held);
}

}  // namespace tidal::audience
