#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "audience/collections.h"
#include "audience/user_states.h"
#include "query/bound_filter.h"
#include "query/selectivity.h"
#include "query/slot_blocks.h"
#include "ranking/table_features.h"

namespace tidal::query {
namespace {

/// What a look at one slot costs, and what the sorted chunks cost, in nanoseconds: a range goes to
/// the cheaper one (bench/query_filter_bench.cc).
constexpr double kLookCost = 1.5, kMatchCost = 4, kChunkCost = 150;
/// Most places fall to the comparison of latitudes.
constexpr double kNearCost = 15;

class Evaluation {
public:
    Evaluation(const entity::EntityTable& entities, UnixMillis now_ms, const FilterState& state,
               const std::vector<NodeEstimate>& estimates, std::vector<NodeTrace>* trace)
        : entities_(entities),
          now_ms_(now_ms),
          state_(state),
          estimates_(estimates),
          trace_(trace) {
        if (trace_ != nullptr) trace_->resize(estimates_.size());
    }

    Roaring run(const BoundFilter& filter, const Roaring& domain) const {
        Roaring out = answer(filter, domain);
        if (trace_ == nullptr) return out;
        const std::uint64_t examined = domain.cardinality();
        (*trace_)[filter.index] +=
            {.estimated = estimates_[filter.index].share * static_cast<double>(examined),
             .examined = examined,
             .matched = out.cardinality()};
        return out;
    }

private:
    Roaring answer(const BoundFilter& filter, const Roaring& domain) const {
        switch (filter.kind) {
            case BoundFilter::Kind::kLeaf:
                return std::visit(
                    [&](const auto& leaf) { return match(leaf, domain, estimates_[filter.index]); },
                    filter.leaf);
            case BoundFilter::Kind::kAnd:
                return run_all(filter, domain);
            case BoundFilter::Kind::kOr:
                return run_any(filter, domain);
        }
        return {};
    }

    /// The children that need no look at every slot first; among these, those that leave the least.
    std::vector<const BoundFilter*> ordered(const BoundFilter& filter, bool least_first) const {
        std::vector<const BoundFilter*> out;
        for (const BoundFilter& child : filter.children) out.push_back(&child);
        std::ranges::stable_sort(out, [&](const BoundFilter* a, const BoundFilter* b) {
            const NodeEstimate &left = estimates_[a->index], &right = estimates_[b->index];
            if (left.indexed != right.indexed) return left.indexed;
            return least_first ? left.share < right.share : right.share < left.share;
        });
        return out;
    }

    Roaring run_all(const BoundFilter& filter, const Roaring& domain) const {
        Roaring out = domain;
        for (const BoundFilter* child : ordered(filter, true))
            if (!out.isEmpty()) out = run(*child, out);
        return out;
    }

    Roaring run_any(const BoundFilter& filter, const Roaring& domain) const {
        Roaring out, rest = domain;
        for (const BoundFilter* child : ordered(filter, false)) {
            if (rest.isEmpty()) break;
            const Roaring found = run(*child, rest);
            out |= found;
            rest -= found;
        }
        return out;
    }

    /// Calls `use` with a function from slot to number, NaN where absent.
    template <typename Use>
    Roaring over(const entity::NumberSource& column, Use use) const {
        using Kind = entity::NumberSource::Kind;
        if (column.kind == Kind::kField) {
            const auto numbers = entities_.number_column(column.field);
            if (numbers.empty()) return {};  // A field nobody has a value of.
            return use([numbers](std::uint32_t slot) { return numbers[slot]; });
        }
        if (column.kind == Kind::kCreatedAt)
            return use([created = entities_.created_at_column()](std::uint32_t slot) {
                return static_cast<double>(created[slot]);
            });
        return use(
            [numbers = entities_.numbers(column)](std::uint32_t slot) { return numbers[slot]; });
    }

    /// The sorted chunks, when that is cheaper than a look at each slot of the domain.
    const entity::OrderedColumn* sorted_column(const InRange& leaf, const Roaring& domain,
                                               const NodeEstimate& estimate) const {
        if (leaf.outside || !estimate.indexed || domain.isEmpty()) return nullptr;
        const double slots = domain.maximum() - domain.minimum() + 1.0;
        const double chunks = slots / entity::OrderedColumn::kChunkSlots + 1;
        const double by_chunks = estimate.share * slots * kMatchCost + chunks * kChunkCost;
        const double by_looking = static_cast<double>(domain.cardinality()) * kLookCost;
        return by_chunks < by_looking ? entities_.ordered_column(leaf.column) : nullptr;
    }

