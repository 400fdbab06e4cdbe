// cluster/internal/hex.h: ids as text and as bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidal::cluster::internal {

/// Lower-case digits.
std::string to_hex(std::string_view bytes);
/// Two digits per byte; what is no digit counts as 0.
std::string from_hex(std::string_view digits);

/// Of the ids of clusters and of instances, which are 32 digits as text.
inline constexpr std::size_t kIdBytes = 16;
/// Exactly kIdBytes; zeros follow an id that is too short.
std::string id_bytes(std::string_view digits);

}  // namespace tidal::cluster::internal
