// http/import_spool.h: the files of an import, kept on disk while they are read more than once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/import.h"
#include "runtime/disk.h"
#include "transfer/tar_reader.h"

namespace tidal::http {

struct SpoolLimits {
    std::uint64_t bytes_max = std::uint64_t{16} << 30;  ///< Of one import.
    std::uint64_t free_bytes_min = runtime::kFreeForLogBytes;
};

inline constexpr std::string_view kImportFolder = "import";

/// Removes what an earlier process left in the folder, and makes it.
Result<void> clear_import_folder(runtime::Disk& disk);

/// The files of one import. Nothing is synced: a crash ends the import, and its client sends it
/// again. Removed when destroyed. Threads: one at a time; readers one each.
class ImportSpool final : public transfer::TarReader::Handler,
                          public std::enable_shared_from_this<ImportSpool> {
public:
    /// @param prefix  Of the names in the folder; unique.
    ImportSpool(runtime::Disk& disk, const SpoolLimits& limits, std::string prefix);
    ~ImportSpool() override;

    // kTooLarge past the limit; kDiskFull before the log has no room; kConflict for a name twice.
    Result<void> on_file(std::string_view name, std::uint64_t bytes) override;
    Result<void> on_bytes(std::string_view bytes) override;
    Result<void> on_file_end() override;

    const std::vector<std::string>& names() const { return names_; }
    /// Keeps the spool while it is read. Precondition: one of names().
    api::ImportSource source(const std::string& name);

private:
    std::string path_of(std::size_t at) const;
    Result<void> check_room(std::uint64_t more);

    runtime::Disk& disk_;
    const SpoolLimits limits_;
    const std::string prefix_;
    std::vector<std::string> names_;
    std::vector<std::uint64_t> sizes_;
    std::unique_ptr<runtime::File> open_;
    std::uint64_t bytes_ = 0, bytes_checked_ = 0;
};

/// Pieces of at most 256 KiB.
class SpoolReader final : public api::ByteReader {
public:
    SpoolReader(std::shared_ptr<ImportSpool> spool, std::unique_ptr<runtime::File> file)
        : spool_(std::move(spool)), file_(std::move(file)) {}
    Result<std::string> read() override;

private:
    std::shared_ptr<ImportSpool> spool_;
    std::unique_ptr<runtime::File> file_;
    std::uint64_t at_ = 0;
};

}  // namespace tidal::http
