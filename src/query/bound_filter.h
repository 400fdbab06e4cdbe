// query/bound_filter.h: a filter whose names are resolved and whose NOTs are pushed to the leaves.
#pragma once

#include <roaring/roaring.hh>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "audience/state_names.h"
#include "base/hlc.h"
#include "base/ids.h"
#include "entity/entity_table.h"
#include "query/filter.h"
#include "query/viewer.h"
#include "ranking/anchor_vectors.h"
#include "schema/schema.h"
#include "vector/shard_vectors.h"

namespace tidal::audience {
class Collections;
class UserStates;
}  // namespace tidal::audience

namespace tidal::query {

class Collections;

/// Numbers between two bounds, both included. Absent numbers are in no range and outside none.
struct InRange {
    entity::NumberSource column;
    double low = 0, high = 0;
    bool outside = false;  ///< Wants those not in the range.
};
struct InNumbers {
    entity::NumberSource column;
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
/// A fixed time that may be absent.
struct TimePresent {
    entity::NumberSource column;
    bool negated = false;
};
/// Within `km` of a place; an entity without one is neither near nor far.
struct Near {
    FieldId field;
    record::GeoPoint place;
    double km = 0;
    bool negated = false;
};
/// created_at >= now - age_ms.
struct CreatedWithin {
    std::int64_t age_ms = 0;
    bool negated = false;
};
/// What the user did with the item; never unknown.
struct InUserState {
    EntityId user;
    audience::StateId state;
    bool negated = false;
};
/// Somebody of these did something with the item: it is in one of the states; never unknown.
struct EngagedBy {
    std::vector<EntityId> users;
    std::vector<audience::StateId> states;
    bool negated = false;
};
/// The item's creator is one of these; an item without one is of none.
struct OfCreators {
    std::vector<EntityId> ids;
    bool negated = false;
};
/// In a collection of items; never unknown.
struct InCollection {
    CollectionId collection;
    bool negated = false;
};
struct Constant {
    bool value = false;
};
/// How near the entity's vector is to what the request gives (AnchorVectors): within the bounds,
/// or with `values` one of them. An entity without a vector is neither near nor far.
struct SimilarityIs {
    EmbeddingSlotId slot;
    double low = 0, high = 0;
    std::vector<double> values;  ///< Sorted.
    bool outside = false;
    double cost = 0;  ///< Nanoseconds that one takes.
};
using Leaf = std::variant<InRange, InNumbers, HasValue, HasPrefix, IsPresent, CreatorIs,
                          CreatorPresent, EntityIs, TimePresent, Near, CreatedWithin, InUserState,
                          OfCreators, EngagedBy, InCollection, Constant, SimilarityIs>;

struct BoundFilter {
    enum class Kind : std::uint8_t { kAnd, kOr, kLeaf };
    Kind kind = Kind::kLeaf;
    std::vector<BoundFilter> children;
    Leaf leaf = Constant{true};
    std::uint32_t index = 0;  ///< Its place in the tree, parents first.
    std::string text;         ///< The condition; "AND" or "OR".
};

/// What the request around the filter gives.
struct FilterInputs {
    const Viewer* user = nullptr;
    bool anchor = false;                       ///< A vector, or an item whose vector counts.
    const Collections* collections = nullptr;  ///< nullptr = there are none.
};

/// What happened at one node.
struct NodeTrace {
    double estimated = 0;        ///< Of the examined, how many were expected to match.
    std::uint64_t examined = 0;  ///< Slots asked about; 0 = the rest had decided already.
    std::uint64_t matched = 0;
    NodeTrace& operator+=(const NodeTrace& other) {
        estimated += other.estimated;
        examined += other.examined;
        matched += other.matched;
        return *this;
    }
};
/// For people: a node and its trace.
struct FilterExplanation {
    std::string text;
    std::uint32_t depth = 0;
    NodeTrace trace;  ///< Of all shards together.
};

struct NodeEstimate;

/// What a filter reads beside the entities. Lifetime: borrowed as those.
struct FilterState {
    const vector::ShardVectors* vectors = nullptr;       ///< nullptr = nobody has one.
    const ranking::AnchorVectors* anchors = nullptr;     ///< nullptr = none.
    const audience::UserStates* user_states = nullptr;   ///< nullptr = nobody did anything.
    const audience::Collections* collections = nullptr;  ///< nullptr = nothing is in any.
};

/// Resolves names against `schema` for entities of `kind` and types the values.
/// @param source  The text the offsets of `filter` count in.
/// @return kUnknownName  no such field or collection, with a hint;
///         kInvalidArgument  a value or comparison the field's type does not have, or a condition
///                           about the user of a request that names none (reason missing_input);
///         kUnsupported      a condition on state this version does not keep;
///         all with line, column, offset.
Result<BoundFilter> bind_filter(const FilterNode& filter, std::string_view source,
                                const schema::Schema& schema, EntityKind kind,
                                const FilterInputs& inputs = {});

/// The slots of `domain` that match, as of `now_ms`. Truth is that of SQL: a comparison with a
/// value the entity lacks is unknown, and so is its NOT; only what is true matches.
/// Of the parts of an AND the most selective goes first (selectivity.h); a part is asked only about
/// what is still undecided.
/// @param domain  Live slots only.
/// @param trace   When given, becomes one row per node, by BoundFilter::index.
Roaring evaluate(const BoundFilter& filter, const entity::EntityTable& entities,
                 const Roaring& domain, UnixMillis now_ms, std::vector<NodeTrace>* trace = nullptr,
                 const FilterState& state = {});

/// A filter to ask about one part of a table after the other. What it knows of the table for the
/// order of evaluation, and of values named in lists and prefixes, is of when it was made.
/// Lifetime: borrows filter, table and states. Threads: those of the table, which may change in
/// between.
class FilterEvaluator {
public:
    FilterEvaluator(const BoundFilter& filter, const entity::EntityTable& entities,
                    UnixMillis now_ms, const FilterState& state = {});
    ~FilterEvaluator();
    FilterEvaluator(FilterEvaluator&&) noexcept;

    /// As evaluate().
    /// @param trace  When given, has one row per node or none; what happened is added.
    Roaring run(const Roaring& domain, std::vector<NodeTrace>* trace = nullptr) const;
    /// About the nanoseconds that a look at one slot of a domain takes.
    double cost() const { return cost_; }

private:
    const BoundFilter& filter_;
    const entity::EntityTable& entities_;
    const UnixMillis now_ms_;
    const FilterState state_;
    std::vector<NodeEstimate> estimates_;
    double cost_ = 0;
};

/// The nodes by index: text and depth.
std::vector<FilterExplanation> describe_nodes(const BoundFilter& filter);

}  // namespace tidal::query
