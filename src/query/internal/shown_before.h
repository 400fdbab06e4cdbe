// query/internal/shown_before.h: what the pages before have shown already.
#pragma once

#include "query/feed.h"
#include "query/internal/item_order.h"

namespace tidal::query {

/// Lifetime: borrows the plan and the table.
class ShownBefore {
public:
    ShownBefore(const FeedPlan& plan, const entity::EntityTable& entities)
        : plan_(plan),
          entities_(entities),
          order_(plan.descending()),
          places_(plan.descending(), plan.text_field, entities) {}

    /// @param key  ItemOrder::key of its score.
    bool contains(double key, Slot slot) const {
        if (plan_.after) return !is_after(key, slot);
        return !plan_.shown_hashes.empty() &&
               plan_.shown_hashes.contains(short_hash(entities_.id_of(slot)));
    }

private:
    bool is_after(double key, Slot slot) const {
        const PagePosition& after = *plan_.after;
        return places_.before({order_.key(after.score), after.text, after.id},
                              places_.place(key, slot));
    }

    const FeedPlan& plan_;
    const entity::EntityTable& entities_;
    const ItemOrder order_;
    const ShardOrder places_;
};

}  // namespace tidal::query
