// query/internal/candidate_scan.h: one shard's candidates, window after window of its slots.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "query/feed.h"
#include "query/internal/hard_negatives.h"
#include "query/internal/time_gates.h"
#include "query/step_budget.h"

namespace tidal::query {

/// What every source draws from: live entities that are published and not expired, that neither the
/// request excludes nor its user hid, and that its filter accepts. A filter therefore never empties
/// a list. Threads and lifetime: those of the run it is part of.
class CandidateScan {
public:
    struct Window {
        Roaring candidates;  ///< Live, published and not expired.
        Roaring asked;       ///< Without what the request excludes or its user hid.
        Roaring matched;     ///< Of these, what the filter accepts.
    };

    explicit CandidateScan(const FeedPlan& plan);

    /// Looks up what the plan excludes. False = the budget is spent, call again.
    bool prepare(const ranking::ShardView& view, StepBudget& budget);
    /// The next window of the slots there were at the end of prepare().
    /// @param listed  Only these; nullptr = all.
    /// @return false  the budget is spent, or at_end().
    bool next(const ranking::ShardView& view, const Roaring* listed, StepBudget& budget,
              Window* window, std::vector<NodeTrace>* trace);
    /// Whether the plan, which has no filter, leaves this slot; after prepare(). Until the next
    /// change.
    bool leaves(const ranking::ShardView& view, const TimeGates& gates, Slot slot) const {
        return view.entities.live().contains(slot.value()) && gates.open(slot.value()) &&
               !excluded_.contains(slot.value()) && !negatives_.refuses(view, slot);
    }
    bool at_end() const { return next_slot_ >= end_slot_; }

    /// Of `slots`, which may have changed since: those that still are candidates and match.
    Roaring still_matching(const ranking::ShardView& view, const Roaring& slots) const;

private:
    Roaring open(const ranking::ShardView& view, const Roaring& live) const;

    const FeedPlan& plan_;
    std::set<EntityId>::const_iterator next_excluded_;
    Roaring excluded_;
    const HardNegatives negatives_;
    std::optional<FilterEvaluator> filter_;
    double slot_cost_ = 0;
    std::uint64_t window_slots_ = 0;
    std::uint64_t next_slot_ = 0, end_slot_ = 0;
};

}  // namespace tidal::query
