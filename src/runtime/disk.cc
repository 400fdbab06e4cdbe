// The helpers over a Disk that every implementation shares.
#include "runtime/disk.h"

#include "runtime/internal/path.h"

namespace tidal::runtime {

namespace {

Result<void> write_temporary(Disk& disk, const std::string& temporary, std::string_view bytes) {
    // A leftover of an earlier crash is nobody's: its rename never happened.
    if (auto removed = disk.remove(temporary);
        !removed && removed.error().code() != ErrorCode::kNotFound)
        return removed.take_error();
    TIDAL_ASSIGN(const auto file, disk.open(temporary, OpenMode::kCreate));
    TIDAL_TRY(file->write_at(0, bytes));
    return file->sync();
}

}  // namespace

Result<std::vector<std::string>> list_if_there(Disk& disk, std::string_view folder) {
    auto names = disk.list(folder);
    if (!names.ok() && names.error().code() == ErrorCode::kNotFound)
        return std::vector<std::string>();
    return names;
}

Result<std::string> read_file(Disk& disk, std::string_view path) {
    TIDAL_ASSIGN(const auto file, disk.open(path, OpenMode::kRead));
    TIDAL_ASSIGN(const auto size, file->size());
    std::string bytes(size, '\0');
    TIDAL_ASSIGN(const auto got, file->read_at(0, bytes));
    bytes.resize(got);
    return bytes;
}

Result<void> write_file(Disk& disk, std::string_view path, std::string_view bytes) {
    TIDAL_TRY(internal::check_path(path, internal::RootPath::kRefused));
    const std::string temporary = std::string(path) + ".tmp";
    if (auto written = write_temporary(disk, temporary, bytes); !written) {
        if (auto removed = disk.remove(temporary); !removed) {
            // The first error is the one that tells what happened.
        }
        return written.take_error();
    }
    TIDAL_TRY(disk.rename(temporary, path));
    return disk.sync_directory(internal::folder_of(path));
}

}  // namespace tidal::runtime
