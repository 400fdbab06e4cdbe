// shard/internal/queued_pairs.h: items liked one after the other, gathered so that many are counted
// at once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "audience/co_engagement.h"
#include "entity/entity_table.h"

namespace tidal::shard {

/// Each like pairs its item with those liked before, which are anywhere in memory: counted one by
/// one, every list would be a wait for it. To be counted before items come or go. Threads: one at a
/// time.
class QueuedPairs {
public:
    /// As CoEngagement::count().
    void add(const EntityId& item, std::span<const EntityId> others, double likes,
             UnixMillis at_ms);
    /// Counts all of them, in order. Those of items that do not exist (any more) are left out.
    void count(const entity::EntityTable& items, audience::CoEngagement* counted);

private:
    struct Pair {
        std::uint32_t id = 0;  ///< The item in ids_; the others follow it.
        std::uint32_t others = 0;
        double likes = 0;
        UnixMillis at_ms = 0;
    };
    const EntityId& item_of(const Pair& pair) const { return ids_[pair.id]; }

    std::vector<EntityId> ids_;
    std::vector<Pair> pairs_;
};

}  // namespace tidal::shard
