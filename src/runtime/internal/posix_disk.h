// runtime/internal/posix_disk.h: Disk over a directory of the operating system.
#pragma once

#include <memory>
#include <string>

#include "runtime/disk.h"

namespace tidal::runtime::internal {

/// Opens `root`, making it and its parents when absent. kIo names what the system refused.
Result<std::unique_ptr<Disk>> make_posix_disk(const std::string& root);

}  // namespace tidal::runtime::internal
