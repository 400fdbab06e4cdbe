// wal/log_range.h: which indexes of which shards a file holds.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>

#include "wal/batch.h"

namespace tidal::wal {

/// One history of one shard.
struct ShardKey {
    RegionId region;
    ShardId shard;
    Incarnation incarnation;
    auto operator<=>(const ShardKey&) const = default;
};
inline ShardKey key_of(const BatchHeader& header) {
    return {header.region, header.shard, header.incarnation};
}

/// Smallest and greatest index of the batches seen; a file may lack some in between.
struct IndexRange {
    LogIndex first, last;
    std::uint64_t batches = 0;
    bool operator==(const IndexRange&) const = default;

    void add(const BatchHeader& header) {
        first = batches == 0 ? header.first_index : std::min(first, header.first_index);
        last = std::max(last, header.last_index());
        ++batches;
    }
};
using ShardRanges = std::map<ShardKey, IndexRange>;

}  // namespace tidal::wal
