// base/big_endian.h: numbers in keys of rows, whose order of bytes is then that of the numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidal {

/// The lowest `bytes` (1 to 8) bytes of a number, the highest first.
inline void append_big_endian(std::uint64_t value, int bytes, std::string* out) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        out->push_back(static_cast<char>(value >> shift));
}

/// Of at most 8 bytes.
inline std::uint64_t read_big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
    return value;
}

}  // namespace tidal
