// Entities and vectors, by themselves or on one line of an import.
#include <span>

#include "http/internal/json_in.h"

namespace tidal::http {
namespace json_in {
namespace {

template <typename T, typename Read>
Result<void> change(const element& json, std::optional<std::optional<T>>* out, Read read) {
    out->emplace();
    if (json.is_null()) return {};
    TIDAL_ASSIGN(*out, read());
    return {};
}

constexpr std::array<std::string_view, 7> kEntityKeys = {
    "kind", "entity_id", "metadata", "creator_id", "created_at", "publish_at", "expires_at"};
constexpr std::array<std::string_view, 4> kVectorKeys = {"entity_id", "kind", "slot", "values"};
/// Of a line of an import, which may be both.
constexpr std::array<std::string_view, 9> kLineKeys = {"kind",       "entity_id",  "metadata",
                                                       "creator_id", "created_at", "publish_at",
                                                       "expires_at", "slot",       "values"};

template <std::size_t n>
Result<api::EntityWrite> read_entity(const element& json, EntityKind kind,
                                     const api::IdInput* path_id,
                                     const std::array<std::string_view, n>& keys) {
    constexpr bool kOfLine = n == kLineKeys.size();
    api::EntityWrite write;
    write.kind = kind;
    bool has_id = path_id != nullptr;
    if (path_id != nullptr) write.id = *path_id;
    TIDAL_TRY(members(json, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "slot" || key == "values") return {};  // the vector's
        if (key == "kind") {
            if (kOfLine) return {};
            return Error(ErrorCode::kUnknownName, "the path names the kind already")
                .with_reason("unknown_field")
                .with_field(key);
        }
        if (key == "entity_id") {
            if (path_id != nullptr)
                return Error(ErrorCode::kInvalidArgument, "the path names the entity already")
                    .with_field("entity_id");
            TIDAL_ASSIGN(write.id, id(value, key));
            has_id = true;
        } else if (key == "metadata") {
            TIDAL_ASSIGN(write.metadata, metadata(value));
        } else if (key == "creator_id") {
            return change(value, &write.creator_id, [&] { return id(value, key); });
        } else {
            auto* out = key == "created_at"   ? &write.created_at_ms
                        : key == "publish_at" ? &write.publish_at_ms
                                              : &write.expires_at_ms;
            return change(value, out, [&] { return time(value, key); });
        }
        return {};
    }));
    if (!has_id) return missing("entity_id");
    return write;
}

bool has_more_than(const object& members, std::span<const std::string_view> keys) {
    for (const auto& member : members)
        if (std::find(keys.begin(), keys.end(), member.key) == keys.end()) return true;
    return false;
}

/// @param keys  kVectorKeys, or those of a line, of which the others are the entity's.
template <std::size_t n>
Result<api::EmbeddingWrite> read_embedding(const element& json,
                                           const std::array<std::string_view, n>& keys) {
    api::EmbeddingWrite write;
    bool has_id = false, has_values = false;
    TIDAL_TRY(members(json, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "entity_id") {
            TIDAL_ASSIGN(write.id, id(value, key));
            has_id = true;
        } else if (key == "kind") {
            TIDAL_ASSIGN(write.kind, kind(value));
        } else if (key == "slot") {
            TIDAL_ASSIGN(write.slot, text(value, key));
        } else if (key == "values") {
            TIDAL_ASSIGN(write.values, numbers(value, key));
            has_values = true;
        }
        return {};
    }));
    if (!has_id) return missing("entity_id");
    if (!has_values) return missing("values");
    return write;
}

Result<std::vector<api::Write>> read_import_line(const element& root) {
    object all;
    if (root.get(all) != simdjson::SUCCESS) return wrong_type("", "a JSON object");
    element found;
    const auto has = [&](std::string_view key) { return all[key].get(found) == simdjson::SUCCESS; };
    std::vector<api::Write> writes;
    if (has("signal") || has("undo")) {
        TIDAL_TRY(read_signal(root, &writes.emplace_back()));
        return writes;
    }
    const bool has_vector = has("values") || has("slot");
    if (!has_vector || has_more_than(all, kVectorKeys)) {
        EntityKind entity_kind = EntityKind::kItem;
        if (has("kind")) {
            TIDAL_ASSIGN(entity_kind, kind(found));
        }
        TIDAL_ASSIGN(auto entity, read_entity(root, entity_kind, nullptr, kLineKeys));
        writes.emplace_back(std::move(entity));
    }
    if (has_vector) {
        TIDAL_ASSIGN(auto vector, read_embedding(root, kLineKeys));
        writes.emplace_back(std::move(vector));
    }
    return writes;
}

}  // namespace
}  // namespace json_in

Result<api::Write> JsonReader::entity(std::string_view json, EntityKind kind) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    TIDAL_ASSIGN(auto write, json_in::read_entity(root, kind, nullptr, json_in::kEntityKeys));
    return api::Write(std::move(write));
}

Result<api::Write> JsonReader::entity_patch(std::string_view json, EntityKind kind,
                                            api::IdInput id) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    TIDAL_ASSIGN(auto write, json_in::read_entity(root, kind, &id, json_in::kEntityKeys));
    write.must_exist = true;
    return api::Write(std::move(write));
}

Result<api::Write> JsonReader::embedding(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    TIDAL_ASSIGN(auto write, json_in::read_embedding(root, json_in::kVectorKeys));
    return api::Write(std::move(write));
}

Result<std::vector<api::Write>> JsonReader::import_line(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_import_line(root);
}

}  // namespace tidal::http
