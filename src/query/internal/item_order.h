// query/internal/item_order.h: the one order of a page: by score, where texts are ordered by the
// text, then by rising id.
#pragma once

#include <optional>
#include <string_view>

#include "base/ids.h"
#include "entity/entity_table.h"

namespace tidal::query {

/// Where an entity stands in an order.
struct Place {
    double key = 0;         ///< ItemOrder::key() of its score.
    std::string_view text;  ///< What the score is the beginning of; empty but in orders of texts.
    const EntityId& id;
};

/// Ascending orders are descending ones of the negated score (exact), so that the rest of the code
/// knows only "greater key first".
class ItemOrder {
public:
    explicit ItemOrder(bool descending) : sign_(descending ? 1.0 : -1.0) {}
    double key(double score) const { return sign_ * score; }
    static bool before(double a_key, const EntityId& a, double b_key, const EntityId& b) {
        return a_key != b_key ? a_key > b_key : a < b;
    }
    bool before(const Place& a, const Place& b) const {
        if (a.key != b.key) return a.key > b.key;
        const int texts = a.text.compare(b.text);
        if (texts != 0) return sign_ > 0 ? texts > 0 : texts < 0;
        return a.id < b.id;
    }

private:
    double sign_;
};

/// The places of one shard's entities. Lifetime: borrows the table.
class ShardOrder {
public:
    /// @param text_field  What is ordered by, where that is a text.
    ShardOrder(bool descending, std::optional<FieldId> text_field,
               const entity::EntityTable& entities)
        : order_(descending), text_field_(text_field), entities_(entities) {}

    std::string_view text(Slot slot) const {
        return text_field_ ? entities_.text_of(*text_field_, slot) : std::string_view();
    }
    Place place(double key, Slot slot) const { return {key, text(slot), entities_.id_of(slot)}; }
    bool before(const Place& a, const Place& b) const { return order_.before(a, b); }
    const entity::EntityTable& entities() const { return entities_; }

private:
    ItemOrder order_;
    std::optional<FieldId> text_field_;
    const entity::EntityTable& entities_;
};

}  // namespace tidal::query
