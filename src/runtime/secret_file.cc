#include <sys/stat.h>

#include <cerrno>

#include "runtime/internal/path.h"
#include "runtime/internal/posix_error.h"
#include "runtime/secret.h"

namespace tidal::runtime {

Result<void> write_secret_file(Disk& disk, const std::string& path, std::string_view bytes) {
    TIDAL_TRY(internal::check_path(path, internal::RootPath::kRefused));
    const std::string temporary = path + ".tmp";
    if (auto removed = disk.remove(temporary);
        !removed && removed.error().code() != ErrorCode::kNotFound)
        return removed.take_error();
    TIDAL_ASSIGN(const auto file, disk.open(temporary, OpenMode::kCreate));
    // While it is empty: afterwards nobody else can have it open.
    const std::string native = disk.native_path(temporary);
    if (!native.empty() && ::chmod(native.c_str(), S_IRUSR | S_IWUSR) != 0)
        return internal::posix_error(errno, "chmod", temporary);
    TIDAL_TRY(file->write_at(0, bytes));
    TIDAL_TRY(file->sync());
    TIDAL_TRY(disk.rename(temporary, path));
    return disk.sync_directory(internal::folder_of(path));
}

}  // namespace tidal::runtime
