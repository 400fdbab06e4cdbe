#include "entity/internal/table.h"

#include <algorithm>
#include <cassert>

#include "entity/internal/upsert_changes.h"
#include "entity/vector_codec.h"
#include "record/value.h"

namespace tidal::entity {
namespace {

constexpr std::size_t kIdBytesMax = 255;

Result<void> check_id(const EntityId& id, std::string_view what) {
    if (!id.is_text() || (!id.text().empty() && id.text().size() <= kIdBytesMax)) return {};
    return Error(ErrorCode::kInvalidArgument, std::string(what) + " has a wrong length")
        .with_field(what)
        .with("bytes", id.text().size())
        .with_hint("1 to 255 bytes");
}

Error version_mismatch(HybridTime wanted, HybridTime found) {
    return Error(ErrorCode::kPreconditionFailed, "the entity has another version than if_match")
        .with("if_match", wanted.bits())
        .with("version", found.bits())
        .with_hint("read it again, then retry with its version");
}

}  // namespace

StoredEntityTable::StoredEntityTable(EntityKind kind, storage::ShardStore& store,
                                     std::shared_ptr<const schema::Schema> schema,
                                     TextListener* texts)
    : kind_(kind), prefix_(row_prefix(kind)), store_(store), schema_(std::move(schema)) {
    columns_.set_listener(texts);
    columns_.set_fields(kind_schema().fields);
}

void StoredEntityTable::set_schema(std::shared_ptr<const schema::Schema> schema) {
    assert(schema->kind(kind_).fields.size() >= kind_schema().fields.size());
    schema_ = std::move(schema);
    columns_.set_fields(kind_schema().fields);
}

std::string StoredEntityTable::row_key(const EntityId& id) const {
    std::string key;
    key.reserve(prefix_.size() + 9);
    key = prefix_;
    append_id_key(id, &key);
    return key;
}

std::string StoredEntityTable::vector_key(const EntityId& id, EmbeddingSlotId slot) const {
    std::string key = vector_prefix(kind_, slot);
    append_id_key(id, &key);
    return key;
}

Error StoredEntityTable::not_found(const EntityId& id) const {
    const std::string kind(entity_kind_name(kind_));
    return Error(ErrorCode::kNotFound, kind + " " + id.to_string() + " does not exist")
        .with_field("entity_id")
        .with_hint("create it first");
}

Result<void> StoredEntityTable::load() {
    Result<void> outcome;
    TIDAL_TRY(store_.scan(prefix_, [&](std::string_view key, std::string_view bytes) {
        outcome = load_row(key.substr(prefix_.size()), bytes);
        return outcome.ok();
    }));
    TIDAL_TRY(std::move(outcome));
    if (!ids_.finish_load())
        return Error(ErrorCode::kCorruption, "entity rows are missing: slots without an id")
            .with("kind", entity_kind_name(kind_))
            .with("slots", ids_.size());
    resize(ids_.size());
    columns_.finish_load();
    return {};
}

Result<void> StoredEntityTable::load_row(std::string_view key, std::string_view bytes) {
    TIDAL_ASSIGN(EntityId id, parse_id_key(key));
    Row& row = loading_;
    if (auto decoded = decode_row(bytes, &row); !decoded.ok())
        return decoded.take_error().with("id", id.to_string());
    if (!row.cells.empty() &&
        row.cells.back().key >= cell_of(FieldId(0)) + kind_schema().fields.size())
        return Error(ErrorCode::kCorruption, "entity row: field the schema does not know")
            .with("id", id.to_string());
    if (!ids_.load(std::move(id), row.slot))
        return Error(ErrorCode::kCorruption, "entity row: slot taken twice")
            .with("slot", row.slot.value());
    // By halves, not one by one: growing every column for every row takes longer than filling it.
    if (row.slot.value() >= states_.size())
        resize(std::max<std::size_t>(row.slot.value() + std::size_t{1}, states_.size() * 3 / 2));
    note_state(row);
    if (row.state == RowState::kLive) columns_.load(row);
    return {};
}

void StoredEntityTable::resize(std::size_t slots) {
    states_.resize(slots, RowState::kReserved);
    generations_.resize(slots);
    columns_.resize(static_cast<std::uint32_t>(slots));
}

void StoredEntityTable::note_state(const Row& row) {
    if (ids_.size() > states_.size()) resize(ids_.size());
    RowState& state = states_[row.slot.value()];
    live_count_ += (row.state == RowState::kLive ? 1 : 0);
    live_count_ -= (state == RowState::kLive ? 1 : 0);
    state = row.state;
    generations_[row.slot.value()] = row.generation;
}

Result<void> StoredEntityTable::read_row(const EntityId& id, Slot slot, HeldRow* held) {
    held->row.slot = slot;
    if (states_[slot.value()] == RowState::kReserved) return {};  // nothing but the slot in it
    TIDAL_ASSIGN(auto bytes, store_.get(row_key(id)));
    if (!bytes)
        return Error(ErrorCode::kCorruption, "entity row is missing").with("id", id.to_string());
    held->bytes = std::move(*bytes);
    TIDAL_TRY(decode_row(held->bytes, &held->row));
    if (held->row.slot != slot || held->row.state != states_[slot.value()])
        return Error(ErrorCode::kCorruption, "entity row does not match its slot")
            .with("id", id.to_string());
    return {};
}

Slot StoredEntityTable::add_slot(const EntityId& id) {
    const Slot slot = ids_.add(id);
    Row reserved;
    reserved.slot = slot;
    note_state(reserved);
    return slot;
}

void StoredEntityTable::write_row(const EntityId& id, const Row& row) {
    scratch_.clear();
    encode_row(row, &scratch_);
    store_.put(row_key(id), scratch_.view());
    row_cache_.erase(row.slot);
}

void StoredEntityTable::replace_row(const EntityId& id, const Row& after,
                                    std::span<const CellDifference> differences) {
    write_row(id, after);
    note_state(after);
    columns_.apply(after, differences);
}

Result<void> StoredEntityTable::check_upsert(const record::UpsertBody& body) const {
    assert(body.kind == kind_);
    TIDAL_TRY(check_id(body.id, "entity_id"));
    if (body.creator && *body.creator) TIDAL_TRY(check_id(**body.creator, "creator_id"));
    const auto& fields = kind_schema().fields;
    for (const record::FieldChange& change : body.fields) {
        if (change.field.value() >= fields.size())
            return Error(ErrorCode::kUnknownName, "the schema has no such field")
                .with("field_id", change.field.value());
        if (change.value)
            TIDAL_TRY(record::check_value(fields[change.field.value()], *change.value));
    }
    return {};
}

Result<UpsertOutcome> StoredEntityTable::upsert(const record::UpsertBody& body, HybridTime stamp) {
    TIDAL_TRY(check_upsert(body));
    std::optional<Slot> slot = ids_.find(body.id);
    HeldRow held;
    if (slot) TIDAL_TRY(read_row(body.id, *slot, &held));
    const bool was_live = held.row.state == RowState::kLive;
    if (body.must_exist && !was_live) return not_found(body.id);
    if (body.if_match && (!was_live || held.row.version != *body.if_match))
        return version_mismatch(*body.if_match, held.row.version);
    if (stamp <= held.row.deleted) return UpsertOutcome::kSuperseded;

    if (!slot) held.row.slot = add_slot(body.id);
    const UpsertChanges changes(body);
    CellDifferences differences;
    const Row after = merge_upsert(held.row, changes.sorted(), stamp, &differences);
    replace_row(body.id, after, differences);
    return was_live ? UpsertOutcome::kUpdated : UpsertOutcome::kCreated;
}

Result<Slot> StoredEntityTable::erase(const record::DeleteBody& body, HybridTime stamp) {
    assert(body.kind == kind_);
    const std::optional<Slot> slot = ids_.find(body.id);
    const bool unknown = !slot || states_[slot->value()] == RowState::kReserved;
    // A version that the caller saw elsewhere is no reason to refuse writes here.
    if (unknown && (body.if_match || !check_id(body.id, "entity_id"))) return not_found(body.id);
    HeldRow held;
    if (slot) TIDAL_TRY(read_row(body.id, *slot, &held));
    const Row& row = held.row;
    const bool was_live = row.state == RowState::kLive;
    if (body.if_match && was_live && row.version != *body.if_match)
        return version_mismatch(*body.if_match, row.version);

    CellDifferences differences;
    Row after = merge_delete(row, stamp, &differences);
    TIDAL_ASSIGN(const auto vectors,
                 vectors_until(body.id, after.deleted, after.state == RowState::kTombstone));
    for (const EmbeddingSlotId vector : vectors) store_.erase(vector_key(body.id, vector));
    // Also for an id never seen: its upsert may be on the way, and must find the tombstone.
    if (!slot) after.slot = add_slot(body.id);
    if (!slot || after != row) replace_row(body.id, after, differences);
    // A delete of an earlier generation only moves the tombstone: the ledgers of this one stay.
    if (!was_live || stamp < row.generation) return not_found(body.id);
    return *slot;
}

Result<std::vector<EmbeddingSlotId>> StoredEntityTable::vectors_until(const EntityId& id,
                                                                      HybridTime stamp,
                                                                      bool any_stamp) {
    std::vector<EmbeddingSlotId> found;
    for (const schema::EmbeddingSpec& spec : kind_schema().embeddings) {
        TIDAL_ASSIGN(const auto bytes, store_.get(vector_key(id, spec.id)));
        if (!bytes) continue;
        TIDAL_ASSIGN(const HybridTime written, decode_vector_stamp(*bytes));
        if (any_stamp || written <= stamp) found.push_back(spec.id);
    }
    return found;
}

std::optional<Slot> StoredEntityTable::find(const EntityId& id) const {
    const auto slot = ids_.find(id);
    return slot && exists(*slot) ? slot : std::nullopt;
}

std::optional<Slot> StoredEntityTable::prefetch_slot(const EntityId& id) const {
    const auto slot = ids_.find(id);
    if (!slot) return slot;
    __builtin_prefetch(&generations_[slot->value()]);
    columns_.prefetch_creator(*slot);
    return slot;
}

Slot StoredEntityTable::find_or_reserve(const EntityId& id) {
    if (const auto slot = ids_.find(id)) return *slot;
    assert(check_id(id, "id").ok());
    Row reserved;
    reserved.slot = add_slot(id);
    write_row(id, reserved);
    return reserved.slot;
}

std::vector<EntityId> StoredEntityTable::sorted_ids() const {
    std::vector<EntityId> ids = ids_.ids();
    std::sort(ids.begin(), ids.end());
    return ids;
}

}  // namespace tidal::entity
