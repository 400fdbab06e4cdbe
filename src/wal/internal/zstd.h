// wal/internal/zstd.h: zstd frames in memory, bounded before anything is allocated.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::wal {

/// One frame that states its plain size.
std::string zstd_pack(std::string_view plain, int level);

/// Replaces `plain`. kCorruption when `packed` is not exactly one frame that states its plain size,
/// or states more than `plain_bytes_max`.
Result<void> zstd_unpack(std::string_view packed, std::size_t plain_bytes_max, std::string* plain);

}  // namespace tidal::wal
