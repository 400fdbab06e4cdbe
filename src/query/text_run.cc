#include "query/text_run.h"

#include <algorithm>

#include "query/internal/item_order.h"

namespace tidal::query {

TextRun::TextRun(const FeedPlan& plan, bool typos)
    : typos_(typos), words_(text::words_of(plan.text->query.root)) {}

bool TextRun::step(const ranking::ShardView& view, StepBudget budget) {
    constexpr double kWordCost = 1'000, kVocabularyCost = 250'000;
    if (view.texts == nullptr) return true;
    for (; next_ < words_.size(); ++next_) {
        const text::QueryNode& word = *words_[next_];
        const bool looks_around = typos_ || word.kind == text::QueryNode::Kind::kPrefix;
        if (!budget.take(looks_around ? kVocabularyCost : kWordCost)) return false;
        view.texts->gather(word, typos_, &statistics_);
    }
    if (!typos_) view.texts->gather_fields(&statistics_);
    return true;
}

void merge_texts(std::span<const text::Statistics> of_shards, bool typos, FeedPlan* plan) {
    text::Statistics& all = plan->text->statistics;
    for (const text::Statistics& each : of_shards) all.add(each);
    all.choose_words();
    plan->text->typos = typos;
    if (!typos && all.prefix_unseen)
        plan->warnings.emplace_back(
            "a prefix stands for more words than are looked at: the most frequent of those that "
            "are looked at are searched for");
    else if (!typos && all.cut)
        plan->warnings.emplace_back(
            "a prefix stands for more words than are searched for: the most frequent are");
    if (typos && all.typos_unseen)
        plan->warnings.emplace_back(
            "a word that may be mistyped begins like too many others: the first in the alphabet "
            "are looked at");
}

namespace {

/// Those that are read for this user; none when the profile has no text source.
std::vector<std::size_t> text_sources(const FeedPlan& plan) {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < plan.sources.size(); ++i)
        if (plan.sources[i].kind == ranking::SourceKind::kText && plan.reads(plan.sources[i]))
            out.push_back(i);
    return out;
}

}  // namespace

bool wants_typos(const FeedPlan& plan) {
    if (!plan.text || plan.text_matches) return false;
    return std::ranges::any_of(text_sources(plan), [&](std::size_t source) {
        return plan.ranks[source].size() <
               std::min(plan.limit, plan.limit_of(plan.sources[source]));
    });
}

void merge_typos(std::span<const std::vector<SourceList>> of_shards, FeedPlan* plan) {
    for (const std::size_t source : text_sources(*plan)) {
        RankedList& ranks = plan->ranks[source];
        absl::flat_hash_set<EntityId> known;
        for (const RankedEntry& entry : ranks) known.insert(entry.id);
        SourceList all;
        for (const auto& lists : of_shards)
            for (const SourceEntry& entry : lists[source])
                if (!known.contains(entry.id)) all.push_back(entry);
        std::ranges::sort(all, [](const SourceEntry& a, const SourceEntry& b) {
            return ItemOrder::before(a.key, a.id, b.key, b.id);
        });
        const std::size_t limit = plan->limit_of(plan->sources[source]);
        for (SourceEntry& entry : all) {
            if (ranks.size() >= limit) break;
            ranks.push_back({std::move(entry.id), entry.slot});
        }
    }
}

}  // namespace tidal::query
