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
    const char* from = bytes.data();
    const auto byte = [](char c) { return std::uint32_t{static_cast<std::uint8_t>(c)}; };
    const auto letter = [](std::uint32_t bits) { return kAlphabet[bits & 63]; };
    std::size_t left = bytes.size();
    for (; left >= 3; left -= 3, from += 3, to += 4) {
        const std::uint32_t bits = byte(from[0]) << 16 | byte(from[1]) << 8 | byte(from[2]);
        to[0] = letter(bits >> 18);
        to[1] = letter(bits >> 12);
        to[2] = letter(bits >> 6);
        to[3] = letter(bits);
    }
    if (left == 0) return out;
    const std::uint32_t bits = byte(from[0]) << 16 | (left == 2 ? byte(from[1]) << 8 : 0);
    to[0] = letter(bits >> 18);
    to[1] = letter(bits >> 12);
    if (left == 2) to[2] = letter(bits >> 6);
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
