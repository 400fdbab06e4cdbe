#include "wal/new_log.h"

#include <algorithm>

#include "wal/internal/log_format.h"
#include "wal/internal/log_writer.h"
#include "wal/internal/recovery.h"

namespace tidal::wal {
namespace {

constexpr std::uint64_t kFirstSequence = 1;

}  // namespace

Result<void> make_log(runtime::Disk& disk, const LogOptions& options) {
    TIDAL_TRY(disk.create_directories(options.directory));
    const std::string first = join_path(options.directory, log_file_name(kFirstSequence));
    TIDAL_ASSIGN(const bool there, disk.exists(first));
    if (there) return {};
    auto made = make_log_file(disk, options.directory, kFirstSequence, options.file_bytes);
    return made.ok() ? Result<void>() : made.take_error();
}

Result<bool> holds_log(runtime::Disk& disk, const std::string& directory) {
    TIDAL_ASSIGN(const bool there, disk.exists(directory));
    if (!there) return false;
    TIDAL_ASSIGN(const auto names, disk.list(directory));
    std::string begin;
    for (const std::string& name : names) {
        if (name == kPrepareName) continue;
        if (!parse_log_file_name(name)) return true;
        TIDAL_TRY(read_image(disk, join_path(directory, name), kFileHeaderBytes, &begin));
        if (!all_zero(begin)) return true;
    }
    return false;
}

}  // namespace tidal::wal
