// The row engine of real nodes: RocksDB, one database for all shards of a node.
//
// A commit is one sorted table (SST) file, written beside the database, synced, and taken in by
// IngestExternalFile. RocksDB records that in its manifest by one synced record, so the batch is all
// or nothing and durable on return, of any size, without its log and without passing through a
// memtable: a WriteBatch would hold the batch in memory twice, may be cut by a background flush, and
// after a failed flush shows rows that are not durable. Compaction goes on behind.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>

#include <atomic>
#include <exception>
#include <mutex>

#include "storage/internal/rocksdb_rows.h"

namespace tidal::storage {
namespace {

using internal::RowsAccess;

constexpr std::size_t kBlockCacheBytes = 64 << 20;
constexpr double kBloomBitsPerKey = 10;  // About 1 % of absent keys read a block.
constexpr int kOpenFilesMax = 512;
constexpr std::size_t kInfoLogBytes = 1 << 20;

ErrorCode code_of(const rocksdb::Status& status) {
    if (status.IsNoSpace()) return ErrorCode::kDiskFull;
    if (status.IsCorruption()) return ErrorCode::kCorruption;
    if (status.IsNotSupported()) return ErrorCode::kUnsupported;
    if (status.IsMemoryLimit()) return ErrorCode::kOverloaded;
    return ErrorCode::kIo;
}

Error error_of(const rocksdb::Status& status, std::string_view what) {
    return Error(code_of(status), "row engine: " + std::string(what) + ": " + status.ToString());
}

/// RocksDB promises statuses; what it throws all the same (allocation) stops here.
template <typename Body>
auto guarded(Body body) -> decltype(body()) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return Error(ErrorCode::kOverloaded, "row engine: out of memory");
    } catch (const std::exception& error) {
        return Error(ErrorCode::kInternal, std::string("row engine: ") + error.what());
    }
}

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

rocksdb::Options make_options(rocksdb::Env* environment) {
    rocksdb::Options options;
    if (environment != nullptr) options.env = environment;
    options.create_if_missing = true;
    options.compression = rocksdb::kLZ4Compression;
    options.max_background_jobs = 2;
    options.max_open_files = kOpenFilesMax;
    options.skip_stats_update_on_db_open = true;
    options.keep_log_file_num = 2;
    options.max_log_file_size = kInfoLogBytes;
    options.info_log_level = rocksdb::WARN_LEVEL;
    rocksdb::BlockBasedTableOptions table;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
    table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
    table.format_version = 5;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return options;
}

class RocksRows final : public RowEngine {
public:
    RocksRows(rocksdb::Options options, std::string directory, std::unique_ptr<rocksdb::DB> db,
              RowsAccess access)
        : options_(std::move(options)), ingest_directory_(std::move(directory) + "/ingest"),
          access_(access), db_(std::move(db)) {}

    Result<void> prepare_ingest();
    Result<std::optional<std::string>> get(std::string_view key) override;
    Result<void> scan(std::string_view begin, std::string_view end, Visitor visitor) override;
    Result<void> commit(Source& sorted) override;
    Result<void> settle() override;
    Result<void> verify() override;

private:
    /// The number of rows written; 0 leaves no file.
    Result<std::uint64_t> write_table(Source& sorted, const std::string& path);
    Result<void> ingest(const std::string& path);
    rocksdb::Status try_ingest(const std::string& path);

    const rocksdb::Options options_;
    const std::string ingest_directory_;
    const RowsAccess access_;
    const std::unique_ptr<rocksdb::DB> db_;
    std::atomic<std::uint64_t> table_last_ = 0;
    std::atomic<bool> in_doubt_ = false;
};

Result<void> RocksRows::prepare_ingest() {
    if (auto made = options_.env->CreateDirIfMissing(ingest_directory_); !made.ok())
        return error_of(made, "making " + ingest_directory_);
    // Tables of commits that never came to be.
    std::vector<std::string> names;
    if (auto listed = options_.env->GetChildren(ingest_directory_, &names); !listed.ok())
        return error_of(listed, "listing " + ingest_directory_);
    for (const std::string& name : names) {
        if (!name.ends_with(".sst")) continue;
        const std::string path = ingest_directory_ + "/" + name;
        if (auto removed = options_.env->DeleteFile(path); !removed.ok())
            return error_of(removed, "removing " + path);
    }
    return {};
}

Result<std::optional<std::string>> RocksRows::get(std::string_view key) {
    return guarded([&]() -> Result<std::optional<std::string>> {
        std::string value;
        const auto status = db_->Get(rocksdb::ReadOptions(), slice(key), &value);
        if (status.IsNotFound()) return std::optional<std::string>();
        if (!status.ok()) return error_of(status, "reading a row");
        return std::optional(std::move(value));
    });
}

