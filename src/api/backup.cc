// Writing a backup: checkpoint, then the log up to one position, then the archive.
#include "api/backup.h"

#include <algorithm>
#include <set>

#include "api/internal/copy_file.h"
#include "api/internal/planted.h"
#include "base/codec.h"
#include "wal/log_copy.h"

namespace tidal::api {
namespace {

constexpr std::string_view kStoreDirectory = "store";
constexpr std::string_view kTemporarySuffix = ".tmp";

class BackupWriter {
public:
    BackupWriter(const HeldFiles& from, runtime::Disk& to, const std::string& folder,
                 BackupManifest manifest, BackupProgress& progress)
        : from_(from),
          to_(to),
          folder_(folder),
          manifest_(std::move(manifest)),
          progress_(progress) {}

    Result<BackupManifest> run() {
        TIDAL_TRY(to_.create_directories(folder_));
        const std::string unfinished = folder_ + "/" + std::string(kUnfinishedFile);
        TIDAL_TRY(runtime::write_file(to_, unfinished, ""));
        // Else a segment could be sealed under keys whose record lies behind the cut of the log.
        const auto held = from_.log.hold_files();
        TIDAL_ASSIGN(const auto pages, page_files());
        const std::string archive = from_.log_options.archive_directory;
        TIDAL_TRY(expect_room(pages));
        for (const char* identity : {"CLUSTER", "NODE"}) TIDAL_TRY(copy(identity));
        TIDAL_TRY(copy_rows());
        for (const std::string& path : pages) TIDAL_TRY(copy(path));
        TIDAL_TRY(copy_log());
        TIDAL_ASSIGN(const auto segments, runtime::list_if_there(from_.disk, archive));
        for (const std::string& name : segments)
            if (!name.ends_with(kTemporarySuffix)) TIDAL_TRY(copy(archive + "/" + name));
        for (const std::string& each : folders_) TIDAL_TRY(to_.sync_directory(each));
        TIDAL_TRY(to_.sync_directory(parent_of(folder_)));
        TIDAL_TRY(runtime::write_file(to_, folder_ + "/" + std::string(kManifestFile),
                                      print_manifest(manifest_)));
        TIDAL_TRY(to_.remove(unfinished));  // of no meaning beside a manifest
        return std::move(manifest_);
    }

private:
    Result<std::vector<std::string>> page_files() {
        std::vector<std::string> paths;
        const std::string store(kStoreDirectory);
        TIDAL_ASSIGN(const auto shards, from_.disk.list(store));
        for (const std::string& shard : shards) {
            if (!shard.starts_with('s')) continue;
            TIDAL_ASSIGN(const auto names, from_.disk.list(store + "/" + shard));
            for (const std::string& name : names)
                if (!name.ends_with(kTemporarySuffix))
                    paths.push_back(store + "/" + shard + "/" + name);
        }
        return paths;
    }

    /// A backup that fills the disk of the database would stop its writes: better none at all.
    Result<void> expect_room(std::vector<std::string> paths) {
        for (const std::string& folder :
             {from_.log_options.directory, from_.log_options.archive_directory}) {
            TIDAL_ASSIGN(const auto names, runtime::list_if_there(from_.disk, folder));
            for (const std::string& name : names) paths.push_back(folder + "/" + name);
        }
        std::uint64_t needed = 0;
        for (const std::string& path : paths) {
            const auto file = from_.disk.open(path, runtime::OpenMode::kRead);
            if (!file.ok()) continue;  // made ahead, and given its name since it was listed
            TIDAL_ASSIGN(const std::uint64_t bytes, (*file)->size());
            needed += bytes;
        }
        progress_.bytes_total = needed;
        TIDAL_ASSIGN(const std::uint64_t free_bytes, to_.free_bytes());
        if (needed <= free_bytes) return {};
        return Error(ErrorCode::kDiskFull, "the backup does not fit on its disk")
            .with("bytes_needed", needed)
            .with("bytes_free", free_bytes);
    }

    Result<void> advance(std::size_t bytes) {
        progress_.bytes += bytes;
        if (progress_.cancelled)
            return Error(ErrorCode::kUnavailable, "the backup was given up: the node stops");
        return {};
    }

