// The fields of an entity, as a client sends them.
#include "http/internal/json_in.h"

namespace tidal::http::json_in {
namespace {

api::FieldInput object_input(const element& json) {
    object members;
    if (json.get(members) != simdjson::SUCCESS) return {};
    double lat = 0, lon = 0;
    if (members.size() == 2 && members["lat"].get(lat) == simdjson::SUCCESS &&
        members["lon"].get(lon) == simdjson::SUCCESS)
        return record::GeoPoint{lat, lon};
    return api::JsonText{simdjson::minify(json)};
}

/// Any JSON value; the schema says later which ones a field takes.
api::FieldInput field_input(const element& json) {
    switch (json.type()) {
        case simdjson::dom::element_type::NULL_VALUE:
            return std::monostate();
        case simdjson::dom::element_type::BOOL:
            return bool(json);
        case simdjson::dom::element_type::INT64:
            return std::int64_t(json);
        case simdjson::dom::element_type::UINT64:
            return std::uint64_t(json);
        case simdjson::dom::element_type::DOUBLE:
            return double(json);
        case simdjson::dom::element_type::STRING:
            return std::string(std::string_view(json));
        case simdjson::dom::element_type::OBJECT:
            return object_input(json);
        case simdjson::dom::element_type::ARRAY:
            break;
    }
    auto strings = texts(json, "");
    if (strings.ok()) return std::move(*strings);
    return api::JsonText{simdjson::minify(json)};
}

}  // namespace

Result<std::vector<std::pair<std::string, api::FieldInput>>> metadata(const element& json) {
    object members;
    if (json.get(members) != simdjson::SUCCESS)
        return wrong_type("metadata", "an object of fields");
    std::vector<std::pair<std::string, api::FieldInput>> out;
    for (const auto& [key, value] : members) {
        const auto same = [key = key](const auto& field) { return field.first == key; };
        if (std::any_of(out.begin(), out.end(), same))
            return Error(ErrorCode::kInvalidArgument, "field given twice")
                .with_field("metadata." + std::string(key));
        out.emplace_back(key, field_input(value));
    }
    return out;
}

}  // namespace tidal::http::json_in
