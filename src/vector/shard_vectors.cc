#include "vector/shard_vectors.h"

namespace tidal::vector {
namespace {

Error of_another_shape(const schema::EmbeddingSpec& spec) {
    return Error(ErrorCode::kCorruption, "vector row: not of the shape the schema declares")
        .with("embedding", spec.name);
}

Result<void> put(Slot slot, std::string_view bytes, FlatVectors* to) {
    TIDAL_ASSIGN(const entity::VectorBytes vector, entity::view_vector(bytes));
    if (vector.storage != to->spec().storage || vector.dimensions != to->spec().dimensions)
        return of_another_shape(to->spec());
    to->put(slot, vector);
    return {};
}

}  // namespace

void ShardVectors::set_schema(const schema::Schema& schema) {
    const auto& specs = schema.kind(kind_).embeddings;
    for (std::size_t at = slots_.size(); at < specs.size(); ++at) slots_.emplace_back(specs[at]);
}

Result<void> ShardVectors::load(const schema::Schema& schema, entity::EntityTable& entities) {
    slots_.clear();
    set_schema(schema);
    for (FlatVectors& vectors : slots_)
        TIDAL_TRY(entities.for_each_embedding(
            vectors.spec().id,
            [&](Slot slot, std::string_view bytes) { return put(slot, bytes, &vectors); }));
    return {};
}

Result<void> ShardVectors::refresh(const EntityId& id, entity::EntityTable& entities) {
    for (const FlatVectors& vectors : slots_) TIDAL_TRY(refresh(id, vectors.spec().id, entities));
    return {};
}

Result<void> ShardVectors::refresh(const EntityId& id, EmbeddingSlotId slot,
                                   entity::EntityTable& entities) {
    const auto at = entities.find_reserved(id);
    if (!at || slot.value() >= slots_.size()) return {};
    FlatVectors& vectors = slots_[slot.value()];
    TIDAL_ASSIGN(const auto bytes, entities.embedding_row(id, slot));
    if (bytes && entities.find(id)) return put(*at, *bytes, &vectors);
    vectors.erase(*at);
    return {};
}

std::uint64_t ShardVectors::size() const {
    std::uint64_t sum = 0;
    for (const FlatVectors& vectors : slots_) sum += vectors.size();
    return sum;
}

std::size_t ShardVectors::bytes() const {
    std::size_t sum = 0;
    for (const FlatVectors& vectors : slots_) sum += vectors.bytes();
    return sum;
}

}  // namespace tidal::vector
