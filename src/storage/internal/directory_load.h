// storage/internal/directory_load.h: a shard's checkpoint row and page directory out of the engine.
#pragma once

#include <optional>

#include "storage/internal/page_directory.h"
#include "storage/row_engine.h"

namespace tidal::storage::internal {

/// nullopt when the shard has no checkpoint yet.
Result<std::optional<CheckpointHead>> load_head(RowEngine& rows, ShardId shard);

/// kCorruption names the chunk.
Result<void> load_directory(RowEngine& rows, ShardId shard, PageDirectory& directory);

}  // namespace tidal::storage::internal
