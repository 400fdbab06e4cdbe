#include "entity/internal/row.h"

#include <algorithm>
#include <cassert>

namespace tidal::entity {
namespace {

constexpr std::uint8_t kRowVersion = 1;
constexpr std::size_t kIdTextBytesMax = 255;

enum RowFlags : std::uint8_t { kHasGeneration = 1, kHasDeleted = 2, kAllRowFlags = 3 };
enum CellFlags : std::uint8_t { kHasValue = 1, kHasStamp = 2, kCellFlagBits = 2 };

Error malformed(std::string_view what) {
    return Error(ErrorCode::kCorruption, "entity row: " + std::string(what));
}

void encode_cell(const Cell& cell, HybridTime version, Encoder* out) {
    const bool has_stamp = cell.stamp != version;
    out->varint((std::uint64_t{cell.key} << kCellFlagBits) |
                (cell.value ? std::uint8_t{kHasValue} : 0) |
                (has_stamp ? std::uint8_t{kHasStamp} : 0));
    // As a distance: most changes of one entity lie close together.
    if (has_stamp) out->varint(version.bits() - cell.stamp.bits());
    if (cell.value) out->bytes(*cell.value);
}

bool decode_cell(Decoder* in, HybridTime version, Cell* cell) {
    const std::uint64_t head = in->varint();
    if ((head >> kCellFlagBits) > kFieldCells + 0xffffULL) return false;
    cell->key = static_cast<CellKey>(head >> kCellFlagBits);
    const std::uint64_t distance = (head & kHasStamp) != 0 ? in->varint() : 0;
    if ((head & kHasStamp) != 0 && (distance == 0 || distance > version.bits())) return false;
    cell->stamp = HybridTime::from_bits(version.bits() - distance);
    cell->value.reset();
    if ((head & kHasValue) != 0) cell->value = in->bytes();
    return !in->failed();
}

Result<void> decode_live(Decoder* in, Row* row) {
    row->version = HybridTime::from_bits(in->u64());
    const std::uint8_t flags = in->u8();
    if ((flags & ~kAllRowFlags) != 0) return malformed("unknown flags").with("flags", flags);
    row->generation =
        (flags & kHasGeneration) != 0 ? HybridTime::from_bits(in->u64()) : row->version;
    if ((flags & kHasDeleted) != 0) row->deleted = HybridTime::from_bits(in->u64());
    const std::size_t count = in->count(1);
    row->cells.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        Cell& cell = row->cells[i];
        if (!decode_cell(in, row->version, &cell)) return malformed("bad cell").with("cell", i);
        if (i > 0 && row->cells[i - 1].key >= cell.key) return malformed("cells out of order");
        if (cell.stamp <= row->deleted) return malformed("cell older than the deletion");
    }
    if (row->generation > row->version || row->generation <= row->deleted)
        return malformed("generation outside deletion and version");
    return {};
}

}  // namespace

const Cell* Row::find(CellKey key) const {
    const auto at = std::lower_bound(cells.begin(), cells.end(), key,
                                     [](const Cell& cell, CellKey k) { return cell.key < k; });
    return at != cells.end() && at->key == key ? &*at : nullptr;
}

void encode_row(const Row& row, Encoder* out) {
    out->u8(kRowVersion);
    out->u8(static_cast<std::uint8_t>(row.state));
    out->varint(row.slot.value());
    if (row.state == RowState::kReserved) return;
    if (row.state == RowState::kTombstone) {
        out->u64(row.deleted.bits());
        return;
    }
    assert(row.deleted < row.generation && row.generation <= row.version);
    const bool has_generation = row.generation != row.version;
    const bool has_deleted = row.deleted != HybridTime();
    out->u64(row.version.bits());
    out->u8((has_generation ? std::uint8_t{kHasGeneration} : 0) |
            (has_deleted ? std::uint8_t{kHasDeleted} : 0));
    if (has_generation) out->u64(row.generation.bits());
    if (has_deleted) out->u64(row.deleted.bits());
    out->varint(row.cells.size());
    for (const Cell& cell : row.cells) encode_cell(cell, row.version, out);
}

Result<void> decode_row(std::string_view bytes, Row* row) {
    row->generation = row->version = row->deleted = HybridTime();
    row->cells.clear();
    Decoder in(bytes);
    const std::uint8_t version = in.u8();
    if (!in.failed() && version != kRowVersion)
        return malformed("unknown version").with("version", version);
    const std::uint8_t state = in.u8();
    const std::uint64_t slot = in.varint();
    if (in.failed() || state > static_cast<std::uint8_t>(RowState::kTombstone) || slot > UINT32_MAX)
        return malformed("bad state or slot");
    row->state = static_cast<RowState>(state);
    row->slot = Slot(static_cast<std::uint32_t>(slot));
    if (row->state == RowState::kTombstone) row->deleted = HybridTime::from_bits(in.u64());
    if (row->state == RowState::kLive) TIDAL_TRY(decode_live(&in, row));
    return in.finish("entity row");
}

void append_id_key(const EntityId& id, std::string* key) {
    if (id.is_text()) {
        key->push_back('s');
        key->append(id.text());
        return;
    }
    key->push_back('n');
    for (int shift = 56; shift >= 0; shift -= 8)
        key->push_back(static_cast<char>(id.number() >> shift));
}

Result<EntityId> parse_id_key(std::string_view key) {
    if (key.size() == 9 && key[0] == 'n') {
        std::uint64_t number = 0;
        for (const char c : key.substr(1)) number = (number << 8) | static_cast<unsigned char>(c);
        return EntityId(number);
    }
    if (key.size() >= 2 && key.size() <= 1 + kIdTextBytesMax && key[0] == 's')
        return EntityId(std::string(key.substr(1)));
    return malformed("bad id in key");
}

std::string row_prefix(EntityKind kind) {
    return std::string("e/") + entity_kind_name(kind)[0] + "/";
}

std::string vector_prefix(EntityKind kind, EmbeddingSlotId slot) {
    std::string prefix = std::string("e/") + entity_kind_name(kind)[0] + "v/";
    prefix.push_back(static_cast<char>(slot.value() >> 8));
    prefix.push_back(static_cast<char>(slot.value()));
    return prefix;
}

}  // namespace tidal::entity
