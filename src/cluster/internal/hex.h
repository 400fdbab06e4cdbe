// cluster/internal/hex.h: ids as text and as bytes.
#pragma once

#include <string>
#include <string_view>

namespace tidal::cluster::internal {

/// Lower-case digits.
std::string to_hex(std::string_view bytes);
/// Two digits per byte; what is no digit counts as 0.
std::string from_hex(std::string_view digits);

}  // namespace tidal::cluster::internal
