// Sources: the first of each order, over all shards, before anything is scored.
#include <algorithm>
#include <cassert>

#include "query/internal/candidate_lists.h"
#include "query/internal/item_order.h"
#include "query/internal/time_gates.h"
#include "query/internal/top_items.h"
#include "query/slot_blocks.h"
#include "ranking/table_features.h"

namespace tidal::query {

using ranking::Feature;
using ranking::FeatureKind;
using ranking::SourceKind;

Eligible::Eligible(const ranking::ShardView& view, const FeedPlan& plan)
    : view_(view), plan_(plan) {}

Roaring Eligible::open() const {
    const TimeGates gates(view_.entities, plan_.now_ms);
    return select(view_.entities.live(), [&](std::uint32_t slot) { return gates.open(slot); });
}

Roaring Eligible::without_excluded(Roaring slots) const {
    for (const EntityId& id : plan_.exclude)
        if (const auto slot = view_.entities.find(id)) slots.remove(slot->value());
    return slots;
}

Roaring Eligible::accepted(const Roaring& slots, std::vector<NodeTrace>* trace) const {
    if (!plan_.filter) return slots;
    return evaluate(*plan_.filter, view_.entities, slots, plan_.now_ms, trace);
}

Feature order_of(const ranking::Source& source, const schema::Schema& schema) {
    if (source.kind == SourceKind::kRecent) return {.kind = FeatureKind::kCreatedAt};
    const schema::SignalSpec* const signal = schema.find_signal(source.name);
    assert(signal != nullptr && "compile_profile() knows it");
    if (source.kind == SourceKind::kOrdered)
        return {.kind = FeatureKind::kDecay, .signal = signal->id};
    assert(source.kind == SourceKind::kWindowTop);
    return {.kind = FeatureKind::kSum, .signal = signal->id, .window = source.window};
}

namespace {

Result<SourceList> list_of(const ranking::ShardView& view, const FeedPlan& plan,
                           const ranking::Source& source, const Roaring& eligible) {
    const Feature order = order_of(source, view.schema);
    const bool positive_only = source.kind != SourceKind::kRecent;
    const ranking::EvaluationContext context{
        .now_ms = plan.now_ms, .seed = plan.seed, .params = plan.params};
    ranking::TableFeatureSource features(view);
    TopItems top(source.limit_or_default(), view.entities);
    SlotBlocks blocks(eligible);
    Slot slots[ranking::kBlockSlots];
    double keys[ranking::kBlockSlots];
    for (auto block = blocks.next(); !block.empty(); block = blocks.next()) {
        for (std::size_t i = 0; i < block.size(); ++i) slots[i] = Slot(block[i]);
        TIDAL_TRY(features.fill(order, {slots, block.size()}, context, {keys, block.size()}));
        for (std::size_t i = 0; i < block.size(); ++i)
            if (!positive_only || keys[i] > 0) top.offer(keys[i], slots[i]);
    }
    SourceList list;
    for (const auto& entry : top.take()) list.push_back({*entry.id, entry.key});
    return list;
}

}  // namespace

Result<std::vector<SourceList>> run_sources(const ranking::ShardView& view, const FeedPlan& plan) {
    const Eligible rules(view, plan);
    const Roaring eligible = rules.accepted(rules.without_excluded(rules.open()));
    std::vector<SourceList> lists;
    for (const ranking::Source& source : plan.profile->profile.sources) {
        if (source.kind == SourceKind::kScan) {
            lists.emplace_back();
            continue;
        }
        TIDAL_ASSIGN(SourceList list, list_of(view, plan, source, eligible));
        lists.push_back(std::move(list));
    }
    return lists;
}

void merge_sources(std::span<const std::vector<SourceList>> of_shards, FeedPlan* plan) {
    const auto& sources = plan->profile->profile.sources;
    plan->ranks.assign(sources.size(), {});
    for (std::size_t source = 0; source < sources.size(); ++source) {
        SourceList all;
        for (const auto& lists : of_shards)
            all.insert(all.end(), lists[source].begin(), lists[source].end());
        std::ranges::sort(all, [](const SourceEntry& a, const SourceEntry& b) {
            return ItemOrder::before(a.key, a.id, b.key, b.id);
        });
        if (all.size() > sources[source].limit_or_default())
            all.resize(sources[source].limit_or_default());
        for (std::size_t i = 0; i < all.size(); ++i)
            plan->ranks[source].emplace(std::move(all[i].id), static_cast<std::uint32_t>(i + 1));
    }
}

RankedFeatures::RankedFeatures(const ranking::ShardView& view, const FeedPlan& plan,
                               ranking::FeatureSource& tables)
    : tables_(tables), ranks_(plan.ranks.size()) {
    for (std::size_t source = 0; source < plan.ranks.size(); ++source)
        for (const auto& [id, rank] : plan.ranks[source])
            if (const auto slot = view.entities.find(id))
                ranks_[source].emplace(slot->value(), rank);
}

Result<void> RankedFeatures::fill(const Feature& feature, std::span<const Slot> slots,
                                  const ranking::EvaluationContext& context,
                                  std::span<double> out) {
    if (feature.kind != FeatureKind::kSourceRank) return tables_.fill(feature, slots, context, out);
    constexpr double kRankBase = 60;  // Of reciprocal rank fusion.
    const auto& ranks = ranks_[feature.source];
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const auto found = ranks.find(slots[i].value());
        out[i] = found == ranks.end() ? 0 : 1 / (kRankBase + found->second);
    }
    return {};
}

bool RankedFeatures::is_missing(const Feature& feature, Slot slot) const {
    if (feature.kind == FeatureKind::kSourceRank)
        return !ranks_[feature.source].contains(slot.value());
    return tables_.is_missing(feature, slot);
}

Roaring RankedFeatures::listed() const {
    Roaring out;
    for (const auto& ranks : ranks_)
        for (const auto& [slot, rank] : ranks) out.add(slot);  // A set: any order.
    return out;
}

}  // namespace tidal::query
