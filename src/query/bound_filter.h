// query/bound_filter.h: a filter whose names are resolved and whose NOTs are pushed to the leaves.
#pragma once

#include <roaring/roaring.hh>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "entity/entity_table.h"
#include "query/filter.h"
#include "schema/schema.h"

namespace tidal::query {

/// A column of numbers: a field of the schema, or created_at (milliseconds).
struct NumberColumn {
    bool created_at = false;
    FieldId field;
};

/// Numbers between two bounds, both included. Absent numbers are in no range and outside none.
struct InRange {
    NumberColumn column;
    double low = 0, high = 0;
    bool outside = false;  ///< Wants those not in the range.
};
struct InNumbers {
    NumberColumn column;
    std::vector<double> values;  ///< Sorted.
    bool outside = false;
};
/// keyword, keywords and bool fields: some value is one of these.
struct HasValue {
    FieldId field;
    std::vector<std::string> values;
    bool negated = false;
    bool absent_is_empty =
        false;  ///< keywords: an entity without the field has no value, so NOT holds.
};
struct HasPrefix {
    FieldId field;
    std::string prefix;
    bool negated = false;
    bool absent_is_empty = false;
};
struct IsPresent {
    FieldId field;
    bool negated = false;
};
struct CreatorIs {
    std::vector<EntityId> ids;
    bool negated = false;
};
struct CreatorPresent {
    bool negated = false;
};
struct EntityIs {
    std::vector<EntityId> ids;
    bool negated = false;
};
/// created_at >= now - age_ms.
struct CreatedWithin {
    std::int64_t age_ms = 0;
    bool negated = false;
};
struct Constant {
    bool value = false;
};
using Leaf = std::variant<InRange, InNumbers, HasValue, HasPrefix, IsPresent, CreatorIs,
                          CreatorPresent, EntityIs, CreatedWithin, Constant>;

struct BoundFilter {
    enum class Kind : std::uint8_t { kAnd, kOr, kLeaf };
    Kind kind = Kind::kLeaf;
    std::vector<BoundFilter> children;
    Leaf leaf = Constant{true};
};

/// Resolves names against `schema` for entities of `kind` and types the values.
/// @param source  The text the offsets of `filter` count in.
/// @return kUnknownName  no such field, with a hint;
///         kInvalidArgument  a value or comparison the field's type does not have;
///         both with line, column, offset.
Result<BoundFilter> bind_filter(const FilterNode& filter, std::string_view source,
                                const schema::Schema& schema, EntityKind kind);

/// The slots of `domain` that match, as of `now_ms`. Truth is that of SQL: a comparison with a
/// value the entity lacks is unknown, and so is its NOT; only what is true matches.
/// @param domain  Live slots only.
Roaring evaluate(const BoundFilter& filter, const entity::EntityTable& entities,
                 const Roaring& domain, UnixMillis now_ms);

}  // namespace tidal::query
