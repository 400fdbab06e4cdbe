// base/crc32c.h: CRC-32C (Castagnoli), the checksum of every format on disk and wire.
//
// Source: RFC 3720 appendix B.4 (polynomial 0x1EDC6F41 reflected, initial and final inversion);
// computed by isa-l, which picks the fastest instructions at run time. The value does not depend
// on them.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidal {

/// The checksum of `bytes`. Empty input gives 0.
std::uint32_t crc32c(std::string_view bytes);

/// The checksum of a + b, given `crc` = crc32c(a) and `bytes` = b.
std::uint32_t crc32c_extend(std::uint32_t crc, std::string_view bytes);

}  // namespace tidal
