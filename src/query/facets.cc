#include "query/facets.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/time_text.h"
#include "query/slot_blocks.h"
#include "ranking/source_text.h"

namespace tidal::query {
namespace {

using schema::FieldType;

bool has_values(FieldType type) {
    return type == FieldType::kKeyword || type == FieldType::kKeywords || type == FieldType::kBool;
}
bool has_ranges(FieldType type) {
    return type == FieldType::kInt || type == FieldType::kFloat || type == FieldType::kTimestamp ||
           type == FieldType::kDuration;
}

bool is_about(const FilterNode& node, std::string_view field) {
    if (node.kind == FilterNode::Kind::kTest) {
        const bool named = node.test != Test::kState && node.test != Test::kNear;
        return named &&
               (node.test == Test::kCreatedWithin ? field == "created_at" : node.field == field);
    }
    return std::ranges::all_of(node.children,
                               [&](const FilterNode& child) { return is_about(child, field); });
}

/// What is left of the filter without the facet's own conditions. @return whether it had any.
bool leave_out(const FilterNode& filter, std::string_view field, std::optional<FilterNode>* rest) {
    if (is_about(filter, field)) return true;
    if (filter.kind != FilterNode::Kind::kAnd) return false;
    FilterNode out = filter;
    std::erase_if(out.children, [&](const FilterNode& child) { return is_about(child, field); });
    if (out.children.size() == filter.children.size()) return false;
    *rest = out.children.size() == 1 ? out.children[0] : out;
    return true;
}

class FacetBinder {
public:
    FacetBinder(std::string_view source, const schema::Schema& schema, EntityKind kind,
                const FilterInputs& inputs)
        : source_(source), schema_(schema), kind_(kind), inputs_(inputs) {}

    Result<BoundFacet> bind(const FacetRequest& request, const FilterNode* filter) const {
        BoundFacet out;
        out.name = request.field;
        out.top = request.top;
        FieldType type = FieldType::kTimestamp;
        if (request.field == "created_at") {
            out.column.kind = entity::NumberSource::Kind::kCreatedAt;
        } else {
            const schema::FieldSpec* field = schema_.find_field(kind_, request.field);
            if (field == nullptr) return unknown(request);
            type = field->type;
            out.field = out.column.field = field->id;
        }
        TIDAL_TRY(check_type(request, type));
        out.ranges = !request.edges.empty();
        for (const Literal& edge : request.edges) {
            TIDAL_ASSIGN(const double number, edge_of(edge, type));
            if (!out.edges.empty() && number <= out.edges.back())
                return fail(ErrorCode::kInvalidArgument, edge.offset, "the edges do not rise");
            out.edges.push_back(number);
            out.edge_texts.push_back(edge.text);
        }
        if (filter == nullptr) return out;
        std::optional<FilterNode> rest;
        out.own_filter = leave_out(*filter, request.field, &rest);
        if (rest) {
            // The filter has been bound before, so a part of it binds.
            TIDAL_ASSIGN(out.filter, bind_filter(*rest, source_, schema_, kind_, inputs_));
        }
        return out;
    }

private:
    Error fail(ErrorCode code, std::uint32_t offset, std::string message) const {
        return ranking::error_at(code, source_,
                                 std::min(offset, static_cast<std::uint32_t>(source_.size())),
                                 std::move(message))
            .with_field("facets");
    }
    Error unknown(const FacetRequest& request) const {
        std::vector<std::string_view> known{"created_at"};
        for (const auto& field : schema_.kind(kind_).fields)
            if (has_values(field.type) || has_ranges(field.type)) known.push_back(field.name);
        return fail(ErrorCode::kUnknownName, request.offset,
                    "unknown field `" + request.field + "`")
            .with_hint(ranking::suggestion(request.field, "fields", known))
            .with_reason("unknown_field");
    }
    Result<void> check_type(const FacetRequest& request, FieldType type) const {
        const std::string shown =
            "`" + request.field + "` (" + std::string(schema::field_type_name(type)) + ")";
        if (request.edges.empty() ? has_values(type) : has_ranges(type)) return {};
        if (has_ranges(type))
            return fail(ErrorCode::kInvalidArgument, request.offset,
                        shown + " is counted in ranges")
                .with_hint(request.field + " RANGES (10, 20, 30)");
        if (has_values(type))
            return fail(ErrorCode::kInvalidArgument, request.offset,
                        shown + " is counted by value, not in ranges");
        return fail(ErrorCode::kInvalidArgument, request.offset, shown + " cannot be counted")
            .with_hint("keyword, keywords and bool by value; numbers and times in RANGES");
    }
    Result<double> edge_of(const Literal& edge, FieldType type) const {
        if (edge.kind == Literal::Kind::kNumber) return edge.number;
        if (edge.kind == Literal::Kind::kDuration && type == FieldType::kDuration)
            return edge.number;
        if (edge.kind == Literal::Kind::kString && type == FieldType::kTimestamp) {
            auto time = parse_time(edge.text, "facets");
            if (time) return static_cast<double>(*time);
            return fail(ErrorCode::kInvalidArgument, edge.offset, time.error().message());
        }
        return fail(
            ErrorCode::kInvalidArgument, edge.offset,
            "`" + edge.text + "` is no edge for " + std::string(schema::field_type_name(type)));
    }

