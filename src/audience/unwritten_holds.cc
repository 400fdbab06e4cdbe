#include "audience/internal/unwritten_holds.h"

#include <algorithm>
#include <cassert>

namespace tidal::audience {
namespace {

template <typename Holds>
auto find_in(Holds& holds, const StateKey& key) {
    return std::ranges::find_if(holds, [&](const UnwrittenHolds::Hold& hold) {
        return hold.state == key.state && hold.user == key.user;
    });
}

}  // namespace

std::size_t UnwrittenHolds::add(Slot slot, Hold hold) {
    const auto [at, added] = items_.try_emplace(slot.value());
    if (added) order_.push_back(slot.value());
    at->second.push_back(std::move(hold));
    ++size_;
    return at->second.size();
}

std::optional<HoldRow> UnwrittenHolds::find(const StateKey& key) const {
    const auto item = items_.find(key.slot.value());
    if (item == items_.end()) return std::nullopt;
    const auto hold = find_in(item->second, key);
    if (hold == item->second.end()) return std::nullopt;
    return hold->row();
}

bool UnwrittenHolds::remove(const StateKey& key) {
    const auto item = items_.find(key.slot.value());
    if (item == items_.end()) return false;
    const auto hold = find_in(item->second, key);
    if (hold == item->second.end()) return false;
    item->second.erase(hold);
    --size_;
    if (item->second.empty()) items_.erase(item);
    return true;
}

std::vector<UnwrittenHolds::Hold> UnwrittenHolds::take(Slot slot) {
    const auto item = items_.find(slot.value());
    if (item == items_.end()) return {};
    Holds out = std::move(item->second);
    items_.erase(item);
    size_ -= out.size();
    std::ranges::sort(out, [](const Hold& a, const Hold& b) {
        return a.state != b.state ? a.state < b.state : a.user < b.user;
    });
    return out;
}

Slot UnwrittenHolds::next() {
    assert(size_ > 0);
    while (!items_.contains(order_.back())) order_.pop_back();
    return Slot(order_.back());
}

}  // namespace tidal::audience
