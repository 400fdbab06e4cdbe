// Reading a backup: checking it, and making a data directory of it.
#include <algorithm>
#include <optional>

#include "api/backup.h"
#include "api/identity.h"
#include "api/internal/copy_file.h"
#include "api/internal/planted.h"
#include "base/codec.h"
#include "base/crc32c.h"

namespace tidal::api {
namespace {

Error damaged(const BackupFile& file, std::string what) {
    return Error(ErrorCode::kCorruption, "a file of the backup " + std::move(what))
        .with("file", file.path);
}

/// Reads a file of the backup from front to back; kCorruption unless it is what the manifest says.
Result<void> read_checked(runtime::Disk& disk, const std::string& folder, const BackupFile& file,
                          const ChunkVisitor& visit) {
    BackupFile found;
    auto read = read_chunks(disk, folder + "/" + file.path, [&](std::string_view chunk) {
        found.crc = crc32c_extend(found.crc, chunk);
        found.bytes += chunk.size();
        return visit(chunk);
    });
    if (!read.ok() && read.error().code() == ErrorCode::kNotFound)
        return damaged(file, "is missing");
    if (!read.ok()) return read.take_error();
    if (found.bytes != file.bytes)
        return damaged(file, "has another length")
            .with("bytes", found.bytes)
            .with("manifest_says", file.bytes);
    if (found.crc != file.crc) return damaged(file, "does not match its checksum");
    return {};
}

Result<void> check(runtime::Disk& disk, const std::string& folder, const BackupFile& file) {
    return read_checked(disk, folder, file,
                        [](std::string_view) -> Result<void> { return Result<void>(); });
}

/// By a bug that a test planted: behind the shard and the area of its key, a row's own begins so.
bool is_lost(std::string_view key) {
    const auto loses = [key](Bug bug, std::string_view rows) {
        return planted(bug) && key.substr(2).starts_with(rows);
    };
    return loses(Bug::kRestoreLosesStates, "ra/s/") || loses(Bug::kRestoreLosesTastes, "ra/t/") ||
           loses(Bug::kRestoreLosesCohorts, "ra/o/") ||
           loses(Bug::kRestoreLosesMarks, "rm/marks") ||
           loses(Bug::kRestoreLosesDelivered, "ra/d/");
}

/// The rows of a backup in key order, one block in memory.
class RowsSource final : public storage::RowEngine::Source {
public:
    explicit RowsSource(std::unique_ptr<runtime::File> file) : file_(std::move(file)) {}

    bool next(std::string_view& key, std::optional<std::string_view>& value) override {
        for (;;) {
            Decoder in(std::string_view(buffer_).substr(at_));
            const std::string_view row_key = in.bytes();
            const std::string_view row_value = in.bytes();
            if (!in.failed()) {
                at_ = buffer_.size() - in.remaining();
                if (is_lost(row_key)) continue;
                key = row_key;
                value = row_value;
                return true;
            }
            if (!fill()) return false;
        }
    }
    /// After next() returned false: whether that was the end.
    Result<void> ended() const {
        if (failed_) return *failed_;
        if (at_ == buffer_.size()) return {};
        return Error(ErrorCode::kCorruption, "the rows of the backup end within a row")
            .with("file", kBackupRowsFile);
    }

private:
    bool fill() {
        buffer_.erase(0, at_);
        at_ = 0;
        const std::size_t have = buffer_.size();
        buffer_.resize(have + kCopyChunkBytes);
        auto got = file_->read_at(offset_, std::span(buffer_).subspan(have));
        buffer_.resize(have + (got.ok() ? *got : 0));
        if (!got.ok()) failed_ = got.take_error();
        offset_ += buffer_.size() - have;
        return buffer_.size() > have;
    }

    std::unique_ptr<runtime::File> file_;
    std::string buffer_;
    std::size_t at_ = 0;
    std::uint64_t offset_ = 0;
    std::optional<Error> failed_;
};

Result<void> restore_rows(runtime::Disk& from, const std::string& folder, const BackupFile& file,
                          runtime::Disk& to) {
    TIDAL_TRY(check(from, folder, file));
    const std::string rows = "store/rows";
    const std::string native = to.native_path(rows);
    TIDAL_ASSIGN(const auto engine, native.empty() ? storage::open_simple_rows(to, rows)
                                                   : storage::open_rocksdb_rows(native));
    TIDAL_ASSIGN(auto opened, from.open(folder + "/" + file.path, runtime::OpenMode::kRead));
    RowsSource source(std::move(opened));
    TIDAL_TRY(engine->commit(source));
    return source.ended();
}

Result<void> restore_file(runtime::Disk& from, const std::string& folder, const BackupFile& file,
                          runtime::Disk& to) {
    TIDAL_ASSIGN(FileWriter out, FileWriter::create(to, file.path));
    TIDAL_TRY(
        read_checked(from, folder, file, [&](std::string_view chunk) { return out.write(chunk); }));
    TIDAL_TRY(out.finish(file.path));
    return to.sync_directory(parent_of(file.path));
}

Result<void> expect_empty(runtime::Disk& disk) {
    TIDAL_ASSIGN(const auto names, disk.list(""));
    for (const std::string& name : names)
        if (name != "LOCK")
            return Error(ErrorCode::kConflict, "the directory to restore into is not empty")
                .with("holds", name)
                .with_hint("name a new directory");
    return {};
}

}  // namespace

Result<std::vector<std::string>> verify_backup(runtime::Disk& disk, const std::string& folder) {
    TIDAL_ASSIGN(const BackupManifest manifest, read_backup(disk, folder));
    std::vector<std::string> damage;
    for (const BackupFile& file : manifest.files)
        if (auto sound = check(disk, folder, file); !sound.ok())
            damage.push_back(sound.error().to_string());
    return damage;
}

Result<BackupManifest> restore_backup(runtime::Disk& from, const std::string& folder,
                                      runtime::Disk& to, runtime::Random& random) {
    TIDAL_ASSIGN(const BackupManifest manifest, read_backup(from, folder));
    TIDAL_TRY(expect_empty(to));
    TIDAL_ASSIGN(Identity identity, read_identity(from, folder + "/"));
    for (const char* each : {"wal", "archive", "store"}) TIDAL_TRY(to.create_directories(each));
    for (const BackupFile& file : manifest.files) {
        if (file.path == "CLUSTER" || file.path == "NODE") {
            TIDAL_TRY(check(from, folder, file));
        } else if (file.path == kBackupRowsFile) {
            TIDAL_TRY(restore_rows(from, folder, file, to));
        } else {
            TIDAL_TRY(restore_file(from, folder, file, to));
        }
    }
    identity.instance_id = new_instance_id(random);
    TIDAL_TRY(write_identity(to, identity));
    return manifest;
}

}  // namespace tidal::api
