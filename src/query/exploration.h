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
#include "query/internal/creator_sieve.h"
#include "query/internal/top_items.h"
#include "query/viewer.h"
#include "ranking/evaluator.h"
#include "ranking/profile.h"
#include "schema/schema.h"

namespace tidal::query {

using ranking::kExplorationBudget;
/// Items drawn for one page, chosen by a hash of id and seed among those under the budget; of a
/// page for a user half of them by creators that user neither follows nor has an affinity to.
inline constexpr std::size_t kExplorationPool = 64;
/// Where candidates are lists: so many of the newest under the budget may be explored beside them.
inline constexpr std::uint32_t kExploredNewest = 128;

struct Exploration {
    double impressions = 0;
    double positives = 0;  ///< At most `impressions`.
    double draw = 0;       ///< Of the posterior, in (0, 1).
    double chance = 0;     ///< Its place in the pool, the greatest first; in [0, 1).
    bool outside = false;  ///< By no creator its user follows or has an affinity to.
};

/// The same for an item and a seed, wherever the item is.
double exploration_chance(const EntityId& id, std::uint64_t seed);
/// One draw from Beta(1 + positives, 1 + impressions - positives). Source of the method: Marsaglia
/// and Tsang, "A simple method for generating gamma variables", ACM TOMS 2000.
/// @param positives  0..impressions.
double draw_rate(double impressions, double positives, const EntityId& id, std::uint64_t seed);

/// Whether the place of this rank (from 1) is one for exploration: floor(rank * share) rises there.
bool is_exploration_place(std::uint64_t rank, double percent);
/// Whether such a place goes to what is outside, if there is any: every second one, the first too.
bool is_outside_place(std::uint64_t rank, double percent);
/// How many of what is outside, or of what is not, a pool holds.
std::size_t exploration_pool(const Viewer* user, bool outside);

/// What one shard proposes. Lifetime: borrows schema, table and user, for one query.
class ShardExploration {
public:
    /// @param user  nullptr = the page is for nobody: all is outside.
    ShardExploration(const schema::Schema& schema, const entity::EntityTable& entities,
                     const Viewer* user, std::uint64_t seed);

    /// @param slots  Candidates no page before shows; 1..kBlockSlots.
    Result<void> offer(std::span<const Slot> slots, ranking::FeatureSource& features,
                       const ranking::EvaluationContext& context);
    /// The pool, with draws; leaves it empty.
    Result<std::vector<std::pair<TopItems::Entry, Exploration>>> take(
        ranking::FeatureSource& features, const ranking::EvaluationContext& context);

private:
    bool is_outside(Slot slot) const;

    const entity::EntityTable& entities_;
    const Viewer* const user_;
    const CreatorSieve creators_;
    const std::uint64_t seed_;
    ranking::Feature impressions_;
    std::vector<ranking::Feature> positives_;
    TopItems outside_, inside_;
    std::vector<double> counts_;
};

}  // namespace tidal::query
