// The row engine of real nodes: RocksDB, one database for all shards of a node.
//
// A commit is one sorted table (SST) file, written beside the database, synced, and taken in by
// IngestExternalFile. RocksDB records that in its manifest by one synced record, so the batch is
// all or nothing and durable on return, of any size, without its log and without passing through a
// memtable: a WriteBatch would hold the batch in memory twice, may be cut by a background flush,
// and after a failed flush shows rows that are not durable. Compaction goes on behind.
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "storage/internal/held_deletions.h"
#include "storage/internal/info_log_files.h"
#include "storage/internal/read_ahead.h"
#include "storage/internal/rocksdb_rows.h"
#include "storage/internal/rocksdb_support.h"

namespace tidal::storage {
namespace {

using internal::ErrorListener;
using internal::guarded;
using internal::RowsAccess;
using Worst = ErrorListener::Worst;

rocksdb::Slice slice(std::string_view bytes) {
    return {bytes.data(), bytes.size()};
}

class RocksRows final : public RowEngine {
public:
    RocksRows(const std::shared_ptr<rocksdb::FileSystem>& files, std::string directory,
              RowsAccess access, std::unique_ptr<runtime::Executor> reader)
        : files_(std::make_shared<internal::HeldDeletions>(
              std::make_shared<internal::InfoLogFiles>(files))),
          environment_(rocksdb::NewCompositeEnv(files_)),
          directory_(std::move(directory)),
          ingest_directory_(directory_ + "/ingest"),
          access_(access),
          reader_(std::move(reader)),
          options_(options_of(access)) {}
    RocksRows(const RocksRows&) = delete;
    RocksRows& operator=(const RocksRows&) = delete;
    ~RocksRows() override = default;

    Result<void> open();
    Result<std::optional<std::string>> get(std::string_view key) override;
    Result<void> scan(std::string_view begin, std::string_view end, Visitor visitor) override;
    Result<void> commit(Source& sorted) override;
    Result<void> settle() override;
    Result<void> verify() override;

private:
    enum class Fate { kNotThere, kThere };

    rocksdb::Options options_of(RowsAccess access) const {
        return internal::rocksdb_options(environment_.get(), listener_, access);
    }
    rocksdb::Status open_database(RowsAccess access);
    Result<void> prepare_ingest();
    /// The number of rows written; 0 leaves no file.
    Result<std::uint64_t> write_table(Source& sorted, const std::string& path);
    Result<void> ingest(const std::string& path);
    rocksdb::Status try_ingest(const std::string& path);
    /// Of the commit that failed last. Both with commit_mutex_ held.
    Result<Fate> settle_locked();
    Result<Fate> reopen();
    Fate release_deletions();
    Error closed() const {
        return Error(ErrorCode::kUnavailable, "row engine is closed after an error")
            .with("directory", directory_);
    }

    const std::shared_ptr<internal::HeldDeletions> files_;
    const std::unique_ptr<rocksdb::Env> environment_;
    const std::shared_ptr<ErrorListener> listener_ = std::make_shared<ErrorListener>();
    const std::string directory_;
    const std::string ingest_directory_;
    const RowsAccess access_;
    const std::unique_ptr<runtime::Executor> reader_;  ///< Of long scans; nullptr = none.
    const rocksdb::Options options_;
    std::atomic<std::uint64_t> table_last_ = 0;

