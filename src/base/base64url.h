// base/base64url.h: RFC 4648 §5 without padding: opaque tokens that fit a URL and a header.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidal {

std::string base64url_encode(std::string_view bytes);
/// nullopt for a character outside the alphabet, an impossible length or non-zero spare bits.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace tidal
