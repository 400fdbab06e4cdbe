// storage/internal/rocksdb_rows.h: RocksDB behind RowEngine, over a chosen environment.
#pragma once

#include <memory>
#include <string>

#include "storage/row_engine.h"

namespace rocksdb {
class Env;
}

namespace tidal::storage::internal {

enum class RowsAccess { kReadWrite, kReadOnly };

/// `environment` nullptr = the operating system's; it must outlive the engine.
Result<std::unique_ptr<RowEngine>> open_rocksdb_rows_in(rocksdb::Env* environment,
                                                        const std::string& directory, RowsAccess access);

}  // namespace tidal::storage::internal