    Result<void> copy(const std::string& path, std::uint64_t used_bytes = ~std::uint64_t{0}) {
        const std::string target = folder_ + "/" + path;
        TIDAL_TRY(from_.disk.open(path, runtime::OpenMode::kRead));  // else nothing is made
        TIDAL_ASSIGN(FileWriter out, FileWriter::create(to_, target));
        folders_.insert(parent_of(target));
        std::string kept;
        auto copied = read_chunks(from_.disk, path, [&](std::string_view chunk) -> Result<void> {
            if (out.bytes() + chunk.size() > used_bytes) {
                kept.assign(chunk.substr(0, used_bytes - std::min(used_bytes, out.bytes())));
                kept.resize(chunk.size(), '\0');
                chunk = kept;
            }
            TIDAL_TRY(out.write(chunk));
            return advance(chunk.size());
        });
        TIDAL_TRY(std::move(copied));
        TIDAL_ASSIGN(BackupFile file, out.finish(path));
        manifest_.files.push_back(std::move(file));
        return {};
    }

    Result<void> copy_rows() {
        TIDAL_TRY(from_.rows.settle());
        const std::string path(kBackupRowsFile);
        TIDAL_ASSIGN(FileWriter out, FileWriter::create(to_, folder_ + "/" + path));
        folders_.insert(folder_);
        Encoder buffer;
        Result<void> written;
        const auto flush = [&]() -> Result<void> {
            const std::string bytes = buffer.take();
            buffer = Encoder();
            TIDAL_TRY(out.write(bytes));
            return advance(bytes.size());
        };
        TIDAL_TRY(from_.rows.scan("", "", [&](std::string_view key, std::string_view value) {
            buffer.bytes(key);
            buffer.bytes(value);
            if (buffer.view().size() >= kCopyChunkBytes) written = flush();
            return written.ok();
        }));
        TIDAL_TRY(std::move(written));
        TIDAL_TRY(flush());
        TIDAL_ASSIGN(BackupFile file, out.finish(path));
        manifest_.files.push_back(std::move(file));
        return {};
    }

    Result<void> copy_log() {
        wal::LogPosition end = from_.log.stats().durable;
        if (planted(Bug::kBackupWithoutTail)) end.offset -= end.offset / 4;
        manifest_.log_file = end.file;
        manifest_.log_offset = end.offset;
        TIDAL_ASSIGN(const auto pieces,
                     wal::log_pieces(from_.disk, from_.log_options.directory, end));
        for (const wal::LogPiece& piece : pieces) TIDAL_TRY(copy(piece.path, piece.used_bytes));
        return {};
    }

    const HeldFiles& from_;
    runtime::Disk& to_;
    const std::string folder_;
    BackupManifest manifest_;
    BackupProgress& progress_;
    std::set<std::string> folders_;  ///< Whose names are to be synced.
};

}  // namespace

Result<BackupManifest> write_backup(const HeldFiles& from, runtime::Disk& to,
                                    const std::string& folder, BackupManifest manifest,
                                    BackupProgress& progress) {
    return BackupWriter(from, to, folder, std::move(manifest), progress).run();
}

Result<BackupManifest> read_backup(runtime::Disk& disk, const std::string& folder) {
    auto text = runtime::read_file(disk, folder + "/" + std::string(kManifestFile));
    if (!text.ok() && text.error().code() == ErrorCode::kNotFound)
        return Error(ErrorCode::kNotFound, "no such backup").with("backup", folder);
    if (!text.ok()) return text.take_error();
    return parse_manifest(*text);
}

Result<void> remove_tree(runtime::Disk& disk, const std::string& folder) {
    TIDAL_ASSIGN(auto names, runtime::list_if_there(disk, folder));
    std::stable_partition(names.begin(), names.end(),
                          [](const std::string& name) { return name != kUnfinishedFile; });
    for (const std::string& name : names) {
        const std::string path = folder + "/" + name;
        // Only a folder can be listed.
        if (disk.list(path).ok()) {
            TIDAL_TRY(remove_tree(disk, path));
        } else {
            TIDAL_TRY(disk.remove(path));
        }
    }
    auto removed = disk.remove(folder);
    if (!removed.ok() && removed.error().code() != ErrorCode::kNotFound)
        return removed.take_error();
    return disk.sync_directory(parent_of(folder));
}

}  // namespace tidal::api
