// transfer/internal/cell.h: one value of a row of a file, before it has a type.
#pragma once

#include <string_view>
#include <vector>

namespace tidal::transfer {

/// Text as it stands in the file; of an NDJSON array, its elements. Borrows the row.
struct SourceCell {
    bool present = false;  ///< False: no such key, null, or an empty CSV field.
    bool is_list = false;
    std::string_view text;
    std::vector<std::string_view> list;
};

}  // namespace tidal::transfer
