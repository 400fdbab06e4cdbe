#include "storage/internal/durable_folder.h"

namespace tidal::storage::internal {

Result<void> make_durable_folder(runtime::Disk& disk, std::string_view path) {
    TIDAL_TRY(disk.create_directories(path));
    for (std::size_t slash = path.size(); slash != std::string_view::npos && slash > 0;) {
        slash = path.rfind('/', slash - 1);
        TIDAL_TRY(
            disk.sync_directory(slash == std::string_view::npos ? "" : path.substr(0, slash)));
    }
    return {};
}

}  // namespace tidal::storage::internal
