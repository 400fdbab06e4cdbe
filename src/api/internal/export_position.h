// api/internal/export_position.h: how far an export of every shard's log has come.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace tidal::api {

/// The next record of every data shard, and the shard to read first. A page goes round the shards
/// once, so its end goes on with whatever is written later to any of them.
struct ExportPosition {
    explicit ExportPosition(std::size_t shards) : next(shards, LogIndex(1)) {}

    LogIndex& next_of(ShardId shard) { return next[shard.value() - 1u]; }
    void to_next_shard() { at = at.value() == next.size() ? ShardId(1) : at.next(); }

    ShardId at{1};
    std::vector<LogIndex> next;  ///< By shard, from 1.
};

/// Opaque to clients.
std::string encode_position(const ExportPosition& position);
/// @param text   Empty = the beginning.
/// @param shards Data shards of this database. kInvalidArgument for what is no position of it.
Result<ExportPosition> decode_position(const std::string& text, std::size_t shards);

}  // namespace tidal::api
