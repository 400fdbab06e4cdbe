// entity/internal/row.h: one entity's row, the truth from which columns and bitmaps are built.
// Format: docs/formats/entity_rows.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"

namespace tidal::entity {

/// What a cell holds: one of the four fixed fields, or a field of the schema.
using CellKey = std::uint32_t;
inline constexpr CellKey kCreatorCell = 0;
inline constexpr CellKey kCreatedAtCell = 1;
inline constexpr CellKey kPublishAtCell = 2;
inline constexpr CellKey kExpiresAtCell = 3;
inline constexpr CellKey kFieldCells = 4;
constexpr CellKey cell_of(FieldId field) {
    return kFieldCells + field.value();
}

/// Newest write of one field. `value` is encoded and borrowed; nullopt = removed, kept so that an
/// older write cannot bring the field back.
struct Cell {
    CellKey key = 0;
    HybridTime stamp;
    std::optional<std::string_view> value;
    bool operator==(const Cell&) const = default;
};
using Cells = std::vector<Cell>;

enum class RowState : std::uint8_t {
    kReserved = 0,  ///< A signal named it, nobody created it.
    kLive = 1,
    kTombstone = 2,  ///< Deleted; refuses writes up to `deleted`.
};

/// Invariants of a live row: deleted < generation <= version; cells strictly ascending by key, each
/// stamp in (deleted, version]. A tombstone has only `deleted`; a reserved row has only its slot.
struct Row {
    RowState state = RowState::kReserved;
    Slot slot;
    HybridTime generation;  ///< Oldest upsert since the newest delete.
    HybridTime version;     ///< Newest upsert.
    HybridTime deleted;     ///< Newest delete; 0 = never.
    Cells cells;

    const Cell* find(CellKey key) const;
    bool operator==(const Row&) const = default;
};

/// Equal rows have equal bytes.
void encode_row(const Row& row, Encoder* out);
/// Cells borrow `bytes`; the memory of `row` is used again. kCorruption when malformed or an
/// invariant does not hold.
Result<void> decode_row(std::string_view bytes, Row* row);

/// Ids in keys: numbers big-endian before strings, so that key order is the order of EntityId.
void append_id_key(const EntityId& id, std::string* key);
/// kCorruption for anything append_id_key does not write.
Result<EntityId> parse_id_key(std::string_view key);
/// "e/i/", "e/u/", "e/c/".
std::string row_prefix(EntityKind kind);
/// "e/iv/" and the embedding slot, big-endian.
std::string vector_prefix(EntityKind kind, EmbeddingSlotId slot);

}  // namespace tidal::entity
