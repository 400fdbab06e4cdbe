#include "query/feed.h"

#include <algorithm>
#include <cassert>

#include "query/internal/item_order.h"
#include "query/internal/top_items.h"
#include "query/slot_blocks.h"
#include "ranking/table_features.h"

namespace tidal::query {
namespace {

/// Live entities that are published and not expired: every source keeps these gates.
class TimeGates {
public:
    TimeGates(const entity::EntityTable& entities, UnixMillis now_ms)
        : publish_at_(entities.publish_at_column()),
          expires_at_(entities.expires_at_column()),
          now_ms_(now_ms) {}
    bool open(std::uint32_t slot) const {
        return static_cast<bool>((publish_at_[slot] <= now_ms_) & (now_ms_ < expires_at_[slot]));
    }

private:
    std::span<const UnixMillis> publish_at_, expires_at_;
    const UnixMillis now_ms_;
};

class FeedRun {
public:
    FeedRun(const ranking::ShardView& view, const FeedPlan& plan)
        : view_(view),
          plan_(plan),
          order_(plan.descending()),
          source_(view),
          context_{.now_ms = plan.now_ms, .seed = plan.seed, .params = plan.params},
          evaluator_(plan.profile->program, source_, context_),
          top_(plan.keep, view.entities) {}

    Result<ShardPage> run() {
        const TimeGates gates(view_.entities, plan_.now_ms);
        const auto open = [&](std::uint32_t slot) { return gates.open(slot); };
        const Roaring candidates = select(view_.entities.live(), open);
        page_.counts.candidates = candidates.cardinality();
        if (plan_.filter || !plan_.exclude.empty()) {
            const Roaring asked = without_excluded(candidates);
            const Roaring matched = narrow(asked);
            count(asked, matched);
            TIDAL_TRY(score(matched));
        } else {
            count(candidates, candidates);
            TIDAL_TRY(score(candidates));
        }
        TIDAL_TRY(collect());
        return std::move(page_);
    }

private:
    Roaring without_excluded(const Roaring& candidates) const {
        Roaring out = candidates;
        for (const EntityId& id : plan_.exclude)
            if (const auto slot = view_.entities.find(id)) out.remove(slot->value());
        return out;
    }

    Roaring narrow(const Roaring& asked) {
        if (!plan_.filter) return asked;
        return evaluate(*plan_.filter, view_.entities, asked, plan_.now_ms,
                        plan_.explain ? &page_.filter_trace : nullptr);
    }

    void count(const Roaring& asked, const Roaring& matched) {
        page_.facets = count_facets(plan_.facets, view_.entities, asked, matched, plan_.now_ms);
    }

    Result<void> score(const Roaring& matched) {
        page_.counts.matched = matched.cardinality();
        SlotBlocks blocks(matched);
        Slot slots[ranking::kBlockSlots];
        for (auto block = blocks.next(); !block.empty(); block = blocks.next()) {
            for (std::size_t i = 0; i < block.size(); ++i) slots[i] = Slot(block[i]);
            const std::span<const Slot> whole(slots, block.size());
            const std::size_t step = plan_.profile->program.block_slots;
            for (std::size_t at = 0; at < whole.size(); at += step)
                TIDAL_TRY(offer(whole.subspan(at, std::min(step, whole.size() - at))));
        }
        return {};
    }

    Result<void> offer(std::span<const Slot> slots) {
        TIDAL_ASSIGN(const auto scores, evaluator_.run(slots));
        page_.counts.scored += slots.size();
        for (std::size_t i = 0; i < slots.size(); ++i) {
            const double key = order_.key(scores[i]);
            if (!plan_.after || is_after(key, slots[i])) top_.offer(key, slots[i]);
        }
        return {};
    }

    bool is_after(double key, Slot slot) const {
        const double last = order_.key(plan_.after->score);
        if (key != last) return key < last;
        return plan_.after->id < view_.entities.id_of(slot);
    }

    Result<void> collect() {
        std::optional<ranking::Evaluator> explainer;
        if (plan_.explain) explainer.emplace(plan_.profile->explain, source_, context_);
        for (const auto& entry : top_.take()) {
            ScoredItem item{*entry.id, order_.key(entry.key), entry.slot, std::nullopt};
            if (explainer) {
                TIDAL_ASSIGN(item.explanation, explainer->explain(entry.slot));
            }
            page_.items.push_back(std::move(item));
        }
        return {};
    }

    const ranking::ShardView& view_;
    const FeedPlan& plan_;
    const ItemOrder order_;
    ranking::TableFeatureSource source_;
    const ranking::EvaluationContext context_;
    ranking::Evaluator evaluator_;
    TopItems top_;
    ShardPage page_;
};

}  // namespace

Result<ShardPage> run_feed(const ranking::ShardView& view, const FeedPlan& plan) {
    assert(view.kind == plan.kind);
    return FeedRun(view, plan).run();
}

}  // namespace tidal::query
