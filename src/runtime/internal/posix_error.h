// runtime/internal/posix_error.h: errno to Error, in one place.
#pragma once

#include <string_view>

#include "base/error.h"

namespace tidal::runtime::internal {

/// ENOENT, ENOTDIR -> kNotFound; ENOSPC, EDQUOT -> kDiskFull; EEXIST, ENOTEMPTY -> kConflict;
/// EISDIR -> kInvalidArgument; all else kIo. Names the operation, the path and the errno, with a
/// hint where one helps.
Error posix_error(int error_number, std::string_view operation, std::string_view path);

}  // namespace tidal::runtime::internal