    Roaring match(const InRange& leaf, const Roaring& domain, const NodeEstimate& estimate) const {
        if (const auto* sorted = sorted_column(leaf, domain, estimate))
            return domain & sorted->range(entities_.numbers(leaf.column), leaf.low, leaf.high,
                                          domain.minimum(), domain.maximum());
        return over(leaf.column, [&](auto number_of) {
            const double low = leaf.low, high = leaf.high;
            if (!leaf.outside)
                return select(domain, [&](std::uint32_t slot) {
                    const double v = number_of(slot);
                    return static_cast<bool>((v >= low) & (v <= high));
                });
            return select(domain, [&](std::uint32_t slot) {
                const double v = number_of(slot);
                return static_cast<bool>((v == v) & !((v >= low) & (v <= high)));
            });
        });
    }

    Roaring match(const InNumbers& leaf, const Roaring& domain, const NodeEstimate&) const {
        return over(leaf.column, [&](auto number_of) {
            return select(domain, [&](std::uint32_t slot) {
                const double v = number_of(slot);
                return v == v && std::ranges::binary_search(leaf.values, v) != leaf.outside;
            });
        });
    }

    Roaring match(const TimePresent& leaf, const Roaring& domain, const NodeEstimate&) const {
        const entity::NumberView times = entities_.numbers(leaf.column);
        return select(domain, [&](std::uint32_t slot) {
            const double v = times[slot];
            return (v == v) != leaf.negated;
        });
    }

    Roaring match(const Near& leaf, const Roaring& domain, const NodeEstimate&) const {
        const auto places = entities_.geo_column(leaf.field);
        if (places.empty()) return {};
        const double degrees = leaf.km * 180 / (ranking::kEarthRadiusKm * std::numbers::pi) +
                               1e-6;  // Of latitude alone: never too few.
        return select(domain, [&](std::uint32_t slot) {
            const record::GeoPoint& place = places[slot];
            if (place.latitude != place.latitude) return false;
            const bool inside = std::abs(place.latitude - leaf.place.latitude) <= degrees &&
                                ranking::distance_km(leaf.place, place) <= leaf.km;
            return inside != leaf.negated;
        });
    }

    /// `holders` have one of the wanted values.
    Roaring by_value(FieldId field, const Roaring& holders, bool negated, bool absent_is_empty,
                     const Roaring& domain) const {
        if (!negated) return domain & holders;
        if (absent_is_empty) return domain - holders;
        const Roaring* present = entities_.present_bitmap(field);
        return present == nullptr ? Roaring() : (domain & *present) - holders;
    }

    Roaring match(const HasValue& leaf, const Roaring& domain, const NodeEstimate& estimate) const {
        const Roaring none;
        const Roaring* holders = &estimate.holders;
        if (leaf.values.size() == 1) holders = entities_.keyword_bitmap(leaf.field, leaf.values[0]);
        return by_value(leaf.field, holders == nullptr ? none : *holders, leaf.negated,
                        leaf.absent_is_empty, domain);
    }

    Roaring match(const HasPrefix& leaf, const Roaring& domain,
                  const NodeEstimate& estimate) const {
        return by_value(leaf.field, estimate.holders, leaf.negated, leaf.absent_is_empty, domain);
    }

    Roaring match(const IsPresent& leaf, const Roaring& domain, const NodeEstimate&) const {
        const Roaring* present = entities_.present_bitmap(leaf.field);
        if (present == nullptr) return leaf.negated ? domain : Roaring();
        return leaf.negated ? domain - *present : domain & *present;
    }

    Roaring match(const CreatorPresent& leaf, const Roaring& domain, const NodeEstimate&) const {
        return select(domain, [&](std::uint32_t slot) {
            return (entities_.creator_of(Slot(slot)) == nullptr) == leaf.negated;
        });
    }

    Roaring match(const CreatorIs& leaf, const Roaring& domain,
                  const NodeEstimate& estimate) const {
        if (!leaf.negated) return domain & estimate.holders;
        return match(CreatorPresent{}, domain - estimate.holders, estimate);
    }

    Roaring match(const EntityIs& leaf, const Roaring& domain, const NodeEstimate& estimate) const {
        return leaf.negated ? domain - estimate.holders : domain & estimate.holders;
    }

    Roaring match(const CreatedWithin& leaf, const Roaring& domain,
                  const NodeEstimate& estimate) const {
        return match(range_of(leaf, now_ms_), domain, estimate);
    }

    Roaring match(const InUserState& leaf, const Roaring& domain, const NodeEstimate&) const {
        const Roaring* const slots = state_.user_states == nullptr
                                         ? nullptr
                                         : state_.user_states->find(leaf.user, leaf.state);
        if (slots == nullptr) return leaf.negated ? domain : Roaring();
        return leaf.negated ? domain - *slots : domain & *slots;
    }

