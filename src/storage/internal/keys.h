// storage/internal/keys.h: where a shard's rows lie among those of all shards
// (docs/formats/rows.md).
#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"

namespace tidal::storage::internal {

/// What a row of the engine is for; the order is the order of a commit.
enum class RowArea : char {
    kCheckpoint = 'c',  ///< One row: index and format of the newest checkpoint.
    kDirectory = 'p',   ///< Chunks of the page directory, by big-endian chunk number.
    kRows = 'r',        ///< What the shard put, under its own key.
};

inline constexpr std::size_t kRowPrefixBytes = 3;

/// Shard (big-endian) and area: the start of each of its keys.
inline std::string row_prefix(ShardId shard, RowArea area) {
    return {static_cast<char>(shard.value() >> 8), static_cast<char>(shard.value() & 0xff),
            static_cast<char>(area)};
}

inline std::string chunk_key(ShardId shard, std::uint32_t chunk) {
    std::string key = row_prefix(shard, RowArea::kDirectory);
    for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(chunk >> shift));
    return key;
}

}  // namespace tidal::storage::internal
