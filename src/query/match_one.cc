#include "query/match_one.h"

#include <algorithm>
#include <cassert>

#include "ranking/table_features.h"

namespace tidal::query {
namespace {

/// Truth is that of SQL: what is unknown is no match, and neither is its NOT.
class One {
public:
    One(const entity::EntityTable& entities, Slot slot) : entities_(entities), slot_(slot) {}

    bool operator()(const InRange& leaf) const {
        const double v = entities_.numbers(leaf.column)[slot_.value()];
        return v == v && (v >= leaf.low && v <= leaf.high) != leaf.outside;
    }
    bool operator()(const InNumbers& leaf) const {
        const double v = entities_.numbers(leaf.column)[slot_.value()];
        return v == v && std::ranges::binary_search(leaf.values, v) != leaf.outside;
    }
    bool operator()(const TimePresent& leaf) const {
        const double v = entities_.numbers(leaf.column)[slot_.value()];
        return (v == v) != leaf.negated;
    }
    bool operator()(const HasValue& leaf) const {
        const bool holds = std::ranges::any_of(leaf.values, [&](const std::string& value) {
            return contains(entities_.keyword_bitmap(leaf.field, value));
        });
        return of_keywords(leaf.field, holds, leaf.negated, leaf.absent_is_empty);
    }
    bool operator()(const HasPrefix& leaf) const {
        bool holds = false;
        entities_.for_each_keyword(leaf.field, [&](std::string_view value, const Roaring& slots) {
            holds = holds || (value.starts_with(leaf.prefix) && slots.contains(slot_.value()));
        });
        return of_keywords(leaf.field, holds, leaf.negated, leaf.absent_is_empty);
    }
    bool operator()(const IsPresent& leaf) const {
        return contains(entities_.present_bitmap(leaf.field)) != leaf.negated;
    }
    bool operator()(const Near& leaf) const {
        const auto places = entities_.geo_column(leaf.field);
        if (slot_.value() >= places.size()) return false;
        const record::GeoPoint& place = places[slot_.value()];
        if (place.latitude != place.latitude) return false;
        return (ranking::distance_km(leaf.place, place) <= leaf.km) != leaf.negated;
    }
    bool operator()(const EntityIs& leaf) const {
        const EntityId& id = entities_.id_of(slot_);
        return (std::ranges::find(leaf.ids, id) != leaf.ids.end()) != leaf.negated;
    }
    bool operator()(const CreatorIs& leaf) const {
        const EntityId* const creator = entities_.creator_of(slot_);
        if (creator == nullptr) return false;
        return (std::ranges::find(leaf.ids, *creator) != leaf.ids.end()) != leaf.negated;
    }
    bool operator()(const CreatorPresent& leaf) const {
        return (entities_.creator_of(slot_) != nullptr) != leaf.negated;
    }
    bool operator()(const Constant& leaf) const { return leaf.value; }
    template <typename Other>
    bool operator()(const Other&) const {
        assert(false && "is_of_fields_alone()");
        return false;
    }

private:
    bool contains(const Roaring* slots) const {
        return slots != nullptr && slots->contains(slot_.value());
    }
    bool of_keywords(FieldId field, bool holds, bool negated, bool absent_is_empty) const {
        if (!negated) return holds;
        return !holds && (absent_is_empty || contains(entities_.present_bitmap(field)));
    }

    const entity::EntityTable& entities_;
    const Slot slot_;
};

bool reads_more(const Leaf& leaf) {
    return std::holds_alternative<CreatedWithin>(leaf) ||
           std::holds_alternative<InUserState>(leaf) || std::holds_alternative<OfCreators>(leaf) ||
           std::holds_alternative<InCollection>(leaf) || std::holds_alternative<EngagedBy>(leaf) ||
           std::holds_alternative<SimilarityIs>(leaf);
}

}  // namespace

bool is_of_fields_alone(const BoundFilter& filter) {
    if (filter.kind == BoundFilter::Kind::kLeaf) return !reads_more(filter.leaf);
    return std::ranges::all_of(filter.children, is_of_fields_alone);
}

bool matches(const BoundFilter& filter, const entity::EntityTable& entities, Slot slot) {
    const auto one = [&](const BoundFilter& child) { return matches(child, entities, slot); };
    switch (filter.kind) {
        case BoundFilter::Kind::kAnd:
            return std::ranges::all_of(filter.children, one);
        case BoundFilter::Kind::kOr:
            return std::ranges::any_of(filter.children, one);
        case BoundFilter::Kind::kLeaf:
            break;
    }
    return std::visit(One(entities, slot), filter.leaf);
}

}  // namespace tidal::query