    std::mutex commit_mutex_;  ///< One batch is taken in at a time. Before gate_.
    std::shared_mutex gate_;   ///< Shared by all who use db_; alone to replace it.
    std::unique_ptr<rocksdb::DB> db_;
};

rocksdb::Status RocksRows::open_database(RowsAccess access) {
    rocksdb::DB* db = nullptr;
    const auto status = access == RowsAccess::kReadOnly
                            ? rocksdb::DB::OpenForReadOnly(options_of(access), directory_, &db)
                            : rocksdb::DB::Open(options_, directory_, &db);
    db_.reset(db);
    return status;
}

Result<void> RocksRows::open() {
    if (access_ == RowsAccess::kReadOnly && !environment_->FileExists(directory_ + "/CURRENT").ok())
        return Error(ErrorCode::kNotFound, "no rows to read").with("directory", directory_);
    if (const auto status = open_database(access_); !status.ok())
        return internal::rocksdb_open_error(status, directory_);
    if (access_ == RowsAccess::kReadOnly) return {};
    return prepare_ingest();
}

Result<void> RocksRows::prepare_ingest() {
    if (auto made = options_.env->CreateDirIfMissing(ingest_directory_); !made.ok())
        return internal::rocksdb_error(made, "making " + ingest_directory_);
    // Tables of commits that never came to be.
    std::vector<std::string> names;
    if (auto listed = options_.env->GetChildren(ingest_directory_, &names); !listed.ok())
        return internal::rocksdb_error(listed, "listing " + ingest_directory_);
    for (const std::string& name : names) {
        if (!name.ends_with(".sst")) continue;
        const std::string path = ingest_directory_ + "/" + name;
        if (auto removed = options_.env->DeleteFile(path); !removed.ok())
            return internal::rocksdb_error(removed, "removing " + path);
    }
    return {};
}

Result<std::optional<std::string>> RocksRows::get(std::string_view key) {
    return guarded([&]() -> Result<std::optional<std::string>> {
        const std::shared_lock lock(gate_);
        if (!db_) return closed();
        std::string value;
        const auto status = db_->Get(rocksdb::ReadOptions(), slice(key), &value);
        if (status.IsNotFound()) return std::optional<std::string>();
        if (!status.ok()) return internal::rocksdb_error(status, "reading a row");
        return std::optional(std::move(value));
    });
}

Result<void> RocksRows::scan(std::string_view begin, std::string_view end, Visitor visitor) {
    return guarded([&]() -> Result<void> {
        const std::shared_lock lock(gate_);
        if (!db_) return closed();
        rocksdb::ReadOptions options;
        const rocksdb::Slice upper = slice(end);
        if (!end.empty()) options.iterate_upper_bound = &upper;
        const std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(options));
        rows->Seek(slice(begin));
        if (!internal::visit_ahead(*rows, reader_.get(), visitor)) return {};
        if (!rows->status().ok()) return internal::rocksdb_error(rows->status(), "reading rows");
        return {};
    });
}

Result<std::uint64_t> RocksRows::write_table(Source& sorted, const std::string& path) {
    // The new table is read soon (by lookups and compaction): keep it in the page cache.
    rocksdb::SstFileWriter table(rocksdb::EnvOptions(options_), options_, nullptr,
                                 /*invalidate_page_cache=*/false);
    if (auto opened = table.Open(path); !opened.ok())
        return internal::rocksdb_error(opened, "making " + path);
    std::uint64_t count = 0;
    std::string_view key;
    std::optional<std::string_view> value;
    for (; sorted.next(key, value); ++count) {
        const auto added = value ? table.Put(slice(key), slice(*value)) : table.Delete(slice(key));
        if (!added.ok()) return internal::rocksdb_error(added, "writing " + path);
    }
    TIDAL_TRY(sorted.finish());
    if (count == 0) return count;
    if (auto finished = table.Finish(); !finished.ok())
        return internal::rocksdb_error(finished, "syncing " + path);
    return count;
}

Result<void> RocksRows::commit(Source& sorted) {
    if (access_ == RowsAccess::kReadOnly)
        return Error(ErrorCode::kUnsupported, "row engine is open for reading only");
    return guarded([&]() -> Result<void> {
        TIDAL_TRY(settle());
        const std::string path =
            ingest_directory_ + "/batch" + std::to_string(table_last_.fetch_add(1) + 1) + ".sst";
        auto count = write_table(sorted, path);
        Result<void> committed;
        if (!count)
            committed = count.take_error();
        else if (*count > 0)
            committed = ingest(path);
        // After success it is linked into the database under another name.
        options_.env->DeleteFile(path).PermitUncheckedError();
        return committed;
    });
}

rocksdb::Status RocksRows::try_ingest(const std::string& path) {
    const std::shared_lock lock(gate_);
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    files_->hold();
    const auto status = db_->IngestExternalFile({path}, options);
    // After a hard error the hold stays until it is known which tables are used.
    if (listener_->worst() != Worst::kHard) release_deletions();
    return status;
}

Result<void> RocksRows::ingest(const std::string& path) {
    const std::lock_guard lock(commit_mutex_);
    if (auto settled = settle_locked(); !settled) return settled.take_error();
    auto status = try_ingest(path);
    if (!status.ok() && listener_->worst() != Worst::kNone) {
        // What stopped the database may have been another's full disk, over by now.
        if (auto settled = settle_locked(); !settled)
            return internal::rocksdb_error(status, "taking in a batch");
        else if (*settled == Fate::kThere)
            return {};
        status = try_ingest(path);
    }
    if (!status.ok()) return internal::rocksdb_error(status, "taking in a batch");
    return {};
}

Result<void> RocksRows::settle() {
    if (listener_->worst() == Worst::kNone || access_ == RowsAccess::kReadOnly) return {};
    return guarded([&]() -> Result<void> {
        const std::lock_guard lock(commit_mutex_);
        if (auto settled = settle_locked(); !settled) return settled.take_error();
        return {};
    });
}

Result<RocksRows::Fate> RocksRows::settle_locked() {
    switch (listener_->worst()) {
        case Worst::kNone:
            return Fate::kNotThere;
        case Worst::kHard:
            return reopen();
        case Worst::kSoft:
            break;
    }
    const std::shared_lock lock(gate_);
    listener_->set_worst(Worst::kNone);
    if (auto resumed = db_->Resume(); !resumed.ok()) {
        listener_->set_worst(std::max(listener_->worst(), Worst::kSoft));
        return internal::rocksdb_error(resumed, "resuming");
    }
    return Fate::kNotThere;
}

/// A hard error is one of the manifest. In RocksDB 7.8.3 Resume clears it but not the flag that
/// refuses batches (ErrorHandler::is_db_stopped_), after which a batch is taken in as file number
/// 0. Opening again starts from what the medium holds and writes a manifest of it.
Result<RocksRows::Fate> RocksRows::reopen() {
    const std::unique_lock lock(gate_);
    db_.reset();
    listener_->set_worst(Worst::kNone);
    if (const auto status = open_database(RowsAccess::kReadWrite); !status.ok()) {
        // No room even for a manifest: rows stay readable until there is.
        listener_->set_worst(Worst::kHard);
        open_database(RowsAccess::kReadOnly).PermitUncheckedError();
        return internal::rocksdb_error(status, "opening again");
    }
    return release_deletions();
}

/// Ends a hold: deletes noted tables unless they are used, and says whether one is.
RocksRows::Fate RocksRows::release_deletions() {
    const auto base_name = [](std::string_view path) {
        return std::string(path.substr(path.rfind('/') + 1));
    };
    const std::vector<std::string> noted = files_->release();
    if (noted.empty()) return Fate::kNotThere;
    std::vector<rocksdb::LiveFileMetaData> live_files;
    db_->GetLiveFilesMetaData(&live_files);
    std::set<std::string> live;
    for (const auto& file : live_files) live.insert(base_name(file.name));
    Fate fate = Fate::kNotThere;
    for (const std::string& name : noted) {
        if (live.contains(base_name(name)))
            fate = Fate::kThere;
        else
            files_->target()
                ->DeleteFile(name, rocksdb::IOOptions(), nullptr)
                .PermitUncheckedError();
    }
    return fate;
}

Result<void> RocksRows::verify() {
    return guarded([&]() -> Result<void> {
        const std::shared_lock lock(gate_);
        if (!db_) return closed();
        const auto status = db_->VerifyChecksum(rocksdb::ReadOptions());
        if (!status.ok()) return internal::rocksdb_error(status, "verifying");
        return {};
    });
}

}  // namespace

namespace internal {

Result<std::unique_ptr<RowEngine>> open_rocksdb_rows_in(
    const std::shared_ptr<rocksdb::FileSystem>& files, const std::string& directory,
    RowsAccess access, std::unique_ptr<runtime::Executor> reader) {
    return guarded([&]() -> Result<std::unique_ptr<RowEngine>> {
        auto rows = std::make_unique<RocksRows>(files, directory, access, std::move(reader));
        TIDAL_TRY(rows->open());
        return std::unique_ptr<RowEngine>(std::move(rows));
    });
}

}  // namespace internal

Result<std::unique_ptr<RowEngine>> open_rocksdb_rows(const std::string& native_directory,
                                                     runtime::ExecutorFactory* executors) {
    return internal::open_rocksdb_rows_in(
        rocksdb::FileSystem::Default(), native_directory, RowsAccess::kReadWrite,
        executors == nullptr ? nullptr : executors->create_executor("rows"));
}

Result<std::unique_ptr<RowEngine>> open_rocksdb_rows_read_only(
    const std::string& native_directory) {
    return internal::open_rocksdb_rows_in(rocksdb::FileSystem::Default(), native_directory,
                                          RowsAccess::kReadOnly);
}

}  // namespace tidal::storage
