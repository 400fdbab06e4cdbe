// query/text_run.h: the text a request searches for: what of it depends on no shard, and its turns
// on each.
//
//   TextRun, merge_texts()                      statistics of all shards, before sources
//   SourcesRun, merge_sources()                 the best answers, as of any source
//   where they are fewer than the page and words may be mistyped, once more with typos:
//   TextRun, merge_texts(), SourcesRun, merge_typos()
#pragma once

#include <span>
#include <string>
#include <vector>

#include "query/feed.h"
#include "query/step_budget.h"

namespace tidal::query {

/// Threads: one at a time; step() inside the shard's monitor. Lifetime: the plan outlives it.
class TextRun {
public:
    /// Precondition: plan.text. @param typos  What the words may have meant.
    TextRun(const FeedPlan& plan, bool typos);

    /// True when all is gathered.
    bool step(const ranking::ShardView& view, StepBudget budget = StepBudget());
    text::Statistics take() { return std::move(statistics_); }

private:
    const bool typos_;
    const std::vector<const text::QueryNode*> words_;
    std::size_t next_ = 0;
    text::Statistics statistics_;
};

void merge_texts(std::span<const text::Statistics> of_shards, bool typos, FeedPlan* plan);

/// Whether too little was found by the words as they are.
bool wants_typos(const FeedPlan& plan);
/// Puts what only typos find behind what was found before.
void merge_typos(std::span<const std::vector<SourceList>> of_shards, FeedPlan* plan);

}  // namespace tidal::query
