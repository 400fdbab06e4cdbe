// query/internal/top_items.h: the first k of a stream of scored slots, in a bounded heap.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "entity/entity_table.h"
#include "query/internal/item_order.h"

namespace tidal::query {

/// Most of a scan fails the first comparison of `offer`; ids are looked up only where scores tie.
/// Lifetime: borrows the table; the slots of entities stay theirs whatever changes it meanwhile.
class TopItems {
public:
    struct Entry {
        double key = 0;
        Slot slot;
        HybridTime generation;  ///< Of the entity when it was offered.
    };

    TopItems(std::size_t keep, const entity::EntityTable& entities)
        : keep_(keep), entities_(entities) {
        heap_.reserve(keep);
    }

    /// False when `offer` would do nothing; true may still mean nothing, where scores tie.
    bool admits(double key) const { return !full() || key >= heap_.front().key; }
    /// The key below which nothing is admitted.
    double least() const {
        return full() ? heap_.front().key : -std::numeric_limits<double>::infinity();
    }
    std::size_t size() const { return heap_.size(); }
    /// Holds all it keeps: more may have been offered.
    bool full() const { return heap_.size() == keep_; }

    void offer(double key, Slot slot) {
        if (!admits(key)) return;
        const auto before = order();
        const Entry entry{key, slot, entities_.generation_of(slot)};
        if (entry.generation == HybridTime()) return;  // Deleted since it was found to match.
        if (!full()) {
            heap_.push_back(entry);
            std::ranges::push_heap(heap_, before);
        } else if (before(entry, heap_.front())) {
            std::ranges::pop_heap(heap_, before);
            heap_.back() = entry;
            std::ranges::push_heap(heap_, before);
        }
    }

    /// Best first, without entities that have been deleted since they were offered; leaves it
    /// empty.
    std::vector<Entry> take() {
        std::ranges::sort_heap(heap_, order());
        std::erase_if(heap_, [&](const Entry& entry) {
            return !entities_.live().contains(entry.slot.value()) ||
                   entities_.generation_of(entry.slot) != entry.generation;
        });
        return std::move(heap_);
    }

private:
    /// As a heap order this keeps the last of the page on top.
    struct Before {
        const entity::EntityTable& entities;
        bool operator()(const Entry& a, const Entry& b) const {
            return a.key != b.key ? a.key > b.key : entities.id_of(a.slot) < entities.id_of(b.slot);
        }
    };
    Before order() const { return {entities_}; }

    const std::size_t keep_;
    const entity::EntityTable& entities_;
    std::vector<Entry> heap_;
};

}  // namespace tidal::query
