// query/internal/source_walk.h: the list of a source that knows its members, at the cost of what it
// lists and not of all that a shard holds.
//
// co_engaged            its parts, the heaviest first, until none can come in: a part is a bound of
//                       its value
// ordered, window_top,
// popular, recent       the front of a view of that order (query/top_views.h), as of the page's
//                       moment or the newest that the view was read for
// what is explored      likewise
// cohort_top            the items that a cohort has a ledger of
// follows               the items of each creator
// collection            its members
#pragma once

#include <optional>
#include <vector>

#include "query/feed.h"
#include "query/internal/candidate_scan.h"
#include "query/internal/top_items.h"
#include "query/slot_blocks.h"
#include "query/step_budget.h"
#include "query/top_views.h"

namespace tidal::query {

/// Whoever stands in a list is asked one by one whether the plan leaves it. Threads and lifetime:
/// those of the run it is part of.
class SourceWalk {
public:
    enum class Outcome : std::uint8_t {
        kAgain,  ///< The budget is spent.
        kDone,
        kNoWay,  ///< Entities have to be looked at one by one; nothing was offered.
    };

    /// @param scan  After its prepare(); step() wants its accept() as well.
    SourceWalk(const FeedPlan& plan, const CandidateScan& scan,
               const ranking::EvaluationContext& context)
        : plan_(plan), scan_(scan), context_(context) {}

    /// @param source  Of plan.sources; the same until it is kDone or kNoWay.
    Result<Outcome> step(const ranking::ShardView& view, std::size_t source, TopViews* views,
                         StepBudget& budget, TopItems* top);

private:
    using Part = const CoEngaged::value_type*;

    Result<Outcome> walk_view(const ranking::ShardView& view, std::size_t source, TopViews& views,
                              StepBudget& budget, TopItems* top);
    /// nullptr = it has none.
    std::shared_ptr<const ranking::CompiledProfile> order_of_source(std::size_t source) const;
    Result<Outcome> walk_cohorts(const ranking::ShardView& view, std::size_t source,
                                 StepBudget& budget, TopItems* top);
    bool thins_out(const ranking::ShardView& view, std::uint32_t wanted) const;
    Result<bool> walk_front(const ranking::ShardView& view, TopView& front, UnixMillis as_of,
                            std::uint32_t wanted, bool positive);
    Result<void> offer_front(const ranking::ShardView& view, std::size_t source, TopItems* top);
    Outcome walk_co_engaged(const ranking::ShardView& view, const CoEngaged& parts,
                            StepBudget& budget, TopItems* top);
    Result<Outcome> walk_followed(const ranking::ShardView& view, StepBudget& budget,
                                  TopItems* top);
    Outcome walk_collection(const ranking::ShardView& view, CollectionId id, StepBudget& budget,
                            TopItems* top);
    /// The next members that the plan leaves, into slots_; false = the budget is spent.
    bool next_block(const ranking::ShardView& view, StepBudget& budget);
    Outcome finish();

    const FeedPlan& plan_;
    const CandidateScan& scan_;
    const ranking::EvaluationContext& context_;
    // Of the source under way.
    bool begun_ = false;
    std::vector<Part> parts_;  ///< A heap: the heaviest in front.
    Creators::const_iterator next_followed_;
    std::uint32_t next_slot_ = 0;
    Roaring members_;
    std::optional<SlotBlocks> blocks_;  ///< Of members_.
    std::vector<Slot> slots_;
    std::vector<double> keys_;
};

}  // namespace tidal::query
