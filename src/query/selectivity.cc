#include "query/selectivity.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "audience/collections.h"
#include "audience/user_states.h"
#include "ranking/table_features.h"

namespace tidal::query {
namespace {

/// Below this a scan of the column costs less than keeping it sorted.
constexpr std::uint32_t kSortedFrom = 2 * entity::OrderedColumn::kChunkSlots;
constexpr std::uint32_t kChunksPerQuery = 1;  ///< A quarter of a millisecond.
constexpr std::uint32_t kSamples = 256;

class Estimation {
public:
    Estimation(const entity::EntityTable& entities, const FilterState& state, UnixMillis now_ms,
               std::vector<NodeEstimate>* out)
        : entities_(entities),
          user_states_(state.user_states),
          collections_(state.collections),
          now_ms_(now_ms),
          live_(static_cast<double>(entities.live_count())),
          out_(*out) {}

    double visit(const BoundFilter& node) {
        if (out_.size() <= node.index) out_.resize(node.index + std::size_t{1});
        double share = 1;
        bool indexed = true;
        if (node.kind == BoundFilter::Kind::kLeaf) {
            NodeEstimate estimate;
            const double matches =
                std::visit([&](const auto& leaf) { return count(leaf, &estimate); }, node.leaf);
            estimate.share = live_ == 0 ? 0 : std::clamp(matches / live_, 0.0, 1.0);
            out_[node.index] = std::move(estimate);
            return out_[node.index].share;
        }
        const bool all = node.kind == BoundFilter::Kind::kAnd;
        for (const BoundFilter& child : node.children) {
            const double part = visit(child);
            share *= all ? part : 1 - part;
            indexed = indexed && out_[child.index].indexed;
        }
        out_[node.index].share = all ? share : 1 - share;
        out_[node.index].indexed = indexed;
        return out_[node.index].share;
    }

private:
    double present_count(FieldId field) const {
        const Roaring* present = entities_.present_bitmap(field);
        return present == nullptr ? 0 : static_cast<double>(present->cardinality());
    }
    double column_count(const entity::NumberSource& column) const {
        if (column.kind == entity::NumberSource::Kind::kField) return present_count(column.field);
        return live_;
    }

    /// @param use  Called with the column, when it has an accelerator.
    template <typename Use>
    double with_column(const entity::NumberSource& column, NodeEstimate* estimate, Use use) const {
        entity::OrderedColumn* ordered = entities_.ordered_column(column);
        if (ordered == nullptr) return 0;
        const entity::NumberView numbers = entities_.numbers(column);
        estimate->indexed =
            numbers.size() >= kSortedFrom && ordered->build(numbers, kChunksPerQuery);
        return use(*ordered, numbers);
    }

    double count(const InRange& leaf, NodeEstimate* estimate) const {
        const double inside = with_column(
            leaf.column, estimate, [&](const entity::OrderedColumn& ordered, const auto& numbers) {
                return ordered.estimate(numbers, leaf.low, leaf.high);
            });
        if (!leaf.outside) return inside;
        estimate->indexed = false;
        return column_count(leaf.column) - inside;
    }

    double count(const InNumbers& leaf, NodeEstimate* estimate) const {
        constexpr std::size_t kAskedMax = 16;
        const double inside = with_column(
            leaf.column, estimate, [&](const entity::OrderedColumn& ordered, const auto& numbers) {
                const std::size_t asked = std::min(leaf.values.size(), kAskedMax);
                double sum = 0;
                for (std::size_t i = 0; i < asked; ++i)
                    sum += ordered.estimate(numbers, leaf.values[i], leaf.values[i]);
                return sum * static_cast<double>(leaf.values.size()) / static_cast<double>(asked);
            });
        estimate->indexed = false;  // Answered by a look at each slot.
        return leaf.outside ? column_count(leaf.column) - inside : inside;
    }

    double of_holders(FieldId field, double holders, bool negated, bool absent_is_empty) const {
        if (!negated) return holders;
        return (absent_is_empty ? live_ : present_count(field)) - holders;
    }

    double count(const HasValue& leaf, NodeEstimate* estimate) const {
        double holders = 0;
        if (leaf.values.size() == 1) {
            const Roaring* slots = entities_.keyword_bitmap(leaf.field, leaf.values[0]);
            if (slots != nullptr) holders = static_cast<double>(slots->cardinality());
        } else {
            for (const std::string& value : leaf.values)
                if (const Roaring* slots = entities_.keyword_bitmap(leaf.field, value))
                    estimate->holders |= *slots;
            holders = static_cast<double>(estimate->holders.cardinality());
        }
        return of_holders(leaf.field, holders, leaf.negated, leaf.absent_is_empty);
    }

    double count(const HasPrefix& leaf, NodeEstimate* estimate) const {
        entities_.for_each_keyword(leaf.field, [&](std::string_view value, const Roaring& slots) {
            if (value.starts_with(leaf.prefix)) estimate->holders |= slots;
        });
        return of_holders(leaf.field, static_cast<double>(estimate->holders.cardinality()),
                          leaf.negated, leaf.absent_is_empty);
    }

