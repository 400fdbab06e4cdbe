// runtime/secret.h: bytes nobody can guess, for keys, and files that hold them. Random (random.h)
// is for all else: it is repeatable in simulation, and predictable.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/disk.h"

namespace tidal::runtime {

/// From the operating system. kIo when it refuses.
Result<std::string> secret_bytes(std::size_t size);

/// As write_file() (disk.h), for keys: at no moment may anybody but the owner read them (mode
/// 0600).
Result<void> write_secret_file(Disk& disk, const std::string& path, std::string_view bytes);

}  // namespace tidal::runtime
