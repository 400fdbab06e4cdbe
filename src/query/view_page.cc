#include "query/internal/view_page.h"

#include <algorithm>

#include "query/internal/hard_negatives.h"
#include "query/internal/shown_before.h"
#include "query/internal/time_gates.h"
#include "query/internal/top_view.h"

namespace tidal::query {
namespace {

/// Entries looked at together beyond a page, for those that are closed or were shown; then more,
/// for those that a filter thins out.
constexpr std::size_t kSpareEntries = 8;

class Reader {
public:
    Reader(const ranking::ShardView& view, const FeedPlan& plan, const Roaring* matched,
           TopView& top)
        : entities_(view.entities),
          plan_(plan),
          matched_(matched),
          gates_(view.entities, plan.now_ms),
          shown_(plan, view.entities),
          walk_(top, view, plan.now_ms) {
        if (matched != nullptr) return;  // They are left out of it.
        excluded_ = HardNegatives(plan).all(view);
        for (const EntityId& id : plan.exclude)
            if (const auto slot = entities_.find(id)) excluded_.add(slot->value());
    }

    /// False = the walk ended before the page was full.
    Result<bool> fill() {
        std::size_t wanted = plan_.keep + kSpareEntries;
        page_.items.reserve(plan_.keep);
        while (page_.items.size() < plan_.keep) {
            TIDAL_ASSIGN(const auto block, walk_.next(wanted));
            if (block.empty()) return false;
            for (const ScoredSlot& entry : block)
                if (page_.items.size() < plan_.keep && is_wanted(entry))
                    page_.items.push_back(entry);
            wanted = std::min(2 * wanted, ranking::kBlockSlots);
        }
        return true;
    }

    /// @param open  How many candidates there are; unused with `matched`.
    ViewPage finish(std::uint64_t open) {
        page_.counts.scored = walk_.scored();
        if (matched_ != nullptr) return std::move(page_);
        page_.counts.candidates = page_.counts.matched = open;
        for (const std::uint32_t slot : excluded_) page_.counts.matched -= gates_.open(slot);
        return std::move(page_);
    }

private:
    bool is_wanted(const ScoredSlot& entry) const {
        const std::uint32_t slot = entry.slot.value();
        const bool accepted = matched_ != nullptr ? matched_->contains(slot)
                                                  : gates_.open(slot) && !excluded_.contains(slot);
        return accepted && !shown_.contains(entry.key, entry.slot);
    }

    const entity::EntityTable& entities_;
    const FeedPlan& plan_;
    const Roaring* const matched_;
    const TimeGates gates_;
    const ShownBefore shown_;
    TopView::Walk walk_;
    Roaring excluded_;
    ViewPage page_;
};

}  // namespace

Result<std::optional<ViewPage>> page_from_view(const ranking::ShardView& view, const FeedPlan& plan,
                                               TopViews& views, const Roaring* matched) {
    if (plan.reordered) return std::optional<ViewPage>();
    if (matched != nullptr && matched->cardinality() < views.options().matched_min)
        return std::optional<ViewPage>();
    TIDAL_ASSIGN(TopView * top, views.find(view, plan.profile, plan.params, plan.now_ms));
    if (top == nullptr) return std::optional<ViewPage>();
    const auto open = matched != nullptr ? 0 : views.count_open(plan.now_ms);
    if (!open) {
        views.count_page(*top, ViewMiss::kMaking);
        return std::optional<ViewPage>();
    }
    Reader reader(view, plan, matched, *top);
    TIDAL_ASSIGN(const bool full, reader.fill());
    const bool complete = full || top->whole();
    views.count_page(*top, complete ? std::nullopt : std::optional(ViewMiss::kShort));
    if (!complete) return std::optional<ViewPage>();
    return std::optional(reader.finish(*open));
}

}  // namespace tidal::query
