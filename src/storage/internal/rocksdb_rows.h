// storage/internal/rocksdb_rows.h: RocksDB behind RowEngine, over a chosen file system.
#pragma once

#include <memory>
#include <string>

#include "storage/row_engine.h"

namespace rocksdb {
class FileSystem;
}

namespace tidal::storage::internal {

enum class RowsAccess { kReadWrite, kReadOnly };

Result<std::unique_ptr<RowEngine>> open_rocksdb_rows_in(
    const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& directory,
    RowsAccess access);

}  // namespace tidal::storage::internal
