#include "entity/internal/merge.h"

#include <algorithm>
#include <cassert>

namespace tidal::entity {
namespace {

bool wins(const CellChange& change, HybridTime stamp, const Cell& cell) {
    // optional orders nullopt before every value.
    return stamp != cell.stamp ? stamp > cell.stamp : change.value > cell.value;
}

void note(CellKey key, const std::optional<std::string_view>& before,
          const std::optional<std::string_view>& after, CellDifferences* differences) {
    if (before != after) differences->push_back({key, before, after});
}

}  // namespace

Row merge_upsert(const Row& row, std::span<const CellChange> changes, HybridTime stamp,
                 CellDifferences* differences) {
    assert(stamp > row.deleted);
    Row out;
    out.state = RowState::kLive;
    out.slot = row.slot;
    out.deleted = row.deleted;
    const bool was_live = row.state == RowState::kLive;
    out.generation = was_live ? std::min(row.generation, stamp) : stamp;
    out.version = was_live ? std::max(row.version, stamp) : stamp;
    out.cells.reserve(row.cells.size() + changes.size());

    auto cell = row.cells.begin();
    for (const CellChange& change : changes) {
        while (cell != row.cells.end() && cell->key < change.key) out.cells.push_back(*cell++);
        if (cell == row.cells.end() || cell->key != change.key) {
            out.cells.push_back({change.key, stamp, change.value});
            note(change.key, std::nullopt, change.value, differences);
        } else if (wins(change, stamp, *cell)) {
            out.cells.push_back({change.key, stamp, change.value});
            note(change.key, cell->value, change.value, differences);
            ++cell;
        } else {
            out.cells.push_back(*cell++);
        }
    }
    out.cells.insert(out.cells.end(), cell, row.cells.end());
    return out;
}

Row merge_delete(const Row& row, HybridTime stamp, CellDifferences* differences) {
    Row out;
    out.slot = row.slot;
    out.deleted = std::max(row.deleted, stamp);
    if (row.state != RowState::kLive || row.version <= out.deleted) {
        out.state = RowState::kTombstone;
        for (const Cell& cell : row.cells) note(cell.key, cell.value, std::nullopt, differences);
        return out;
    }
    out.state = RowState::kLive;
    out.version = row.version;
    HybridTime oldest = row.version;
    for (const Cell& cell : row.cells) {
        if (cell.stamp <= out.deleted) {
            note(cell.key, cell.value, std::nullopt, differences);
        } else {
            out.cells.push_back(cell);
            oldest = std::min(oldest, cell.stamp);
        }
    }
    out.generation = row.generation > out.deleted ? row.generation : oldest;
    return out;
}

}  // namespace tidal::entity