Result<void> RocksRows::scan(std::string_view begin, std::string_view end, Visitor visitor) {
    return guarded([&]() -> Result<void> {
        rocksdb::ReadOptions options;
        const rocksdb::Slice upper = slice(end);
        if (!end.empty()) options.iterate_upper_bound = &upper;
        const std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(options));
        for (rows->Seek(slice(begin)); rows->Valid(); rows->Next())
            if (!visitor(view(rows->key()), view(rows->value()))) return {};
        if (!rows->status().ok()) return error_of(rows->status(), "reading rows");
        return {};
    });
}

Result<std::uint64_t> RocksRows::write_table(Source& sorted, const std::string& path) {
    // The new table is read soon (by lookups and compaction): keep it in the page cache.
    rocksdb::SstFileWriter table(rocksdb::EnvOptions(options_), options_, nullptr,
                                 /*invalidate_page_cache=*/false);
    if (auto opened = table.Open(path); !opened.ok()) return error_of(opened, "making " + path);
    std::uint64_t count = 0;
    std::string_view key;
    std::optional<std::string_view> value;
    for (; sorted.next(key, value); ++count) {
        const auto added = value ? table.Put(slice(key), slice(*value)) : table.Delete(slice(key));
        if (!added.ok()) return error_of(added, "writing " + path);
    }
    if (count == 0) return count;
    if (auto finished = table.Finish(); !finished.ok()) return error_of(finished, "syncing " + path);
    return count;
}

Result<void> RocksRows::commit(Source& sorted) {
    if (access_ == RowsAccess::kReadOnly)
        return Error(ErrorCode::kUnsupported, "row engine is open for reading only");
    return guarded([&]() -> Result<void> {
        TIDAL_TRY(settle());
        const std::string path =
            ingest_directory_ + "/" + std::to_string(table_last_.fetch_add(1) + 1) + ".sst";
        auto count = write_table(sorted, path);
        Result<void> committed;
        if (!count)
            committed = count.take_error();
        else if (*count > 0)
            committed = ingest(path);
        // After success it is linked into the database under another name and gone from here.
        options_.env->DeleteFile(path).PermitUncheckedError();
        return committed;
    });
}

rocksdb::Status RocksRows::try_ingest(const std::string& path) {
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    return db_->IngestExternalFile({path}, options);
}

Result<void> RocksRows::ingest(const std::string& path) {
    auto status = try_ingest(path);
    if (status.ok()) return {};
    in_doubt_ = true;
    // A database stopped by an earlier full disk takes writes again after Resume.
    if (!settle().ok()) return error_of(status, "taking in a batch");
    status = try_ingest(path);
    if (status.ok()) return {};
    in_doubt_ = true;
    return error_of(status, "taking in a batch");
}

Result<void> RocksRows::settle() {
    if (!in_doubt_) return {};
    return guarded([&]() -> Result<void> {
        // Writes a new manifest of what readers see; a half-written record of the old one is left
        // behind with it.
        if (auto resumed = db_->Resume(); !resumed.ok()) return error_of(resumed, "resuming");
        in_doubt_ = false;
        return {};
    });
}

Result<void> RocksRows::verify() {
    return guarded([&]() -> Result<void> {
        const auto status = db_->VerifyChecksum(rocksdb::ReadOptions());
        if (!status.ok()) return error_of(status, "verifying");
        return {};
    });
}

Error open_error(const rocksdb::Status& status, const std::string& directory) {
    const std::string text = status.ToString();
    if (text.find("lock") != std::string::npos && status.IsIOError())
        return Error(ErrorCode::kConflict, "the rows of this data directory are open in another process")
            .with("directory", directory)
            .with("cause", text);
    return error_of(status, "opening").with("directory", directory);
}

}  // namespace

namespace internal {

Result<std::unique_ptr<RowEngine>> open_rocksdb_rows_in(rocksdb::Env* environment,
                                                        const std::string& directory, RowsAccess access) {
    return guarded([&]() -> Result<std::unique_ptr<RowEngine>> {
        const rocksdb::Options options = make_options(environment);
        rocksdb::DB* db = nullptr;
        const auto status = access == RowsAccess::kReadOnly
                                ? rocksdb::DB::OpenForReadOnly(options, directory, &db)
                                : rocksdb::DB::Open(options, directory, &db);
        if (!status.ok()) return open_error(status, directory);
        auto rows = std::make_unique<RocksRows>(options, directory, std::unique_ptr<rocksdb::DB>(db), access);
        if (access == RowsAccess::kReadWrite) TIDAL_TRY(rows->prepare_ingest());
        return std::unique_ptr<RowEngine>(std::move(rows));
    });
}

}  // namespace internal

Result<std::unique_ptr<RowEngine>> open_rocksdb_rows(const std::string& native_directory) {
    return internal::open_rocksdb_rows_in(nullptr, native_directory, RowsAccess::kReadWrite);
}

Result<std::unique_ptr<RowEngine>> open_rocksdb_rows_read_only(const std::string& native_directory) {
    return internal::open_rocksdb_rows_in(nullptr, native_directory, RowsAccess::kReadOnly);
}

}  // namespace tidal::storage
