// query/internal/best_slots.h: the first k of what one step of a search finds, in whatever order,
// on their way into a list.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "query/internal/item_order.h"
#include "query/internal/top_items.h"

namespace tidal::query {

/// What TopItems would keep of the same, for less: sixteen bytes each, nothing is read of an entity
/// but where scores tie, and the worst are sorted out many at a time.
/// Lifetime: within a step, in which nothing changes; borrows the table and the list.
class BestSlots {
public:
    /// @param top  Where they go; it may hold what was found in steps before. @param keep  Its
    /// size.
    BestSlots(std::size_t keep, const entity::EntityTable& entities, TopItems& top)
        : keep_(keep), limit_(keep), entities_(entities), top_(top), least_(top.least()) {}

    /// Scores below it change nothing.
    double least() const { return least_; }
    /// False when `offer` would do nothing.
    bool admits(double key, Slot slot) const {
        if (key > least_) return true;
        return key == least_ && (!last_ || before({key, slot}, *last_));
    }
    void offer(double key, Slot slot) {
        if (!admits(key, slot)) return;
        all_.push_back({key, slot});
        if (all_.size() >= limit_) shrink();
    }
    /// Puts them into the list, the first of them first. Once.
    void finish() {
        if (all_.size() > keep_) shrink();
        for (const One& one : all_) entities_.prefetch_entity(one.slot);
        std::ranges::sort(all_, [this](const One& a, const One& b) { return before(a, b); });
        for (const One& one : all_) top_.offer(one.key, one.slot);
    }

private:
    struct One {
        double key = 0;
        Slot slot;
    };
    bool before(const One& a, const One& b) const {
        if (a.key != b.key) return a.key > b.key;
        return a.slot != b.slot && entities_.id_of(a.slot) < entities_.id_of(b.slot);
    }
    void shrink() {
        const auto last = all_.begin() + static_cast<std::ptrdiff_t>(keep_) - 1;
        std::ranges::nth_element(all_, last,
                                 [this](const One& a, const One& b) { return before(a, b); });
        last_ = *last;
        least_ = last->key;
        all_.resize(keep_);
        limit_ = 2 * keep_;
    }

    const std::size_t keep_;
    std::size_t limit_;  ///< So many are sorted out.
    const entity::EntityTable& entities_;
    TopItems& top_;
    double least_;
    std::optional<One> last_;  ///< Of those kept, once they are enough.
    std::vector<One> all_;
};

}  // namespace tidal::query
