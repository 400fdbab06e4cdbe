#include "entity/stored_texts.h"

#include "base/codec.h"
#include "entity/internal/row.h"
#include "record/value.h"

namespace tidal::entity {

std::string stored_rows_prefix(EntityKind kind) {
    return row_prefix(kind);
}

Result<void> visit_stored_texts(const std::vector<schema::FieldSpec>& fields, std::string_view row,
                                StoredTextVisitor visit) {
    Row decoded;
    TIDAL_TRY(decode_row(row, &decoded));
    if (decoded.state != RowState::kLive) return {};
    for (const Cell& cell : decoded.cells) {
        if (!cell.value || cell.key < kFieldCells) continue;
        const std::size_t field = cell.key - kFieldCells;
        if (field >= fields.size())
            return Error(ErrorCode::kCorruption, "entity row: field the schema does not know");
        if (fields[field].type != schema::FieldType::kText) continue;
        Decoder in(*cell.value);
        const record::Value value = record::decode_value(&in);
        visit(decoded.slot, FieldId(static_cast<std::uint16_t>(field)),
              std::get<std::string>(value));
    }
    return {};
}

}  // namespace tidal::entity
