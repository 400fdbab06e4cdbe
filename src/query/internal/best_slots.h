// query/internal/best_slots.h: the first k of what one step of a search finds, in whatever order,
// on their way into a list.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "query/internal/candidate_scan.h"
#include "query/internal/item_order.h"
#include "query/internal/top_items.h"

namespace tidal::query {

/// What TopItems would keep of the same, for less: sixteen bytes each, the worst are sorted out
/// many at a time, and nothing is read of an entity but where scores tie; then of several at once.
/// Lifetime: within a step, in which nothing changes; borrows all it is given.
class BestSlots {
public:
    /// @param keep    The size of `top`. @param leaves  Asked of what would be kept; nullptr = all
    ///                may be.
    /// @param top     Where they go; it may hold what was found in steps before.
    BestSlots(std::size_t keep, const entity::EntityTable& entities,
              const CandidateScan::Leaves* leaves, TopItems& top)
        : keep_(keep),
          limit_(keep),
          entities_(entities),
          leaves_(leaves),
          top_(top),
          least_(top.least()) {}

    /// Scores below it change nothing.
    double least() const { return least_; }
    void offer(double key, Slot slot) {
        if (key > least_ || (key == least_ && !last_)) return take({key, slot});
        if (key < least_) return;
        // Many texts score the same: their ids, far from each other, arrive together.
        entities_.prefetch_entity(slot);
        ties_[tie_count_++] = {key, slot};
        if (tie_count_ == ties_.size()) settle_ties();
    }
    /// Puts them into the list, the first of them first. Once.
    void finish() {
        settle_ties();
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
    void take(const One& one) {
        if (leaves_ != nullptr && !(*leaves_)(one.slot)) return;
        all_.push_back(one);
        if (all_.size() >= limit_) shrink();
    }
    void settle_ties() {
        const std::size_t count = std::exchange(tie_count_, 0);
        for (std::size_t i = 0; i < count; ++i)
            if (before(ties_[i], *last_)) take(ties_[i]);
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
    const CandidateScan::Leaves* const leaves_;
    TopItems& top_;
    double least_;
    std::optional<One> last_;  ///< Of those kept, once they are enough.
    std::vector<One> all_;
    std::array<One, 16> ties_;  ///< That may be before it.
    std::size_t tie_count_ = 0;
};

}  // namespace tidal::query
