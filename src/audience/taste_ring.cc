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
    for (std::size_t i = entries.size(); i-- > 0;)
        items_.push_back(entries[i].item, {entries[i].at_ms, entries[i].first, entries[i].signals});
}

std::vector<RingEntry> TasteRing::entries() const {
    std::vector<RingEntry> out;
    out.reserve(items_.size());
    for (std::size_t age = items_.size(); age-- > 0;) out.push_back(entry(place(age)));
    return out;
}

bool TasteRing::is_newer_than(const RingEntry& added, std::size_t place) const {
    const Held& held = items_.beside(place);
    return held.at_ms != added.at_ms ? held.at_ms < added.at_ms : is_newer(added, entry(place));
}

bool TasteRing::note(const EntityId& item, UnixMillis at_ms, HybridTime stamp) {
    RingEntry added{item, at_ms, 1, stamp};
    const std::size_t found = items_.find(item);
    const bool is_new = found == items_.size(), is_full = items_.size() == entries_max_;
    if (is_new && is_full && is_newer_than(added, place(entries_max_ - 1))) {
        items_.replace(oldest_, item, {added.at_ms, added.first, added.signals});
        oldest_ = place(1);
        return true;
    }
    if (!is_new) {
        const Held& held = items_.beside(found);
        added.at_ms = std::max(at_ms, held.at_ms);
        added.signals = held.signals == UINT32_MAX ? UINT32_MAX : held.signals + 1;
        added.first = std::min(stamp, held.first);
        erase(found);
    }
    straighten();
    std::size_t at = items_.size();
    while (at > 0 && !is_newer_than(added, at - 1)) --at;
    if (is_new && is_full) {
        if (at == 0) return false;  // Older than all that is kept.
        erase(0);
        --at;
    }
    items_.insert(at, item, {added.at_ms, added.first, added.signals});
    return is_new;
}

bool TasteRing::take_back(const EntityId& item, HybridTime stamp) {
    const std::size_t found = items_.find(item);
    if (found == items_.size() || stamp < items_.beside(found).first) return false;
    if (--items_.beside(found).signals == 0) erase(found);
    return true;
}

void TasteRing::straighten() {
    if (oldest_ == 0) return;
    items_.rotate(oldest_);
    oldest_ = 0;
}

void TasteRing::erase(std::size_t place) {
    const std::size_t at = age(place);
    straighten();
    items_.erase(at);
}

void TasteRing::clear() {
    items_.clear();
    oldest_ = 0;
}

std::vector<EntityId> TasteRing::before(const EntityId& item, std::size_t most) const {
    const std::size_t found = items_.find(item);
    if (found == items_.size()) return {};
    std::vector<EntityId> out;
    std::size_t at = age(found);
    out.reserve(std::min(at, most));
    while (at > 0 && out.size() < most) out.push_back(items_.ids()[place(--at)].id());
    return out;
}

void TasteRing::encode(Encoder* out) const {
    out->varint(items_.size());
    for (std::size_t age = items_.size(); age-- > 0;) {
        const Held& held = items_.beside(place(age));
        record::encode_optional_id(items_.ids()[place(age)].id(), out);
        out->svarint(held.at_ms);
        out->varint(held.signals);
        out->u64(held.first.bits());
    }
}

}  // namespace tidal::audience
