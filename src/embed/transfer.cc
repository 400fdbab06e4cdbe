// What comes in and goes out as files: imports, exports, backups.
#include <filesystem>

#include "api/backup.h"
#include "api/backups.h"
#include "base/hash.h"
#include "embed/internal/open.h"
#include "runtime/real_runtime.h"
#include "transfer/mapping.h"

namespace tidal {
namespace {

namespace fs = std::filesystem;
using internal::wait;

constexpr std::size_t kPieceBytes = 256 << 10;

enum class Absent { kRefused, kMade };

/// The folder as the root of a disk of its own.
Result<std::shared_ptr<runtime::Runtime>> folder_of(const std::string& path, Absent absent) {
    std::error_code error;
    if (absent == Absent::kRefused && !fs::is_directory(path, error))
        return Error(ErrorCode::kNotFound, "no such folder").with("folder", path);
    TIDAL_ASSIGN(auto made, runtime::make_real_runtime({path, {}}));
    return std::shared_ptr<runtime::Runtime>(std::move(made));
}

class FileReader final : public api::ByteReader {
public:
    FileReader(std::shared_ptr<runtime::Runtime> folder, std::unique_ptr<runtime::File> file)
        : folder_(std::move(folder)), file_(std::move(file)) {}
    Result<std::string> read() override {
        std::string piece(kPieceBytes, '\0');
        TIDAL_ASSIGN(const std::size_t bytes, file_->read_at(offset_, piece));
        piece.resize(bytes);
        offset_ += bytes;
        return piece;
    }

private:
    const std::shared_ptr<runtime::Runtime> folder_;
    const std::unique_ptr<runtime::File> file_;
    std::uint64_t offset_ = 0;
};

Result<api::ImportSource> source_in(const std::shared_ptr<runtime::Runtime>& folder,
                                    const std::string& name) {
    for (const std::string& path : {name, name + ".zst"}) {
        auto opened = folder->disk().open(path, runtime::OpenMode::kRead);
        if (!opened.ok() && opened.error().code() == ErrorCode::kNotFound) continue;
        if (!opened.ok()) return opened.take_error();
        api::ImportSource source;
        source.name = name;
        TIDAL_ASSIGN(source.bytes, (*opened)->size());
        source.open = [folder, path]() -> Result<std::unique_ptr<api::ByteReader>> {
            TIDAL_ASSIGN(auto file, folder->disk().open(path, runtime::OpenMode::kRead));
            return std::unique_ptr<api::ByteReader>(
                std::make_unique<FileReader>(folder, std::move(file)));
        };
        return source;
    }
    return Error(ErrorCode::kNotFound, "the mapping names a file that is not there")
        .with("file", name)
        .with("folder", folder->disk().native_path(""));
}

/// A backup lies in a folder of its parent, which is the disk.
struct BackupFolder {
    std::shared_ptr<runtime::Runtime> parent;
    std::string name;
};

Result<BackupFolder> backup_folder(const std::string& path, Absent absent) {
    std::error_code error;
    const fs::path whole = fs::weakly_canonical(fs::absolute(path, error), error);
    if (error || whole.filename().empty())
        return Error(ErrorCode::kInvalidArgument, "not a folder for a backup").with("folder", path);
    if (absent == Absent::kRefused && !fs::is_directory(whole, error))
        return Error(ErrorCode::kNotFound, "no such backup").with("folder", path);
    BackupFolder folder;
    folder.name = whole.filename().string();
    TIDAL_ASSIGN(folder.parent, folder_of(whole.parent_path().string(), Absent::kMade));
    return folder;
}

}  // namespace

Result<api::ImportProgress> Library::import(ImportFiles files) {
    api::ImportSpec spec;
    TIDAL_ASSIGN(spec.mapping, transfer::parse_mapping(files.mapping));
    TIDAL_ASSIGN(const auto folder, folder_of(files.folder, Absent::kRefused));
    std::string identity = files.mapping;
    for (const transfer::FileMapping& file : spec.mapping.files) {
        TIDAL_ASSIGN(api::ImportSource source, source_in(folder, file.name));
        identity += "\n" + source.name + " " + std::to_string(source.bytes);
        spec.sources.push_back(std::move(source));
    }
    spec.id = files.id.empty() ? "import-" + hash128(identity).to_hex() : files.id;
    spec.shift_end_to_now = files.shift_end_to_now;
    return runtime::sync_wait(api::import_files(*open_->database, open_->runtime->clock(),
                                                std::move(spec), std::move(files.observer)));
}

Result<api::ExportPage> Library::export_signals(const api::ExportRequest& request) {
    return open_->database->export_signals(request);
}

Result<api::ShownPage> Library::export_shown(const api::ShownRequest& request) {
    return open_->database->export_shown(request);
}

Result<api::BackupManifest> Library::backup(const std::string& folder) {
    if (!open_->database->durable())
        return Error(ErrorCode::kUnsupported, "a database in memory has no backups");
    TIDAL_ASSIGN(const BackupFolder to, backup_folder(folder, Absent::kMade));
    TIDAL_ASSIGN(const bool taken, to.parent->disk().exists(to.name));
    if (taken)
        return Error(ErrorCode::kConflict, "a backup needs a folder that is not there yet")
            .with("folder", folder);
    api::Database& database = *open_->database;
    const api::BackupManifest manifest =
        api::manifest_of(database, open_->runtime->clock().wall_ms());
    api::BackupProgress progress;
    auto written = wait<api::BackupManifest>([&](auto done) {
        database.hold_checkpoints([&, done = std::move(done)](const api::HeldFiles& files) mutable {
            done(api::write_backup(files, to.parent->disk(), to.name, manifest, progress));
        });
    });
    if (!written.ok()) (void)api::remove_tree(to.parent->disk(), to.name);
    return written;
}

Result<std::vector<std::string>> Library::verify_backup(const std::string& folder) {
    TIDAL_ASSIGN(const BackupFolder backup, backup_folder(folder, Absent::kRefused));
    return api::verify_backup(backup.parent->disk(), backup.name);
}

Result<api::BackupManifest> Library::restore(const std::string& folder,
                                             const std::string& directory) {
    TIDAL_ASSIGN(const BackupFolder backup, backup_folder(folder, Absent::kRefused));
    TIDAL_ASSIGN(const auto target, folder_of(directory, Absent::kMade));
    TIDAL_ASSIGN(const auto lock, target->disk().lock("LOCK"));
    return api::restore_backup(backup.parent->disk(), backup.name, target->disk(),
                               target->random());
}

}  // namespace tidal
