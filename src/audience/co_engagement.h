// audience/co_engagement.h: which items the same users liked one after the other.
// Format: docs/formats/audience_rows.md. Why: docs/decisions/0036-co-engagement.md.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "storage/shard_store.h"

namespace tidal::audience {

struct Neighbour {
    EntityId item;
    double weight = 0;  ///< Decayed count of users who liked both.
    bool operator==(const Neighbour&) const = default;
};

/// Of one item. Weights are as of `at_ms` and halve every kHalfLifeMs.
struct Neighbours {
    static constexpr std::size_t kEach = 256;  ///< The heaviest stay.
    static constexpr UnixMillis kHalfLifeMs = 365LL * 24 * 3'600'000;

    UnixMillis at_ms = 0;
    double events = 0;             ///< Decayed count of users who liked it.
    std::vector<Neighbour> items;  ///< By id.

    /// @param likes  Of the item itself: 1, or 0 where another's like only pairs with it.
    void count(std::span<const EntityId> others, double likes, UnixMillis now_ms);
    /// What a weight of `at_ms` is worth later; 1 earlier.
    double decay_to(UnixMillis now_ms) const;
    bool operator==(const Neighbours&) const = default;
};

std::string encode_neighbours(const Neighbours& neighbours);
/// kCorruption for what encode_neighbours() does not write.
Result<Neighbours> decode_neighbours(std::string_view bytes);

/// Of the items of one shard, by slot. What is in memory is the state; rows follow it, at the
/// latest with a checkpoint. Errors are the store's. Threads: one at a time.
class CoEngagement {
public:
    struct Options {
        std::uint64_t bytes_max = 1ULL << 30;  ///< As stats().bytes counts.
    };
    static Result<std::unique_ptr<CoEngagement>> open(const Options& options,
                                                      storage::ShardStore& store);

    /// As Neighbours::count(). At or above the budget new neighbours are left out, and counted.
    void count(Slot slot, std::span<const EntityId> others, double likes, UnixMillis at_ms);
    void drop_item(Slot slot);
    /// nullptr = none. Valid until the next change.
    const Neighbours* find(Slot slot) const;

    /// Writes rows of what changed, the longest unwritten first, until so many are left.
    void write_rows(std::size_t left);
    void prepare_checkpoint() { write_rows(0); }
    /// 0 = none.
    std::uint64_t content_hash(Slot slot) const;

    struct Stats {
        std::uint64_t items = 0, pairs = 0;
        std::uint64_t bytes = 0;    ///< Estimated from the two.
        std::uint64_t refused = 0;  ///< Neighbours left out for want of memory, since the start.
    };
    Stats stats() const;

private:
    struct Item {
        Neighbours neighbours;
        bool unwritten = false;
    };
    CoEngagement(const Options& options, storage::ShardStore& store)
        : options_(options), store_(store) {}

    const Options options_;
    storage::ShardStore& store_;
    absl::flat_hash_map<Slot, Item> items_;
    std::deque<Slot> unwritten_;  ///< Each once; may name items that are gone.
    std::uint64_t pairs_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace tidal::audience
