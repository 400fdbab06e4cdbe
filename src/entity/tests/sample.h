// entity/tests/sample.h: a schema with every field type, and short ways to write operations.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "entity/entity_table.h"

namespace tidal::entity {

enum SampleField : std::uint16_t {
    kTitle,
    kCategory,
    kTags,
    kYear,
    kRating,
    kActive,
    kReleased,
    kLength,
    kPlace,
    kExtra,
    kSampleFieldCount
};

inline std::shared_ptr<const schema::Schema> sample_schema(
    std::size_t field_count = kSampleFieldCount) {
    using enum schema::FieldType;
    const std::pair<const char*, schema::FieldType> fields[] = {
        {"title", kText},   {"category", kKeyword}, {"tags", kKeywords},      {"year", kInt},
        {"rating", kFloat}, {"active", kBool},      {"released", kTimestamp}, {"length", kDuration},
        {"place", kGeo},    {"extra", kJson}};
    auto schema = std::make_shared<schema::Schema>();
    for (schema::KindSchema& kind : schema->kinds) {
        for (std::size_t i = 0; i < field_count; ++i) {
            schema::FieldSpec spec;
            spec.id = FieldId(static_cast<std::uint16_t>(i));
            spec.name = fields[i].first;
            spec.type = fields[i].second;
            kind.fields.push_back(spec);
        }
        kind.embeddings = {
            {EmbeddingSlotId(0), "full", 3, schema::Metric::kCosine, schema::VectorStorage::kF32},
            {EmbeddingSlotId(1), "half", 2, schema::Metric::kL2, schema::VectorStorage::kF16},
            {EmbeddingSlotId(2), "byte", 2, schema::Metric::kDot, schema::VectorStorage::kInt8}};
        kind.string_ids = true;
    }
    return schema;
}

inline HybridTime at(std::uint64_t tick) {
    return HybridTime::from(static_cast<UnixMillis>(tick), 0);
}

inline record::UpsertBody upsert_of(
    EntityId id, std::vector<std::pair<SampleField, std::optional<record::Value>>> fields = {}) {
    record::UpsertBody body;
    body.id = std::move(id);
    for (auto& [field, value] : fields)
        body.fields.push_back({FieldId(static_cast<std::uint16_t>(field)), std::move(value)});
    return body;
}

inline record::DeleteBody delete_of(EntityId id) {
    record::DeleteBody body;
    body.id = std::move(id);
    return body;
}

inline FieldId field_id(SampleField field) {
    return FieldId(static_cast<std::uint16_t>(field));
}

inline std::vector<std::uint32_t> slots_of(const Roaring* bitmap) {
    std::vector<std::uint32_t> slots;
    if (bitmap == nullptr) return slots;
    slots.resize(bitmap->cardinality());
    bitmap->toUint32Array(slots.data());
    return slots;
}

}  // namespace tidal::entity
