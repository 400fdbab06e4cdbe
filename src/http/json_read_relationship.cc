// Relationships of users, and items of collections.
#include "http/internal/json_in.h"

namespace tidal::http {
namespace json_in {
namespace {

Result<api::Write> read_relationship(const element& root, bool ends) {
    api::RelationshipWrite write;
    write.ends = ends;
    std::map<std::string, std::optional<api::IdInput>, std::less<>> ids;
    std::optional<record::RelationshipKind> kind;
    constexpr std::array<std::string_view, 5> keys = {"user_id", "kind", "item_id", "creator_id",
                                                      "friend_id"};
    TIDAL_TRY(members(root, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "kind") {
            TIDAL_ASSIGN(const std::string name, text(value, key));
            TIDAL_ASSIGN(kind, api::parse_relationship(name));
            return {};
        }
        TIDAL_ASSIGN(ids[std::string(key)], id(value, key));
        return {};
    }));
    auto& user = ids["user_id"];
    if (!user) return missing("user_id");
    if (!kind) return missing("kind");
    const std::string_view name = api::relationship_target(*kind);
    for (const auto& [key, stray] : ids)
        if (stray && key != "user_id" && key != name)
            return Error(ErrorCode::kInvalidArgument,
                         "`" + std::string(api::relationship_name(*kind)) + "` takes `" +
                             std::string(name) + "`")
                .with_field(key);
    auto& target = ids[std::string(name)];
    if (!target) return missing(name);
    write.user_id = *std::move(user);
    write.kind = *kind;
    write.target = *std::move(target);
    return api::Write(std::move(write));
}

Result<api::Write> read_member(const element& json, const std::string& collection) {
    api::CollectionMemberWrite write;
    write.collection = collection;
    std::optional<api::IdInput> item;
    constexpr std::array<std::string_view, 2> keys = {"entity_id", "position"};
    TIDAL_TRY(members(json, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "entity_id") {
            TIDAL_ASSIGN(item, id(value, key));
            return {};
        }
        if (value.get(write.position) != simdjson::SUCCESS) return wrong_type(key, "a number");
        return {};
    }));
    if (!item) return missing("entity_id");
    write.id = *std::move(item);
    return api::Write(std::move(write));
}

}  // namespace
}  // namespace json_in

Result<api::Write> JsonReader::relationship(std::string_view json, bool ends) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_relationship(root, ends);
}

Result<api::Write> JsonReader::member(std::string_view json, const std::string& collection) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_member(root, collection);
}

Result<std::vector<Result<api::Write>>> JsonReader::members_of(std::string_view json,
                                                               const std::string& collection) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    std::vector<Result<api::Write>> out;
    simdjson::dom::array array;
    if (root.get(array) != simdjson::SUCCESS) {
        out.push_back(json_in::read_member(root, collection));
        return out;
    }
    for (const auto each : array) out.push_back(json_in::read_member(each, collection));
    return out;
}

}  // namespace tidal::http
