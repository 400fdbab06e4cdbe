// query/internal/candidate_scan.h: one shard's candidates, window after window of its slots.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "query/feed.h"
#include "query/internal/hard_negatives.h"
#include "query/internal/slot_sieve.h"
#include "query/internal/time_gates.h"
#include "query/step_budget.h"

namespace tidal::query {

/// What every source draws from: live entities that are published and not expired, that neither the
/// request excludes nor its user hid, and that its filter accepts; for lists, without what the
/// profile requires not to be in a state either (but where a query searches). So neither a filter
/// nor such a requirement empties a list. Threads and lifetime: those of the run it is part of.
class CandidateScan {
public:
    struct Window {
        Roaring candidates;  ///< Live, published and not expired.
        Roaring asked;       ///< Without what the request excludes or its user hid.
        Roaring matched;     ///< Of these, what the filter accepts.
    };

    explicit CandidateScan(const FeedPlan& plan, bool for_lists = false);

    /// Looks up what the plan excludes. False = the budget is spent, call again.
    bool prepare(const ranking::ShardView& view, StepBudget& budget);
    /// What the filter accepts of everything that lives, closed or hidden as it may be; after this,
    /// Leaves may be made and next() does not run the filter again. At once without a filter.
    /// Call until true, after prepare(). False = the budget is spent.
    bool accept(const ranking::ShardView& view, StepBudget& budget);
    /// Of a plan with a filter, after accept().
    const Roaring& accepted() const { return accepted_; }
    /// The next window of the slots there were at the end of prepare().
    /// @param listed  Only these; nullptr = all.
    /// @return false  the budget is spent, or at_end().
    bool next(const ranking::ShardView& view, const Roaring* listed, StepBudget& budget,
              Window* window, std::vector<NodeTrace>* trace);
    /// Whether the plan leaves a slot, asked one by one; made after prepare(), and accept() where
    /// it has a filter. Lifetime: until the next change of the shard.
    class Leaves {
    public:
        Leaves(const CandidateScan& scan, const ranking::ShardView& view);
        bool operator()(Slot slot) const {
            const std::uint32_t at = slot.value();
            return is_open(at) && (!scan_.filter_ || scan_.accepted_.contains(at)) &&
                   !is_refused(at) && !blocked_.refuse(slot);
        }
        /// So that it answers faster, at the cost of some hundred questions.
        void expect_many() { sieve_.emplace(refused_); }

    private:
        bool is_open(std::uint32_t slot) const {
            return gates_.always_open(slot) || (live_.contains(slot) && gates_.open(slot));
        }
        bool is_refused(std::uint32_t slot) const {
            if (sieve_ && !sieve_->may_hold(slot)) return false;
            return std::ranges::any_of(refused_,
                                       [&](const Roaring* slots) { return slots->contains(slot); });
        }

        const CandidateScan& scan_;
        const Roaring& live_;
        const TimeGates gates_;
        const HardNegatives::Blocked blocked_;
        std::vector<const Roaring*> refused_;  ///< Whatever is in any of them.
        std::optional<SlotSieve> sieve_;
    };
    bool at_end() const { return next_slot_ >= end_slot_; }

    /// Of `slots`, which may have changed since: those that still are candidates and match.
    Roaring still_matching(const ranking::ShardView& view, const Roaring& slots) const;

private:
    Roaring open(const ranking::ShardView& view, const Roaring& live) const;
    /// Bitmaps of states that the profile refuses.
    std::vector<const Roaring*> refused(const ranking::ShardView& view) const;

    const FeedPlan& plan_;
    const bool for_lists_;
    std::set<EntityId>::const_iterator next_excluded_;
    Roaring excluded_;
    const HardNegatives negatives_;
    std::optional<FilterEvaluator> filter_;
    Roaring accepted_;
    std::uint64_t next_accepted_ = 0;  ///< The slot accept() goes on at.
    bool all_accepted_ = false;
    double slot_cost_ = 0;
    std::uint64_t window_slots_ = 0;
    std::uint64_t next_slot_ = 0, end_slot_ = 0;
};

}  // namespace tidal::query
