// transfer/internal/npy_header.h: what a NumPy file says of its numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidal::transfer {

struct NpyHeader {
    std::string descr;  ///< "<f4".
    bool fortran_order = false;
    std::vector<std::uint64_t> shape;
};

/// The dictionary as NumPy writes it: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3),
/// }`.
/// @return kInvalidArgument  anything else, also a key more or less.
Result<NpyHeader> parse_npy_header(std::string_view text);

}  // namespace tidal::transfer