    std::string_view source_;
    const schema::Schema& schema_;
    const EntityKind kind_;
    const FilterInputs& inputs_;
};

void count_ranges(const BoundFacet& facet, const entity::EntityTable& entities,
                  const Roaring& domain, FacetCounts* out) {
    const entity::NumberView numbers = entities.numbers(facet.column);
    SlotBlocks blocks(domain);
    for (auto block = blocks.next(); !block.empty(); block = blocks.next()) {
        for (const std::uint32_t slot : block) {
            const double value = slot < numbers.size() ? numbers[slot] : std::nan("");
            if (value != value) {
                ++out->missing;
                continue;
            }
            const auto at = std::ranges::upper_bound(facet.edges, value) - facet.edges.begin();
            ++out->ranges[static_cast<std::size_t>(at)];
        }
    }
}

Facet shown_values(const BoundFacet& facet, const FacetCounts& counts) {
    Facet out;
    for (const auto& [value, count] : counts.values) out.values.push_back({value, count});
    std::ranges::stable_sort(
        out.values, [](const Facet::Value& a, const Facet::Value& b) { return a.count > b.count; });
    if (out.values.size() > facet.top) {
        out.others = out.values.size() - facet.top;
        out.values.resize(facet.top);
    }
    return out;
}

}  // namespace

Result<std::vector<BoundFacet>> bind_facets(std::span<const FacetRequest> facets,
                                            std::string_view source, const FilterNode* filter,
                                            const schema::Schema& schema, EntityKind kind,
                                            const FilterInputs& inputs) {
    std::vector<BoundFacet> out;
    for (const FacetRequest& request : facets) {
        TIDAL_ASSIGN(BoundFacet bound,
                     FacetBinder(source, schema, kind, inputs).bind(request, filter));
        out.push_back(std::move(bound));
    }
    return out;
}

FacetCounter::FacetCounter(std::span<const BoundFacet> facets, const entity::EntityTable& entities,
                           UnixMillis now_ms, const FilterState& state)
    : facets_(facets),
      entities_(entities),
      filters_(facets.size()),
      domains_(facets.size()),
      counts_(facets.size()) {
    constexpr double kRangeCost = 4, kValueCost = 0.2;
    for (std::size_t i = 0; i < facets.size(); ++i) {
        if (facets[i].filter) {
            filters_[i].emplace(*facets[i].filter, entities, now_ms, state);
            cost_ += filters_[i]->cost();
        }
        cost_ += facets[i].ranges ? kRangeCost : kValueCost;
        if (facets[i].ranges) counts_[i].ranges.assign(facets[i].edges.size() + 1, 0);
    }
}

void FacetCounter::add(const Roaring& candidates, const Roaring& matched) {
    for (std::size_t i = 0; i < facets_.size(); ++i) {
        const Roaring rest = filters_[i] ? filters_[i]->run(candidates) : Roaring();
        const Roaring& domain = !facets_[i].own_filter ? matched : filters_[i] ? rest : candidates;
        if (facets_[i].ranges) {
            count_ranges(facets_[i], entities_, domain, &counts_[i]);
        } else {
            domains_[i] |= domain;
        }
    }
}

bool FacetCounter::finish(StepBudget& budget) {
    for (; facet_ < facets_.size(); ++facet_)
        if (!facets_[facet_].ranges && !count_values(budget)) return false;
    return true;
}

/// Of the facet at hand: by the values' bitmaps, some values at a time.
bool FacetCounter::count_values(StepBudget& budget) {
    constexpr std::size_t kValuesAtOnce = 64;
    constexpr double kSparseCost = 100, kContainerCost = 300;
    const FieldId field = facets_[facet_].field;
    const Roaring& domain = domains_[facet_];
    FacetCounts& counts = counts_[facet_];
    const double containers = static_cast<double>(entities_.slot_count()) / 65'536;
    if (!values_left_) values_left_ = entities_.keyword_count(field);
    while (*values_left_ > 0) {
        if (!budget.take(kValuesAtOnce * (kSparseCost + kContainerCost * containers))) return false;
        values_left_ = entities_.visit_keywords(
            field, *values_left_, kValuesAtOnce, [&](std::string_view value, const Roaring& slots) {
                if (const std::uint64_t count = slots.and_cardinality(domain); count > 0)
                    counts.values.insert_or_assign(std::string(value), count);
            });
    }
    const Roaring* present = entities_.present_bitmap(field);
    counts.missing =
        domain.cardinality() - (present == nullptr ? 0 : present->and_cardinality(domain));
    values_left_.reset();
    return true;
}

std::vector<FacetCounts> count_facets(std::span<const BoundFacet> facets,
                                      const entity::EntityTable& entities,
                                      const Roaring& candidates, const Roaring& matched,
                                      UnixMillis now_ms) {
    FacetCounter counter(facets, entities, now_ms);
    counter.add(candidates, matched);
    StepBudget whole(std::numeric_limits<std::uint64_t>::max());
    while (!counter.finish(whole)) {
    }
    return counter.take();
}

std::vector<Facet> merge_facets(std::span<const BoundFacet> facets,
                                std::span<const std::vector<FacetCounts>> shards) {
    std::vector<Facet> out;
    for (std::size_t i = 0; i < facets.size(); ++i) {
        const BoundFacet& facet = facets[i];
        FacetCounts sum;
        sum.ranges.assign(facet.edges.size() + 1, 0);
        for (const auto& shard : shards) {
            for (const auto& [value, count] : shard[i].values) sum.values[value] += count;
            for (std::size_t at = 0; at < shard[i].ranges.size(); ++at)
                sum.ranges[at] += shard[i].ranges[at];
            sum.missing += shard[i].missing;
        }
        Facet shown = shown_values(facet, sum);
        for (std::size_t at = 0; facet.ranges && at < sum.ranges.size(); ++at)
            shown.ranges.push_back({at == 0 ? "" : facet.edge_texts[at - 1],
                                    at == facet.edges.size() ? "" : facet.edge_texts[at],
                                    sum.ranges[at]});
        shown.name = facet.name;
        shown.missing = sum.missing;
        out.push_back(std::move(shown));
    }
    return out;
}

}  // namespace tidal::query
