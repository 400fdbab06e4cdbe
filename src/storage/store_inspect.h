// storage/store_inspect.h: reads a whole store without changing it and lists what is damaged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "runtime/disk.h"
#include "storage/row_engine.h"

namespace tidal::storage {

struct StoreDamage {
    std::string file;          ///< Path on the disk; empty for a row.
    std::uint64_t offset = 0;  ///< In the file.
    std::string what;
};

struct ShardReport {
    ShardId shard;
    LogIndex checkpoint_index;  ///< 0 = no checkpoint yet.
    std::uint64_t rows = 0;
    std::uint64_t pages = 0;
    std::uint64_t page_files = 0;
    std::uint64_t leftover_files = 0;  ///< Of an unfinished checkpoint; the next open removes them.
};

struct StoreReport {
    std::vector<ShardReport> shards;  ///< By id.
    std::vector<StoreDamage> damage;  ///< Empty = sound.
};

/// Checks every block of the row engine, every row of every shard's directory, and header, table
/// and pages of every page file under `store_directory`, pages that are no longer used included.
/// Goes on after damage, so that one run lists all of it. An error means that it could not look at
/// all. Nobody may have the store open for writing meanwhile.
Result<StoreReport> inspect_store(runtime::Disk& disk, RowEngine& rows,
                                  std::string_view store_directory);

}  // namespace tidal::storage
