// query/feed_run.h: what a feed does on one shard, in steps that each hold the monitor shortly.
//
// Between two steps anything may happen to the shard. A run visits each slot that existed when it
// began once, in rising order, in windows: what is a candidate and what the filter accepts is what
// held when its window was looked at; a score what held when it was computed, later on. At the end
// what was deleted meanwhile is left out, and what no longer is open or matches. So nothing is
// shown twice, nothing dead is shown, and what nobody touched ranks as if nothing had been between.
// A schema that changes meanwhile is added to, so names stay resolved.
// docs/decisions/0022-feeds-in-steps.md.
#pragma once

#include <memory>
#include <vector>

#include "query/feed.h"
#include "query/step_budget.h"

namespace tidal::query {

/// Threads: one at a time; step() inside the shard's monitor, each time with a view of that shard.
/// Lifetime: the plan outlives it and does not change.
class FeedRun {
public:
    /// @param ends_behind  Ends where there is a view of the order that was read or written for a
    ///                     later moment than the plan's, rather than look at all entities, unless
    ///                     a cursor keeps the moment: see behind_ms().
    explicit FeedRun(const FeedPlan& plan, bool ends_behind = false);
    ~FeedRun();
    FeedRun(FeedRun&&) noexcept;

    /// True when the page is ready. After an error the run is over.
    /// @param views  Of the same entities; nullptr = none.
    /// @return kIo  a cold ledger or a row could not be read.
    Result<bool> step(const ranking::ShardView& view, StepBudget budget = StepBudget(),
                      TopViews* views = nullptr);
    ShardPage take();
    /// After step() was true: 0, or the run gave up, and a plan for this moment can be answered off
    /// the view.
    UnixMillis behind_ms() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

/// The lists of the profile's sources, likewise.
class SourcesRun {
public:
    /// @param texts_only  The lists of other sources stay empty.
    explicit SourcesRun(const FeedPlan& plan, bool texts_only = false);
    ~SourcesRun();
    SourcesRun(SourcesRun&&) noexcept;

    /// @param views  Of the same entities; nullptr = none.
    Result<bool> step(const ranking::ShardView& view, StepBudget budget = StepBudget(),
                      TopViews* views = nullptr);
    /// One list per source, at most its limit long; empty of `scan`.
    std::vector<SourceList> take();
    /// One per source, all zero but of `ann`.
    const std::vector<vector::SearchTrace>& ann_traces() const;
    /// Of the source of texts.
    const text::SearchTrace& text_trace() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace tidal::query
