#include "wal/log_copy.h"

#include <limits>

#include "wal/internal/log_format.h"

namespace tidal::wal {

Result<std::vector<LogPiece>> log_pieces(runtime::Disk& disk, const std::string& directory,
                                         LogPosition end) {
    TIDAL_ASSIGN(const auto names, disk.list(directory));
    std::vector<LogPiece> pieces;
    for (const std::string& name : names) {
        const auto sequence = parse_log_file_name(name);
        // Files behind the end are made ahead of their use, or hold only what came later.
        if (!sequence || *sequence > end.file) continue;
        pieces.push_back(
            {join_path(directory, name),
             *sequence == end.file ? end.offset : std::numeric_limits<std::uint64_t>::max()});
    }
    return pieces;
}

}  // namespace tidal::wal
