// entity/internal/merge.h: last writer wins per field; what an upsert or a delete makes of a row.
#pragma once

#include <span>
#include <vector>

#include "entity/internal/row.h"

namespace tidal::entity {

struct CellChange {
    CellKey key = 0;
    std::optional<std::string_view> value;  ///< nullopt removes.
};

/// A value that became another; nullopt = none there.
struct CellDifference {
    CellKey key = 0;
    std::optional<std::string_view> before, after;
};
using CellDifferences = std::vector<CellDifference>;

/// `row` after an upsert at `stamp`, which is newer than row.deleted. The newer stamp wins each
/// cell; at equal stamps the greater bytes do and a removal is the least, so that the order in
/// which writes arrive does not matter. Views in the result borrow from both inputs.
/// @param  changes  Ascending by key, no key twice.
Row merge_upsert(const Row& row, std::span<const CellChange> changes, HybridTime stamp,
                 CellDifferences* differences);

/// `row` after a delete at `stamp`: what is older goes. A live row with newer writes stays live;
/// its generation is then the oldest stamp still known.
Row merge_delete(const Row& row, HybridTime stamp, CellDifferences* differences);

}  // namespace tidal::entity
