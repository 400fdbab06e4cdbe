// wal/new_log.h: the log of a directory that is being made. It is there before the directory counts
// as a database, so that a database without one has lost it (decision 54).
#pragma once

#include "base/result.h"
#include "runtime/disk.h"
#include "wal/node_log.h"

namespace tidal::wal {

/// Makes the first file, empty and durable. Nothing where an interrupted attempt left one.
/// @return kDiskFull, kIo.
Result<void> make_log(runtime::Disk& disk, const LogOptions& options);

/// Whether there is anything in the directory but files that were made and never written to.
Result<bool> holds_log(runtime::Disk& disk, const std::string& directory);

}  // namespace tidal::wal
