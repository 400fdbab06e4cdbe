#include "base/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace tidal {

std::uint32_t crc32c(std::string_view bytes) {
    return crc32c_extend(0, bytes);
}

std::uint32_t crc32c_extend(std::uint32_t crc, std::string_view bytes) {
    // isa-l leaves both inversions to the caller and counts bytes in an int. It only reads.
    constexpr std::size_t kStepMax = std::size_t{1} << 30;
    std::uint32_t state = ~crc;
    while (!bytes.empty()) {
        const auto step = bytes.substr(0, std::min(bytes.size(), kStepMax));
        auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(step.data()));
        state = crc32_iscsi(data, static_cast<int>(step.size()), state);
        bytes.remove_prefix(step.size());
    }
    return ~state;
}

}  // namespace tidal
