// Limits of a record, the same for the writer and the reader of a log.

#include <algorithm>

#include "record/record.h"

namespace tidal::record {
namespace {

Error invalid(std::string_view field, std::string_view message) {
    return Error(ErrorCode::kInvalidArgument, std::string(field) + ": " + std::string(message))
        .with_field(field);
}

Result<void> check_size(std::size_t size, std::size_t max, std::string_view field) {
    if (size <= max) return {};
    return invalid(field, "too long").with("bytes", size).with("bytes_max", max);
}

Result<void> check_id(const EntityId& id, std::string_view field) {
    if (!id.is_text()) return {};
    if (id.text().empty()) return invalid(field, "a text id has at least one byte");
    return check_size(id.text().size(), kIdBytesMax, field);
}
Result<void> check_id(const std::optional<EntityId>& id, std::string_view field) {
    return id ? check_id(*id, field) : Result<void>{};
}

Result<void> check_weight(FixedWeight weight) {
    if (weight <= kWeightMax && weight >= -kWeightMax) return {};
    return invalid("weight", "above 2^20");
}

Result<void> check(const SignalBody& body) {
    TIDAL_TRY(check_id(body.item, "entity_id"));
    TIDAL_TRY(check_weight(body.weight));
    TIDAL_TRY(check_id(body.user, "user_id"));
    TIDAL_TRY(check_id(body.creator, "creator_id"));
    return check_size(body.context.size(), kContextBytesMax, "context");
}
Result<void> check(const UndoBody& body) {
    TIDAL_TRY(check_id(body.item, "entity_id"));
    if (body.key.empty()) return invalid("undo", "needs the key of a signal");
    return check_size(body.key.size(), kTokenBytesMax, "undo");
}

Result<void> check_stored(const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value))
        return check_size(text->size(), kTextBytesMax, "metadata");
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
        if (list->size() > kKeywordsMax) return invalid("metadata", "too many keywords");
        for (const std::string& word : *list)
            TIDAL_TRY(check_size(word.size(), kKeywordBytesMax, "metadata"));
    }
    return {};
}
Result<void> check(const UpsertBody& body) {
    TIDAL_TRY(check_id(body.id, "entity_id"));
    if (body.creator) TIDAL_TRY(check_id(*body.creator, "creator_id"));
    if (body.fields.size() > schema::kFieldsMax) return invalid("metadata", "too many fields");
    for (const FieldChange& change : body.fields)
        if (change.value) TIDAL_TRY(check_stored(*change.value));
    return {};
}
Result<void> check(const DeleteBody& body) {
    return check_id(body.id, "entity_id");
}
Result<void> check(const EmbeddingBody& body) {
    TIDAL_TRY(check_id(body.id, "entity_id"));
    if (!body.values.empty() && body.values.size() <= schema::kDimensionsMax) return {};
    return invalid("values",
                   "must have 1 to " + std::to_string(schema::kDimensionsMax) + " numbers");
}
Result<void> check(const SchemaBody& body) {
    return check_size(body.schema.size(), schema::kSchemaTextBytesMax, "schema");
}
Result<void> check(const ShardConfigBody& body) {
    if (body.vshard_begin <= body.vshard_end && body.vshard_end <= kVShardCount) return {};
    return invalid("vshards", "no range within 0..1024");
}
Result<void> check(const TickBody&) {
    return {};
}
Result<void> check_vshard(VShard vshard) {
    if (vshard.value() < kVShardCount) return {};
    return invalid("target", "no vshard");
}
Result<void> check(const RelayBody& body) {
    TIDAL_TRY(check_vshard(body.target));
    if (body.rows.size() > kRelayRowsMax) return invalid("rows", "too many");
    for (const RelayRow& row : body.rows) {
        TIDAL_TRY(check_id(row.creator, "creator_id"));
        TIDAL_TRY(check_weight(row.weight));
        TIDAL_TRY(check_id(row.user, "user_id"));
    }
    return {};
}
Result<void> check(const RelayAckBody& body) {
    return check_vshard(body.target);
}
Result<void> check(const ImportMarkBody& body) {
    return check_size(body.import_id.size(), kTokenBytesMax, "import_id");
}

Result<void> check(const Envelope& e) {
    TIDAL_TRY(check_size(e.session.size(), kTokenBytesMax, "session_id"));
    TIDAL_TRY(check_size(e.idempotency_key.size(), kTokenBytesMax, "idempotency_key"));
    TIDAL_TRY(check_size(e.principal.size(), kTokenBytesMax, "principal"));
    if (e.cohorts.size() > kCohortsMax) return invalid("cohorts", "more than 8");
    if (std::adjacent_find(e.cohorts.begin(), e.cohorts.end(), std::greater_equal<>()) !=
        e.cohorts.end())
        return invalid("cohorts", "must be sorted, each once");
    return {};
}

}  // namespace

Result<void> check_record(const Record& record) {
    TIDAL_TRY(check(record.envelope));
    return std::visit([](const auto& body) { return check(body); }, record.body);
}

}  // namespace tidal::record
