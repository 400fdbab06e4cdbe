// query/internal/top_items.h: the first k of a stream of scored slots, in a bounded heap.
#pragma once

#include <algorithm>
#include <vector>

#include "entity/entity_table.h"
#include "query/internal/item_order.h"

namespace tidal::query {

/// Most of a scan fails the first comparison of `offer`; ids are looked up only where scores tie.
/// Lifetime: borrows the table, whose ids stay where they are while nothing changes it.
class TopItems {
public:
    struct Entry {
        double key = 0;
        const EntityId* id = nullptr;
        Slot slot;
    };

    TopItems(std::size_t keep, const entity::EntityTable& entities)
        : keep_(keep), entities_(entities) {
        heap_.reserve(keep);
    }

    /// False when `offer` would do nothing; true may still mean nothing, where scores tie.
    bool admits(double key) const { return heap_.size() < keep_ || key >= heap_.front().key; }

    void offer(double key, Slot slot) {
        if (!admits(key)) return;
        const Entry entry{key, &entities_.id_of(slot), slot};
        if (heap_.size() < keep_) {
            heap_.push_back(entry);
            std::ranges::push_heap(heap_, before);
        } else if (before(entry, heap_.front())) {
            std::ranges::pop_heap(heap_, before);
            heap_.back() = entry;
            std::ranges::push_heap(heap_, before);
        }
    }

    /// Best first; leaves it empty.
    std::vector<Entry> take() {
        std::ranges::sort_heap(heap_, before);
        return std::move(heap_);
    }

private:
    /// As a heap order this keeps the last of the page on top.
    static bool before(const Entry& a, const Entry& b) {
        return ItemOrder::before(a.key, *a.id, b.key, *b.id);
    }

    const std::size_t keep_;
    const entity::EntityTable& entities_;
    std::vector<Entry> heap_;
};

}  // namespace tidal::query
