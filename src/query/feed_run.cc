#include "query/feed.h"

#include <algorithm>
#include <cassert>

#include "query/internal/candidate_lists.h"
#include "query/internal/item_order.h"
#include "query/internal/shown_before.h"
#include "query/internal/top_items.h"
#include "query/internal/view_page.h"
#include "query/slot_blocks.h"
#include "ranking/table_features.h"

namespace tidal::query {
namespace {

class FeedRun {
public:
    FeedRun(const ranking::ShardView& view, const FeedPlan& plan)
        : view_(view),
          plan_(plan),
          order_(plan.descending()),
          tables_(view),
          features_(view, plan, tables_),
          context_{.now_ms = plan.now_ms, .seed = plan.seed, .params = plan.params},
          evaluator_(plan.profile->program, features_, context_),
          shown_(plan, view.entities),
          top_(plan.keep, view.entities) {}

    Result<ShardPage> run(TopViews* views) {
        const bool by_member = plan_.filter || !plan_.facets.empty();
        if (views != nullptr && !by_member) {
            TIDAL_ASSIGN(const bool read, read_view(*views, nullptr));
            if (read) return std::move(page_);
        }
        const Eligible eligible(view_, plan_);
        const Roaring open = eligible.open();
        const Roaring candidates = plan_.scans() ? open : features_.listed() & open;
        page_.counts.candidates = candidates.cardinality();
        const Roaring asked = eligible.without_excluded(candidates);
        const Roaring matched =
            eligible.accepted(asked, plan_.explain ? &page_.filter_trace : nullptr);
        page_.counts.matched = matched.cardinality();
        page_.facets = count_facets(plan_.facets, view_.entities, asked, matched, plan_.now_ms);
        if (views != nullptr && by_member) {
            TIDAL_ASSIGN(const bool read, read_view(*views, &matched));
            if (read) return std::move(page_);
        }
        TIDAL_TRY(score(matched));
        TIDAL_TRY(collect());
        return std::move(page_);
    }

private:
    /// The page without a scan, if the order is kept as a view.
    Result<bool> read_view(TopViews& views, const Roaring* matched) {
        TIDAL_ASSIGN(const auto front, page_from_view(view_, plan_, views, matched));
        if (!front) return false;
        if (matched == nullptr) page_.counts = front->counts;
        page_.counts.scored = front->counts.scored;
        for (const ScoredSlot& entry : front->items) top_.offer(entry.key, entry.slot);
        TIDAL_TRY(collect());
        return true;
    }

    Result<void> score(const Roaring& matched) {
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
        const bool gated = plan_.profile->program.gate.has_value();
        const auto gates = gated ? evaluator_.gates(slots.size()) : std::span<const double>();
        for (std::size_t i = 0; i < slots.size(); ++i) {
            if (gated && gates[i] == 0) {
                --page_.counts.matched;
                continue;
            }
            const double key = order_.key(scores[i]);
            if (top_.admits(key) && !shown_.contains(key, slots[i])) top_.offer(key, slots[i]);
        }
        return {};
    }

    Result<void> collect() {
        std::optional<ranking::Evaluator> explainer;
        if (plan_.explain) explainer.emplace(plan_.profile->explain, features_, context_);
        for (const auto& entry : top_.take()) {
            ScoredItem item{*entry.id, order_.key(entry.key), entry.slot, std::nullopt, {}};
            TIDAL_ASSIGN(item.diverse, diverse_item(entry.slot));
            if (explainer) {
                TIDAL_ASSIGN(item.explanation, explainer->explain(entry.slot));
            }
            page_.items.push_back(std::move(item));
        }
        return {};
    }

    /// What the plan's rules look at.
    Result<DiverseItem> diverse_item(Slot slot) {
        DiverseItem out;
        if (plan_.diversity.empty()) return out;
        TIDAL_ASSIGN(const auto entity, view_.entities.get(view_.entities.id_of(slot)));
        for (const ranking::DiversityRule& rule : plan_.diversity) {
            RuleValues values;
            if (rule.kind == ranking::DiversityKind::kMaxPerCreator) {
                if (entity && entity->creator) values.push_back(entity->creator->to_string());
            } else if (entity) {
                values = values_of(*entity, *view_.schema.find_field(plan_.kind, rule.name));
            }
            out.values.push_back(std::move(values));
        }
        return out;
    }

    static RuleValues values_of(const entity::EntityView& entity, const schema::FieldSpec& field) {
        for (const auto& [id, value] : entity.fields) {
            if (id != field.id) continue;
            if (const auto* text = std::get_if<std::string>(&value)) return {*text};
            if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
            if (const auto* flag = std::get_if<bool>(&value)) return {*flag ? "true" : "false"};
        }
        return {};
    }

    const ranking::ShardView& view_;
    const FeedPlan& plan_;
    const ItemOrder order_;
    ranking::TableFeatureSource tables_;
    RankedFeatures features_;
    const ranking::EvaluationContext context_;
    ranking::Evaluator evaluator_;
    const ShownBefore shown_;
    TopItems top_;
    ShardPage page_;
};

}  // namespace

Result<ShardPage> run_feed(const ranking::ShardView& view, const FeedPlan& plan, TopViews* views) {
    assert(view.kind == plan.kind);
    return FeedRun(view, plan).run(views);
}

}  // namespace tidal::query
