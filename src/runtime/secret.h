// runtime/secret.h: bytes nobody can guess, for keys. Random (random.h) is for all else: it is
// repeatable in simulation, and predictable.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace tidal::runtime {

/// From the operating system. kIo when it refuses.
Result<std::string> secret_bytes(std::size_t size);

}  // namespace tidal::runtime
