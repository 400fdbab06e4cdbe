// query/internal/ann_run.h: one shard's list of a source `ann`, where the slot has graphs.
#pragma once

#include <optional>
#include <vector>

#include "query/feed.h"
#include "query/internal/top_items.h"
#include "query/slot_blocks.h"
#include "query/step_budget.h"
#include "vector/planned_search.h"

namespace tidal::query {

/// vector::PlannedSearch, and an exact comparison of what it finds; of all there is where so much
/// of that went between two steps that fewer than wanted are left. Threads and lifetime: those of
/// the run it is part of, whose context it borrows.
class AnnRun {
public:
    /// @param by        A similarity to an anchor that the context has.
    /// @param wanted    How many of the nearest.
    /// @param accepted  Slots that may be listed; nullptr = whatever has a vector.
    AnnRun(const ranking::ShardView& view, const ranking::Feature& by,
           const ranking::EvaluationContext& context, vector::Effort effort, std::uint32_t wanted,
           const Roaring* accepted);

    /// False = the budget is spent.
    /// @param also  What of `accepted` may be listed is rather asked here, one by one.
    Result<bool> step(
        const ranking::ShardView& view, TopItems& top, StepBudget& budget,
        vector::GraphSearch::Accepts also = [](Slot) { return true; });
    const vector::SearchTrace& trace() { return search_.trace(); }

private:
    void begin_to_compare(const ranking::ShardView& view);
    Result<bool> compare(const ranking::ShardView& view, TopItems& top, StepBudget& budget,
                         vector::GraphSearch::Accepts also);

    const ranking::Feature by_;
    const ranking::EvaluationContext& context_;
    const std::uint32_t wanted_;
    vector::PlannedSearch search_;
    std::optional<Roaring> with_changed_;  ///< What was found, and what has changed meanwhile.
    std::optional<Roaring> others_;        ///< What the search passed over, once it is needed.
    std::optional<SlotBlocks> blocks_;     ///< Of what is compared.
    std::size_t listed_ = 0;               ///< Of it.
    bool gone_ = false;                    ///< Some of it was not to be listed any more.
    std::vector<Slot> slots_;
    std::vector<double> keys_;
};

}  // namespace tidal::query