    double count(const IsPresent& leaf, NodeEstimate*) const {
        return leaf.negated ? live_ - present_count(leaf.field) : present_count(leaf.field);
    }

    double count(const CreatorIs& leaf, NodeEstimate* estimate) const {
        for (const EntityId& id : leaf.ids)
            if (const Roaring* slots = entities_.creator_bitmap(id)) estimate->holders |= *slots;
        const auto holders = static_cast<double>(estimate->holders.cardinality());
        estimate->indexed = !leaf.negated;
        return leaf.negated ? live_ - holders : holders;
    }

    double count(const EntityIs& leaf, NodeEstimate* estimate) const {
        for (const EntityId& id : leaf.ids)
            if (const auto slot = entities_.find(id)) estimate->holders.add(slot->value());
        const auto named = static_cast<double>(estimate->holders.cardinality());
        return leaf.negated ? live_ - named : named;
    }

    double count(const Near& leaf, NodeEstimate* estimate) const {
        estimate->indexed = false;
        const auto places = entities_.geo_column(leaf.field);
        if (places.empty()) return 0;
        const std::size_t step = std::max<std::size_t>(1, places.size() / kSamples);
        double seen = 0, matches = 0;
        for (std::size_t slot = 0; slot < places.size(); slot += step, ++seen) {
            const double km = ranking::distance_km(leaf.place, places[slot]);
            matches += (leaf.negated ? km > leaf.km : km <= leaf.km) ? 1 : 0;
        }
        return matches * static_cast<double>(places.size()) / seen;
    }

    double count(const CreatedWithin& leaf, NodeEstimate* estimate) const {
        return count(range_of(leaf, now_ms_), estimate);
    }
    double count(const CreatorPresent&, NodeEstimate* estimate) const { return unknown(estimate); }
    double count(const TimePresent&, NodeEstimate* estimate) const { return unknown(estimate); }
    double count(const InUserState& leaf, NodeEstimate*) const {
        const Roaring* const slots =
            user_states_ == nullptr ? nullptr : user_states_->find(leaf.user, leaf.state);
        const double holds = slots == nullptr ? 0 : static_cast<double>(slots->cardinality());
        return leaf.negated ? live_ - holds : holds;
    }
    double count(const OfCreators& leaf, NodeEstimate* estimate) const {
        for (const EntityId& id : leaf.ids)
            if (const Roaring* slots = entities_.creator_bitmap(id)) estimate->holders |= *slots;
        const auto holders = static_cast<double>(estimate->holders.cardinality());
        return leaf.negated ? live_ - holders : holders;
    }
    double count(const EngagedBy& leaf, NodeEstimate* estimate) const {
        if (user_states_ != nullptr)
            for (const EntityId& user : leaf.users)
                for (const audience::StateId state : leaf.states)
                    if (const Roaring* slots = user_states_->find(user, state))
                        estimate->holders |= *slots;
        const auto holders = static_cast<double>(estimate->holders.cardinality());
        return leaf.negated ? live_ - holders : holders;
    }
    double count(const InCollection& leaf, NodeEstimate*) const {
        const auto* const in =
            collections_ == nullptr ? nullptr : collections_->find(leaf.collection);
        const double holds = in == nullptr ? 0 : static_cast<double>(in->slots.cardinality());
        return leaf.negated ? live_ - holds : holds;
    }
    double count(const SimilarityIs&, NodeEstimate* estimate) const { return unknown(estimate); }
    double count(const Constant& leaf, NodeEstimate*) const { return leaf.value ? live_ : 0; }

    double unknown(NodeEstimate* estimate) const {
        estimate->indexed = false;
        return live_ / 2;
    }

    const entity::EntityTable& entities_;
    const audience::UserStates* const user_states_;
    const audience::Collections* const collections_;
    const UnixMillis now_ms_;
    const double live_;
    std::vector<NodeEstimate>& out_;
};

}  // namespace

InRange range_of(const CreatedWithin& leaf, UnixMillis now_ms) {
    UnixMillis since = 0;
    if (__builtin_sub_overflow(now_ms, leaf.age_ms, &since))
        since = std::numeric_limits<UnixMillis>::min();
    return {.column = {.kind = entity::NumberSource::Kind::kCreatedAt, .field = {}},
            .low = static_cast<double>(since),
            .high = std::numeric_limits<double>::infinity(),
            .outside = leaf.negated};
}

std::vector<NodeEstimate> estimate_nodes(const BoundFilter& filter,
                                         const entity::EntityTable& entities, UnixMillis now_ms,
                                         const FilterState& state) {
    std::vector<NodeEstimate> out;
    Estimation(entities, state, now_ms, &out).visit(filter);
    return out;
}

}  // namespace tidal::query
