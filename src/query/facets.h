// query/facets.h: how many of the entities that match a filter have each value of a field.
//
//   parse_facets() -> bind_facets(), once; count_facets(), on each shard, in its monitor;
//   merge_facets(), once. Language: docs/reference/query.md, "Facets".
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "query/bound_filter.h"
#include "query/step_budget.h"

namespace tidal::query {

inline constexpr std::size_t kFacetsMax = 16;
inline constexpr std::size_t kFacetEdgesMax = 100;
inline constexpr std::uint32_t kFacetValuesDefault = 10;
inline constexpr std::uint32_t kFacetValuesMax = 1000;

struct FacetRequest {
    std::string field;
    std::vector<Literal> edges;               ///< Of RANGES; empty = a count per value.
    std::uint32_t top = kFacetValuesDefault;  ///< Values shown, the most frequent ones.
    std::uint32_t offset = 0;                 ///< In the source; not compared.
    bool operator==(const FacetRequest& other) const {
        return field == other.field && edges == other.edges && top == other.top;
    }
};

///   facets := facet { , facet }
///   facet  := FIELD [RANGES ( value { , value } )] [TOP n]
/// @return kInvalidArgument with line, column and offset; kTooLarge past the limits above.
Result<std::vector<FacetRequest>> parse_facets(std::string_view text);
/// Text that parses to equal requests.
std::string print_facets(std::span<const FacetRequest> facets);

struct BoundFacet {
    std::string name;
    bool ranges = false;
    FieldId field;                        ///< keyword, keywords or bool; a number for ranges.
    entity::NumberSource column;          ///< Of ranges.
    std::vector<double> edges;            ///< Rising.
    std::vector<std::string> edge_texts;  ///< As written.
    std::uint32_t top = kFacetValuesDefault;
    /// A facet counts what the filter would leave without its own conditions, so that the values
    /// next to a chosen one keep their counts: true when the filter has such conditions.
    bool own_filter = false;
    std::optional<BoundFilter> filter;  ///< With own_filter: what is left; nullopt = nothing.
};

/// A condition is a facet's own when it is, or all of its parts are, about the facet's field; only
/// conditions the whole filter is an AND of are left out.
/// @param filter  Of the request; nullptr = none. It has been bound without error.
/// @param source  The text the offsets of `facets` count in.
/// @return kUnknownName, kInvalidArgument with line, column and offset; field "facets".
Result<std::vector<BoundFacet>> bind_facets(std::span<const FacetRequest> facets,
                                            std::string_view source, const FilterNode* filter,
                                            const schema::Schema& schema, EntityKind kind,
                                            const FilterInputs& inputs = {});

struct FacetCounts {
    std::map<std::string, std::uint64_t> values;
    std::vector<std::uint64_t> ranges;  ///< One more than there are edges.
    std::uint64_t missing = 0;          ///< Entities without the field.
};

/// Counts part after part of a table, which may change in between. Threads: those of the table.
/// Lifetime: borrows facets and table.
class FacetCounter {
public:
    FacetCounter(std::span<const BoundFacet> facets, const entity::EntityTable& entities,
                 UnixMillis now_ms, const FilterState& state = {});

    /// @param candidates  What the filter was asked about; @param matched  what it left of it.
    void add(const Roaring& candidates, const Roaring& matched);
    /// About the nanoseconds that add() takes for one candidate.
    double cost() const { return cost_; }
    /// When all is added. False = the budget is spent, call again.
    bool finish(StepBudget& budget);
    std::vector<FacetCounts> take() { return std::move(counts_); }

private:
    bool count_values(StepBudget& budget);

    const std::span<const BoundFacet> facets_;
    const entity::EntityTable& entities_;
    double cost_ = 0;
    std::vector<std::optional<FilterEvaluator>> filters_;  ///< By facet.
    std::vector<Roaring> domains_;                         ///< What facets by value count.
    std::vector<FacetCounts> counts_;
    // Where finish() goes on.
    std::size_t facet_ = 0;
    std::optional<std::size_t> values_left_;
};

/// The same in one go.
std::vector<FacetCounts> count_facets(std::span<const BoundFacet> facets,
                                      const entity::EntityTable& entities,
                                      const Roaring& candidates, const Roaring& matched,
                                      UnixMillis now_ms);

struct Facet {
    std::string name;
    struct Value {
        std::string value;
        std::uint64_t count = 0;
    };
    struct Range {
        std::string from, to;  ///< Half-open, as the edges were written; empty = open.
        std::uint64_t count = 0;
    };
    std::vector<Value> values;  ///< The most frequent first, equal counts by value.
    std::vector<Range> ranges;  ///< Rising.
    std::uint64_t others = 0;   ///< Values that are not shown.
    std::uint64_t missing = 0;
};

/// @param shards  One list per shard, each by facet.
std::vector<Facet> merge_facets(std::span<const BoundFacet> facets,
                                std::span<const std::vector<FacetCounts>> shards);

}  // namespace tidal::query
