#include "storage/internal/rocksdb_support.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

namespace tidal::storage::internal {
namespace {

constexpr std::size_t kBlockCacheBytes = 64 << 20;
constexpr double kBloomBitsPerKey = 10;  // About 1 % of absent keys read a block.
constexpr int kOpenFilesMax = 512;
constexpr std::size_t kInfoLogBytes = 1 << 20;

/// Reading leaves no trace in the directory.
class NoInfoLog final : public rocksdb::Logger {
public:
    using Logger::Logv;
    void Logv(const char*, va_list) override {}
};

ErrorCode code_of(const rocksdb::Status& status) {
    if (status.IsNoSpace()) return ErrorCode::kDiskFull;
    if (status.IsCorruption()) return ErrorCode::kCorruption;
    if (status.IsNotSupported()) return ErrorCode::kUnsupported;
    if (status.IsMemoryLimit()) return ErrorCode::kOverloaded;
    return ErrorCode::kIo;
}

}  // namespace

rocksdb::Options rocksdb_options(rocksdb::Env* environment,
                                 const std::shared_ptr<ErrorListener>& listener,
                                 RowsAccess access) {
    rocksdb::Options options;
    options.env = environment;
    options.listeners.push_back(listener);
    options.create_if_missing = true;
    options.compression = rocksdb::kLZ4Compression;
    options.max_background_jobs = 2;
    options.max_open_files = kOpenFilesMax;
    options.skip_stats_update_on_db_open = true;
    options.keep_log_file_num = 2;
    options.max_log_file_size = kInfoLogBytes;
    options.info_log_level = rocksdb::WARN_LEVEL;
    if (access == RowsAccess::kReadOnly) options.info_log = std::make_shared<NoInfoLog>();
    rocksdb::BlockBasedTableOptions table;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
    table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
    table.format_version = 5;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return options;
}

Error rocksdb_error(const rocksdb::Status& status, std::string_view what) {
    return Error(code_of(status), "row engine: " + std::string(what) + ": " + status.ToString());
}

Error rocksdb_open_error(const rocksdb::Status& status, const std::string& directory) {
    const std::string text = status.ToString();
    if (text.find("lock") != std::string::npos && status.IsIOError())
        return Error(ErrorCode::kConflict,
                     "the rows of this data directory are open in another process")
            .with("directory", directory)
            .with("cause", text);
    return rocksdb_error(status, "opening").with("directory", directory);
}

}  // namespace tidal::storage::internal
