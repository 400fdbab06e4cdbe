// wal/log_copy.h: which bytes of which files are the log up to a position.
#pragma once

#include <string>
#include <vector>

#include "runtime/disk.h"
#include "wal/node_log.h"

namespace tidal::wal {

struct LogPiece {
    std::string path;
    std::uint64_t used_bytes = 0;  ///< What lies behind is zeros in a log that ends here.
};

/// Oldest first. With these files, of their own length and zeros behind `used_bytes`, the log is as
/// a crash would have left it at `end`, which must be durable. Whoever copies them holds
/// them (NodeLog::hold_files). Any thread.
Result<std::vector<LogPiece>> log_pieces(runtime::Disk& disk, const std::string& directory,
                                         LogPosition end);

}  // namespace tidal::wal
