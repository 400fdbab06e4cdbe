// query/exploration.h: places of a page for items that few have seen.
//
// Thompson sampling (Thompson, Biometrika 1933; Chapelle and Li, NIPS 2011): the rate at which an
// item's impressions become positive signals is drawn from its posterior Beta(1 + positives,
// 1 + impressions - positives), under a uniform prior, and the greatest draw is shown. What is
// unknown is drawn high now and then; what has shown itself dull seldom.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "query/internal/top_items.h"
#include "ranking/evaluator.h"
#include "schema/schema.h"

namespace tidal::query {

/// Items with this many impressions are known: the score alone places them.
inline constexpr double kExplorationBudget = 100;
/// Items drawn for one page, chosen by a hash of id and seed among those under the budget.
inline constexpr std::size_t kExplorationPool = 64;

struct Exploration {
    double impressions = 0;
    double positives = 0;  ///< At most `impressions`.
    double draw = 0;       ///< Of the posterior, in (0, 1).
    double chance = 0;     ///< Its place in the pool, the greatest first; in [0, 1).
};

/// The same for an item and a seed, wherever the item is.
double exploration_chance(const EntityId& id, std::uint64_t seed);
/// One draw from Beta(1 + positives, 1 + impressions - positives). Source of the method: Marsaglia
/// and Tsang, "A simple method for generating gamma variables", ACM TOMS 2000.
/// @param positives  0..impressions.
double draw_rate(double impressions, double positives, const EntityId& id, std::uint64_t seed);

/// Whether the place of this rank (from 1) is one for exploration: floor(rank * share) rises there.
bool is_exploration_place(std::uint64_t rank, double percent);

/// What one shard proposes. Lifetime: borrows schema and table, for one query.
class ShardExploration {
public:
    ShardExploration(const schema::Schema& schema, const entity::EntityTable& entities,
                     std::uint64_t seed);

    /// @param slots  Candidates no page before shows; 1..kBlockSlots.
    Result<void> offer(std::span<const Slot> slots, ranking::FeatureSource& features,
                       const ranking::EvaluationContext& context);
    /// The pool, with draws; leaves it empty.
    Result<std::vector<std::pair<TopItems::Entry, Exploration>>> take(
        ranking::FeatureSource& features, const ranking::EvaluationContext& context);

private:
    const entity::EntityTable& entities_;
    const std::uint64_t seed_;
    ranking::Feature impressions_;
    std::vector<ranking::Feature> positives_;
    TopItems pool_;
    std::vector<double> counts_;
};

}  // namespace tidal::query
