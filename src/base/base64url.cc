#include "base/base64url.h"

#include <cstdint>

namespace tidal {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::string base64url_encode(std::string_view bytes) {
    std::string out((bytes.size() * 4 + 2) / 3, '\0');
    char* to = out.data();
    const auto put = [&to](std::uint32_t bits, int letters) {
        for (int i = 0, shift = 18; i < letters; ++i, shift -= 6)
            *to++ = kAlphabet[(bits >> shift) & 63];
    };
    const auto byte = [&](std::size_t at) {
        return std::uint32_t{static_cast<std::uint8_t>(bytes[at])};
    };
    std::size_t at = 0;
    for (; at + 3 <= bytes.size(); at += 3)
        put(byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2), 4);
    if (bytes.size() - at == 2) put(byte(at) << 16 | byte(at + 1) << 8, 3);
    if (bytes.size() - at == 1) put(byte(at) << 16, 2);
    return out;
}

std::optional<std::string> base64url_decode(std::string_view text) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char letter : text) {
        const std::size_t value = kAlphabet.find(letter);
        if (value == std::string_view::npos) return std::nullopt;
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<char>(bits >> count));
        }
    }
    if ((bits & ((1u << count) - 1)) != 0) return std::nullopt;
    return out;
}

}  // namespace tidal
