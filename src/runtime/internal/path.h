// runtime/internal/path.h: the rules for paths of a Disk, shared by every implementation.
#pragma once

#include <string_view>

#include "base/result.h"

namespace tidal::runtime::internal {

enum class RootPath { kRefused, kAllowed };

/// kInvalidArgument for absolute paths, empty, "." or ".." parts, NUL bytes and parts over 255
/// bytes. The empty path is the root folder itself, legal only where the caller allows it.
Result<void> check_path(std::string_view path, RootPath root);

/// "a/b/c" -> "a/b"; "c" -> "" (the root).
std::string_view folder_of(std::string_view path);

}  // namespace tidal::runtime::internal
