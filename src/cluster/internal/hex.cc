#include "cluster/internal/hex.h"

namespace tidal::cluster::internal {
namespace {

unsigned digit_of(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
    return 0;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(kDigits[byte >> 4]);
        out.push_back(kDigits[byte & 15]);
    }
    return out;
}

std::string from_hex(std::string_view digits) {
    std::string out;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
        out.push_back(static_cast<char>(digit_of(digits[i]) * 16 + digit_of(digits[i + 1])));
    return out;
}

std::string id_bytes(std::string_view digits) {
    std::string bytes = from_hex(digits);
    bytes.resize(kIdBytes);
    return bytes;
}

}  // namespace tidal::cluster::internal
