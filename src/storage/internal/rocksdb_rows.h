// storage/internal/rocksdb_rows.h: RocksDB behind RowEngine, over a chosen file system.
#pragma once

#include <memory>
#include <string>

#include "runtime/executor.h"
#include "storage/row_engine.h"

namespace rocksdb {
class FileSystem;
}

namespace tidal::storage::internal {

enum class RowsAccess { kReadWrite, kReadOnly };

/// @param reader  Reads long scans ahead of their visitors; nullptr = they do.
Result<std::unique_ptr<RowEngine>> open_rocksdb_rows_in(
    const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& directory,
    RowsAccess access, std::unique_ptr<runtime::Executor> reader = nullptr);

}  // namespace tidal::storage::internal
