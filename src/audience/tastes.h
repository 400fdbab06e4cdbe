// audience/tastes.h: the tastes of the users whose home a shard is, as rows.
// Format: docs/formats/audience_rows.md.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <memory>
#include <string>

#include "audience/taste.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// Rows are the truth and are all in memory, encoded. Errors are the store's. Threads: one at a
/// time.
class Tastes {
public:
    struct Options {
        std::uint64_t bytes_max = 1ULL << 30;  ///< As stats().bytes counts.
    };
    static Result<std::unique_ptr<Tastes>> open(const Options& options, storage::ShardStore& store);

    /// At or above the budget, users of whom nothing is known stay so, and are counted.
    /// @return  Where a positive item is new to its ring, the kPairs items liked before it.
    static constexpr std::size_t kPairs = 5;
    using LikedBefore = std::optional<std::vector<EntityId>>;
    Result<LikedBefore> apply(const EntityId& user, const TasteEvent& event);
    /// Forgets a user; signals committed up to `stamp` stay forgotten when they arrive later.
    void erase_user(const EntityId& user, HybridTime stamp);
    /// Of Taste::erased, without the rest; 0 = never. kCorruption.
    Result<HybridTime> erased(const EntityId& user) const;
    /// nullopt = nothing is known. kCorruption.
    Result<std::optional<Taste>> find(const EntityId& user) const;

    struct Stats {
        std::uint64_t users = 0;
        std::uint64_t bytes = 0;  ///< Of rows, and 96 a user for their places.
        std::uint64_t refused =
            0;  ///< Events of users not kept for want of memory, since the start.
    };
    Stats stats() const;

private:
    Tastes(const Options& options, storage::ShardStore& store) : options_(options), store_(store) {}
    void write(const EntityId& user, const Taste& taste);

    const Options options_;
    storage::ShardStore& store_;
    absl::flat_hash_map<EntityId, std::string> rows_;
    std::uint64_t row_bytes_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace tidal::audience
