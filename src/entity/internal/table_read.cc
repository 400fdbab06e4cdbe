// Reading one entity whole, its vectors, and the hash over both.
#include <cassert>

#include "base/hash.h"
#include "entity/internal/table.h"
#include "entity/vector_codec.h"
#include "record/value.h"

namespace tidal::entity {
namespace {

Result<void> view_cell(const Cell& cell, EntityView* view) {
    switch (cell.key) {
        case kCreatorCell:
            view->creator = decode_id_value(*cell.value);
            return {};
        case kCreatedAtCell:
            view->created_at_ms = decode_time_value(*cell.value);
            return {};
        case kPublishAtCell:
            view->publish_at_ms = decode_time_value(*cell.value);
            return {};
        case kExpiresAtCell:
            view->expires_at_ms = decode_time_value(*cell.value);
            return {};
        default:
            break;
    }
    Decoder in(*cell.value);
    view->fields.emplace_back(FieldId(static_cast<std::uint16_t>(cell.key - kFieldCells)),
                              record::decode_value(&in));
    return in.finish("field value");
}

}  // namespace

Result<std::optional<EntityView>> StoredEntityTable::get(const EntityId& id) {
    const auto slot = find(id);
    if (!slot) return std::optional<EntityView>();
    HeldRow held;
    if (const std::string* kept = row_cache_.find(*slot)) {
        TIDAL_TRY(decode_row(*kept, &held.row));
    } else {
        TIDAL_TRY(read_row(id, *slot, &held));
        row_cache_.put(*slot, held.bytes);
    }
    const Row& row = held.row;
    EntityView view;
    view.id = id;
    view.slot = *slot;
    view.generation = row.generation;
    view.version = row.version;
    view.created_at_ms = row.generation.wall_ms();
    view.fields.reserve(row.cells.size());
    for (const Cell& cell : row.cells)
        if (cell.value) TIDAL_TRY(view_cell(cell, &view));
    return std::optional(std::move(view));
}

/// Rows that get() would keep are not kept: each is read once.
Result<bool> StoredEntityTable::build_texts(FieldId field, std::uint32_t rows) {
    TextColumn* const texts = columns_.texts(field);
    assert(texts != nullptr && "not a field of texts");
    if (texts->whole) return true;
    const Roaring& present = *columns_.present(field);
    auto at = present.begin();
    at.equalorlarger(texts->built);
    for (; at != present.end(); ++at) {
        if (rows-- == 0) return false;
        const Slot slot(*at);
        HeldRow held;
        TIDAL_TRY(read_row(ids_.id_of(slot), slot, &held));
        const Cell* const cell = held.row.find(cell_of(field));
        assert(cell != nullptr && cell->value && "the bitmap says it is there");
        Decoder in(*cell->value);
        const record::Value value = record::decode_value(&in);
        const auto* const text = std::get_if<std::string>(&value);
        if (text == nullptr) return Error(ErrorCode::kCorruption, "a text field holds no text");
        texts->put(slot.value(), *text);
        texts->built = slot.value() + 1;
    }
    texts->whole = true;
    return true;
}

Result<void> StoredEntityTable::set_embedding(const record::EmbeddingBody& body, HybridTime stamp) {
    assert(body.kind == kind_);
    const auto& specs = kind_schema().embeddings;
    if (body.slot.value() >= specs.size())
        return Error(ErrorCode::kUnknownName, "the schema has no such embedding")
            .with("embedding_id", body.slot.value());
    const schema::EmbeddingSpec& spec = specs[body.slot.value()];
    TIDAL_TRY(check_vector(spec, body.values));
    const auto slot = find(body.id);
    if (!slot) return not_found(body.id);
    if (stamp <= generations_[slot->value()]) {
        HeldRow held;
        TIDAL_TRY(read_row(body.id, *slot, &held));
        if (stamp <= held.row.deleted) return {};  // of a generation that is gone
    }
    const std::string key = vector_key(body.id, body.slot);
    scratch_.clear();
    encode_vector(spec, stamp, body.values, &scratch_);
    TIDAL_ASSIGN(const auto before, store_.get(key));
    if (before) {
        TIDAL_ASSIGN(const HybridTime written, decode_vector_stamp(*before));
        if (written > stamp || (written == stamp && *before >= scratch_.view())) return {};
    }
    store_.put(key, scratch_.view());
    return {};
}

Result<std::optional<std::string>> StoredEntityTable::embedding_row(const EntityId& id,
                                                                    EmbeddingSlotId slot) {
    if (slot.value() >= kind_schema().embeddings.size())
        return Error(ErrorCode::kUnknownName, "the schema has no such embedding")
            .with("embedding_id", slot.value());
    return store_.get(vector_key(id, slot));
}

Result<std::optional<std::vector<float>>> StoredEntityTable::embedding(const EntityId& id,
                                                                       EmbeddingSlotId slot) {
    TIDAL_ASSIGN(const auto bytes, embedding_row(id, slot));
    if (!bytes) return std::optional<std::vector<float>>();
    TIDAL_ASSIGN(StoredVector vector, decode_vector(*bytes));
    return std::optional(std::move(vector.values));
}

Result<void> StoredEntityTable::for_each_embedding(EmbeddingSlotId slot,
                                                   const EmbeddingVisitor& visit) {
    const std::string prefix = vector_prefix(kind_, slot);
    const auto one = [&](std::string_view key, std::string_view bytes) -> Result<void> {
        TIDAL_ASSIGN(const EntityId id, parse_id_key(key.substr(prefix.size())));
        const auto at = find(id);
        if (!at)
            return Error(ErrorCode::kCorruption, "vector row: of no entity")
                .with("id", id.to_string());
        return visit(*at, bytes);
    };
    Result<void> outcome;
    TIDAL_TRY(store_.scan(prefix, [&](std::string_view key, std::string_view bytes) {
        outcome = one(key, bytes);
        return outcome.ok();
    }));
    return outcome;
}

Result<std::uint64_t> StoredEntityTable::content_hash(Slot slot) {
    const EntityId& id = ids_.id_of(slot);
    HeldRow held;
    TIDAL_TRY(read_row(id, slot, &held));
    Row row = held.row;
    row.slot = Slot(0);  // a replica that saw the ids in another order has other slots
    Encoder content;
    std::string key;
    append_id_key(id, &key);
    content.bytes(key);
    Encoder row_bytes;
    encode_row(row, &row_bytes);
    content.bytes(row_bytes.view());
    for (const schema::EmbeddingSpec& spec : kind_schema().embeddings) {
        TIDAL_ASSIGN(const auto vector, store_.get(vector_key(id, spec.id)));
        if (!vector) continue;
        content.varint(spec.id.value());
        content.bytes(*vector);
    }
    return hash64(content.view());
}

}  // namespace tidal::entity
