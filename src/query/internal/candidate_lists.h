// query/internal/candidate_lists.h: what one shard's candidates are drawn from.
#pragma once

#include <vector>

#include "query/feed.h"
#include "ranking/feature.h"

namespace tidal::query {

/// What every source draws from: live entities that are published and not expired, that the request
/// does not exclude and its filter accepts. A filter therefore never empties a list.
class Eligible {
public:
    Eligible(const ranking::ShardView& view, const FeedPlan& plan);

    /// Live, published and not expired.
    Roaring open() const;
    Roaring without_excluded(Roaring slots) const;
    /// @param trace  Gets what each node of the filter did; may be nullptr.
    Roaring accepted(const Roaring& slots, std::vector<NodeTrace>* trace = nullptr) const;

private:
    const ranking::ShardView& view_;
    const FeedPlan& plan_;
};

/// The value a source is ordered by, greatest first; entities of 0 or less are not of a signal's
/// list. Precondition: the source has an order that needs nothing of the request.
ranking::Feature order_of(const ranking::Source& source, const schema::Schema& schema);

/// Adds what the lists of a union say of an entity (rank(source)) to the features of the tables.
class RankedFeatures final : public ranking::FeatureSource {
public:
    RankedFeatures(const ranking::ShardView& view, const FeedPlan& plan,
                   ranking::FeatureSource& tables);

    Result<void> fill(const ranking::Feature& feature, std::span<const Slot> slots,
                      const ranking::EvaluationContext& context, std::span<double> out) override;
    bool is_missing(const ranking::Feature& feature, Slot slot) const override;
    /// Slots that some list of the union has.
    Roaring listed() const;

private:
    ranking::FeatureSource& tables_;
    std::vector<absl::flat_hash_map<std::uint32_t, std::uint32_t>> ranks_;  ///< By slot.
};

}  // namespace tidal::query
