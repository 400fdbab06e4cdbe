// cluster/internal/seal.h: the few operations on keys that joining needs, by OpenSSL.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidal::cluster::internal {

/// HMAC-SHA-256: 32 bytes.
std::string mac_of(std::string_view key, std::string_view bytes);
/// Takes the same time wherever they differ.
bool equal_secrets(std::string_view a, std::string_view b);
/// HKDF-SHA-256 (RFC 5869), 32 bytes.
Result<std::string> derive_key(std::string_view key, std::string_view salt, std::string_view use);
/// AES-256-GCM: 12 bytes of a fresh random start, the text, 16 bytes that vouch for it and `along`.
Result<std::string> seal(std::string_view key, std::string_view along, std::string_view text);
/// kUnauthenticated for anything seal() did not make with this key and `along`.
Result<std::string> unseal(std::string_view key, std::string_view along, std::string_view sealed);

}  // namespace tidal::cluster::internal
