// storage/internal/durable_folder.h: a folder that a crash does not take back.
#pragma once

#include <string_view>

#include "runtime/disk.h"

namespace tidal::storage::internal {

/// Makes a folder whose name, and those above it, survive a crash, whoever made them.
Result<void> make_durable_folder(runtime::Disk& disk, std::string_view path);

}  // namespace tidal::storage::internal
