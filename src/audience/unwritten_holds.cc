#include "audience/internal/unwritten_holds.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace tidal::audience {
namespace {

bool is_of(const UnwrittenHolds::Hold& hold, const StateKey& key) {
    return hold.state == key.state && hold.user == key.user;
}

}  // namespace

std::uint32_t UnwrittenHolds::take_number() {
    if (free_ != 0) return std::exchange(free_, at(free_).older);
    if (used_ / kPiece == pieces_.size()) pieces_.push_back(std::make_unique<Hold[]>(kPiece));
    return used_++;
}

UnwrittenHolds::Hold UnwrittenHolds::release(std::uint32_t number, Item* item) {
    Hold out = std::exchange(at(number), Hold());
    --item->count;
    if (--size_ > 0) {
        at(number).older = std::exchange(free_, number);
        return out;
    }
    // The pieces stay: there will be as many until the next checkpoint, and freeing them all here
    // would be felt.
    order_.clear();
    used_ = 1;
    free_ = 0;
    return out;
}

std::size_t UnwrittenHolds::add(Slot slot, Hold hold) {
    if (slot.value() >= items_.size()) items_.resize(slot.value() + std::size_t{1});
    Item& item = items_[slot.value()];
    if (item.count == 0) order_.push_back(slot.value());
    const std::uint32_t number = take_number();
    hold.older = std::exchange(item.newest, number);
    at(number) = std::move(hold);
    ++size_;
    return ++item.count;
}

std::optional<HoldRow> UnwrittenHolds::find(const StateKey& key) const {
    if (count_of(key.slot) == 0) return std::nullopt;
    std::uint32_t number = items_[key.slot.value()].newest;
    while (number != 0 && !is_of(at(number), key)) number = at(number).older;
    if (number == 0) return std::nullopt;
    return at(number).row();
}

bool UnwrittenHolds::remove(const StateKey& key) {
    if (count_of(key.slot) == 0) return false;
    Item& item = items_[key.slot.value()];
    std::uint32_t* link = &item.newest;
    while (*link != 0 && !is_of(at(*link), key)) link = &at(*link).older;
    if (*link == 0) return false;
    const std::uint32_t number = std::exchange(*link, at(*link).older);
    release(number, &item);
    return true;
}

std::vector<UnwrittenHolds::Hold> UnwrittenHolds::take(Slot slot) {
    std::vector<Hold> out;
    if (count_of(slot) == 0) return out;
    Item& item = items_[slot.value()];
    out.reserve(item.count);
    while (item.newest != 0) {
        const std::uint32_t number = std::exchange(item.newest, at(item.newest).older);
        out.push_back(release(number, &item));
    }
    std::ranges::sort(out, [](const Hold& a, const Hold& b) {
        return a.state != b.state ? a.state < b.state : a.user < b.user;
    });
    return out;
}

Slot UnwrittenHolds::next() {
    assert(size_ > 0);
    while (count_of(Slot(order_.back())) == 0) order_.pop_back();
    return Slot(order_.back());
}

}  // namespace tidal::audience
