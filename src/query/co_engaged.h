// query/co_engaged.h: what is liked together with the items a request starts from, and what its
// user prefers: read once, before any shard is asked for candidates.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <span>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "ranking/shard_view.h"

namespace tidal::query {

struct FeedPlan;

/// So many of a user's newest positive items count, each next this much less.
inline constexpr std::size_t kLikedMax = 20;
inline constexpr double kLikedDecay = 0.8;

/// By item: the sum over what a request starts from of weight * w / sqrt(n) * w / (w + 10), where w
/// users liked both and n the one started from. Divided by the square root of the users who liked
/// the item itself it is a cosine, shrunk where few users speak (decision 36).
using CoEngaged = absl::flat_hash_map<EntityId, double>;

/// Adds what one item says. Threads: inside the monitor of its shard.
void add_co_engaged(const ranking::ShardView& view, const EntityId& item, double weight,
                    UnixMillis now_ms, CoEngaged* out);

/// What one item that its user liked, or disliked, says; to be added up outside the monitor.
struct LikedItem {
    double likes = 1;                               ///< As of the page's moment, 1 or more.
    std::vector<std::pair<EntityId, double>> both;  ///< How many liked each other item as well.
    std::vector<std::vector<float>> vectors;        ///< By embedding slot asked for; empty = none.
};
/// @param pairs  Whether `both` is wanted. Threads: inside the monitor of its shard.
LikedItem read_liked(const ranking::ShardView& view, const EntityId& item, bool pairs,
                     std::span<const EmbeddingSlotId> slots, UnixMillis now_ms);
/// Asks for what read_liked() will wait for.
void prefetch_liked(const ranking::ShardView& view, const EntityId& item, bool pairs,
                    std::span<const EmbeddingSlotId> slots);
void add_co_engaged(const LikedItem& item, double weight, CoEngaged* out);
/// What a part is worth for the entity that it is of.
double co_engaged_value(const ranking::ShardView& view, double part, Slot slot, UnixMillis now_ms);
/// The values of entities, 0 where nothing is known. Threads: inside the shard's monitor.
void fill_co_engaged(const ranking::ShardView& view, const CoEngaged& parts, UnixMillis now_ms,
                     std::span<const Slot> slots, std::span<double> out);

/// What a user prefers in one embedding slot: the sum of the vectors of liked items, each of length
/// 1 and weighing as above; under l2 their mean as they are.
class Preference {
public:
    /// Adds what one item says. @param values  Its vector; empty = it has none.
    void add(const schema::EmbeddingSpec& spec, std::span<const float> values, double weight);
    /// As Anchor::kUser of the plan; nothing where no item has a vector there.
    Result<void> finish(const schema::EmbeddingSpec& spec, FeedPlan* plan) const;

private:
    std::vector<double> sum_;
    double weight_ = 0;
};

/// Puts the vectors of one item that the user disliked into the plan.
/// @param item  Read with plan->disliked_slots.
Result<void> add_disliked(const LikedItem& item, const schema::Schema& schema, FeedPlan* plan);

}  // namespace tidal::query
