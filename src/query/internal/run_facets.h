// query/internal/run_facets.h: the facets of a run, counted while it scans or, where its profile
// requires something, once the scores have told what is shown.
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "query/feed.h"
#include "query/step_budget.h"

namespace tidal::query {

/// Threads and lifetime: those of the run it is part of.
class RunFacets {
public:
    RunFacets(const FeedPlan& plan, const ranking::ShardView& view)
        : counter_(plan.facets, view.entities, plan.now_ms, filter_state(plan, view)),
          any_(!plan.facets.empty()),
          late_(any_ && plan.profile->program.gate.has_value()),
          beside_(late_ && std::ranges::any_of(plan.facets, &BoundFacet::own_filter)) {}

    /// A window of the scan. False = the budget is spent: call again with the same one.
    bool add(const Roaring& asked, const Roaring& matched, StepBudget& budget) {
        if (beside_) asked_ |= asked;
        return !any_ || late_ || count(asked, matched, budget);
    }

    /// What to score: what matched and, where a facet leaves out a part of the filter, what else
    /// may pass the requirements and be counted.
    const Roaring& scored(const Roaring& matched) const { return beside_ ? asked_ : matched; }

    /// @param gates  Of a block of `scored()`, 0 where a requirement leaves the slot out.
    /// @return the same, 0 also where only facets count the slot.
    std::span<const double> see_gates(std::span<const Slot> slots, std::span<const double> gates,
                                      const Roaring& matched) {
        if (!late_) return gates;
        for (std::size_t i = 0; i < slots.size(); ++i)
            if (gates[i] != 0) shown_.add(slots[i].value());
        if (!beside_) return gates;
        gates_.assign(gates.begin(), gates.end());
        for (std::size_t i = 0; i < slots.size(); ++i)
            if (!matched.contains(slots[i].value())) gates_[i] = 0;
        return gates_;
    }

    /// After the scores. False = the budget is spent, call again.
    bool finish(const Roaring& matched, StepBudget& budget) {
        constexpr std::uint64_t kSlotsAtOnce = 1024;
        const std::uint64_t end = shown_.isEmpty() ? 0 : shown_.maximum() + std::uint64_t{1};
        for (; next_ < end; next_ += kSlotsAtOnce) {
            Roaring part;
            part.addRange(next_, next_ + kSlotsAtOnce);
            part &= shown_;
            if (!part.isEmpty() && !count(part, part & matched, budget)) return false;
        }
        return counter_.finish(budget);
    }
    std::vector<FacetCounts> take() { return counter_.take(); }

private:
    bool count(const Roaring& asked, const Roaring& matched, StepBudget& budget) {
        if (!budget.take(counter_.cost() * static_cast<double>(asked.cardinality()))) return false;
        counter_.add(asked, matched);
        return true;
    }

    FacetCounter counter_;
    const bool any_;
    const bool late_;            ///< Counted after the scores.
    const bool beside_;          ///< Late, and some facet leaves out a part of the filter.
    Roaring asked_;              ///< With beside_.
    Roaring shown_;              ///< Late: what passed the requirements.
    std::vector<double> gates_;  ///< Of a block.
    std::uint64_t next_ = 0;     ///< Of shown_, where finish() goes on.
};

}  // namespace tidal::query
