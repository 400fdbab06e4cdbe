#include "api/dynamic_fields.h"

#include <algorithm>

namespace tidal::api {
namespace {

using schema::FieldType;

std::optional<FieldType> type_of(const FieldInput& input) {
    struct Visitor {
        std::optional<FieldType> operator()(std::monostate) const { return std::nullopt; }
        std::optional<FieldType> operator()(bool) const { return FieldType::kBool; }
        std::optional<FieldType> operator()(std::int64_t) const { return FieldType::kInt; }
        std::optional<FieldType> operator()(std::uint64_t) const { return FieldType::kInt; }
        std::optional<FieldType> operator()(double) const { return FieldType::kFloat; }
        std::optional<FieldType> operator()(const std::string&) const {
            return FieldType::kKeyword;
        }
        std::optional<FieldType> operator()(const std::vector<std::string>&) const {
            return FieldType::kKeywords;
        }
        std::optional<FieldType> operator()(const record::GeoPoint&) const {
            return FieldType::kGeo;
        }
        std::optional<FieldType> operator()(const JsonText&) const { return FieldType::kJson; }
    };
    return std::visit(Visitor(), input);
}

}  // namespace

std::optional<schema::Schema> add_dynamic_fields(const schema::Schema& schema,
                                                 const std::vector<Write>& writes) {
    std::optional<schema::Schema> added;
    for (const Write& write : writes) {
        const auto* entity = std::get_if<EntityWrite>(&write);
        if (entity == nullptr || !schema.kind(entity->kind).dynamic) continue;
        for (const auto& [name, input] : entity->metadata) {
            const schema::Schema& known = added ? *added : schema;
            const auto type = type_of(input);
            if (!type || known.find_field(entity->kind, name) != nullptr) continue;
            schema::Schema wider = known;
            auto& fields = wider.kinds[static_cast<std::size_t>(entity->kind)].fields;
            schema::FieldSpec field;
            field.id = FieldId(static_cast<std::uint16_t>(fields.size()));
            field.name = name;
            field.type = *type;
            fields.push_back(std::move(field));
            // The reader's rules for names and counts are the only ones.
            if (schema::parse_schema(schema::print_schema(wider)).ok()) added = std::move(wider);
        }
    }
    return added;
}

}  // namespace tidal::api