    Roaring match(const InCollection& leaf, const Roaring& domain, const NodeEstimate&) const {
        const auto* const in =
            state_.collections == nullptr ? nullptr : state_.collections->find(leaf.collection);
        if (in == nullptr) return leaf.negated ? domain : Roaring();
        return leaf.negated ? domain - in->slots : domain & in->slots;
    }

    Roaring match(const OfCreators& leaf, const Roaring& domain,
                  const NodeEstimate& estimate) const {
        return leaf.negated ? domain - estimate.holders : domain & estimate.holders;
    }

    Roaring match(const EngagedBy& leaf, const Roaring& domain,
                  const NodeEstimate& estimate) const {
        return leaf.negated ? domain - estimate.holders : domain & estimate.holders;
    }

    Roaring match(const Constant& leaf, const Roaring& domain, const NodeEstimate&) const {
        return leaf.value ? domain : Roaring();
    }

    Roaring match(const SimilarityIs& leaf, const Roaring& domain, const NodeEstimate&) const {
        const auto* const probe =
            state_.anchors == nullptr ? nullptr : state_.anchors->find(leaf.slot, std::nullopt);
        const auto* const vectors =
            state_.vectors == nullptr ? nullptr : state_.vectors->find(leaf.slot);
        if (probe == nullptr || vectors == nullptr) return {};
        const auto holds = [&](double v) {
            if (leaf.values.empty()) return v >= leaf.low && v <= leaf.high;
            return std::ranges::binary_search(leaf.values, v);
        };
        const Roaring present = domain & vectors->present();
        Roaring out;
        SlotBlocks blocks(present);
        std::vector<Slot> slots;
        std::vector<double> found;
        for (auto block = blocks.next(); !block.empty(); block = blocks.next()) {
            slots.clear();
            for (const std::uint32_t slot : block) slots.push_back(Slot(slot));
            found.resize(slots.size());
            vectors->similarities(*probe, slots, found);
            for (std::size_t i = 0; i < slots.size(); ++i)
                if (holds(found[i]) != leaf.outside) out.add(slots[i].value());
        }
        return out;
    }

    const entity::EntityTable& entities_;
    const UnixMillis now_ms_;
    const FilterState& state_;
    const std::vector<NodeEstimate>& estimates_;
    std::vector<NodeTrace>* const trace_;
};

/// Of one leaf; bitmaps are taken as free.
struct LookCost {
    double operator()(const InRange&) const { return kLookCost; }
    double operator()(const CreatedWithin&) const { return kLookCost; }
    double operator()(const TimePresent&) const { return kLookCost; }
    double operator()(const CreatorPresent&) const { return kLookCost; }
    double operator()(const InNumbers& leaf) const {
        return kLookCost * static_cast<double>(std::bit_width(leaf.values.size()));
    }
    double operator()(const Near&) const { return kNearCost; }
    double operator()(const SimilarityIs& leaf) const { return leaf.cost; }
    template <typename Other>
    double operator()(const Other&) const {
        return 0;
    }
};

double cost_of(const BoundFilter& filter) {
    if (filter.kind == BoundFilter::Kind::kLeaf) return std::visit(LookCost(), filter.leaf);
    double sum = 0;
    for (const BoundFilter& child : filter.children) sum += cost_of(child);
    return sum;
}

}  // namespace

FilterEvaluator::FilterEvaluator(const BoundFilter& filter, const entity::EntityTable& entities,
                                 UnixMillis now_ms, const FilterState& state)
    : filter_(filter),
      entities_(entities),
      now_ms_(now_ms),
      state_(state),
      estimates_(estimate_nodes(filter, entities, now_ms, state)),
      cost_(cost_of(filter)) {}
FilterEvaluator::~FilterEvaluator() = default;
FilterEvaluator::FilterEvaluator(FilterEvaluator&&) noexcept = default;

Roaring FilterEvaluator::run(const Roaring& domain, std::vector<NodeTrace>* trace) const {
    return Evaluation(entities_, now_ms_, state_, estimates_, trace).run(filter_, domain);
}

Roaring evaluate(const BoundFilter& filter, const entity::EntityTable& entities,
                 const Roaring& domain, UnixMillis now_ms, std::vector<NodeTrace>* trace,
                 const FilterState& state) {
    if (trace != nullptr) trace->clear();
    return FilterEvaluator(filter, entities, now_ms, state).run(domain, trace);
}

}  // namespace tidal::query
