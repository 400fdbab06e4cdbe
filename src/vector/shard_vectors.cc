#include "vector/shard_vectors.h"

#include <algorithm>

namespace tidal::vector {
namespace {

Error of_another_shape(const schema::EmbeddingSpec& spec) {
    return Error(ErrorCode::kCorruption, "vector row: not of the shape the schema declares")
        .with("embedding", spec.name);
}

/// False = it was the same.
Result<bool> put(Slot slot, std::string_view bytes, FlatVectors* to) {
    TIDAL_ASSIGN(const entity::VectorBytes vector, entity::view_vector(bytes));
    if (vector.storage != to->spec().storage || vector.dimensions != to->spec().dimensions)
        return of_another_shape(to->spec());
    return to->put(slot, vector);
}

}  // namespace

void ShardVectors::set_schema(const schema::Schema& schema) {
    const auto& specs = schema.kind(kind_).embeddings;
    for (std::size_t at = slots_.size(); at < specs.size(); ++at) slots_.emplace_back(specs[at]);
}

Result<void> ShardVectors::load(const schema::Schema& schema, entity::EntityTable& entities) {
    slots_.clear();
    set_schema(schema);
    for (EmbeddingSlot& each : slots_) {
        FlatVectors& vectors = each.vectors;
        const auto take = [&](Slot slot, std::string_view bytes) -> Result<void> {
            const auto taken = put(slot, bytes, &vectors);
            return taken.ok() ? Result<void>() : Result<void>(Error(taken.error()));
        };
        TIDAL_TRY(entities.for_each_embedding(vectors.spec().id, take));
    }
    return {};
}

Result<void> ShardVectors::refresh(const EntityId& id, entity::EntityTable& entities) {
    for (const EmbeddingSlot& slot : slots_)
        TIDAL_TRY(refresh(id, slot.vectors.spec().id, entities));
    return {};
}

Result<void> ShardVectors::refresh(const EntityId& id, EmbeddingSlotId slot,
                                   entity::EntityTable& entities) {
    const auto at = entities.find_reserved(id);
    if (!at || slot.value() >= slots_.size()) return {};
    auto& [vectors, graphs] = slots_[slot.value()];
    TIDAL_ASSIGN(const auto bytes, entities.embedding_row(id, slot));
    bool changed = false;
    if (bytes && entities.find(id)) {
        TIDAL_ASSIGN(changed, put(*at, *bytes, &vectors));
    } else {
        changed = vectors.erase(*at);
    }
    if (changed) graphs.changed(*at, vectors);
    return {};
}

Result<std::shared_ptr<const Graph>> ShardVectors::open_graph(const GraphHead& head,
                                                              std::shared_ptr<const char> bytes) {
    if (head.kind != kind_ || head.slot.value() >= slots_.size())
        return Error(ErrorCode::kIncompatible,
                     "graph of vectors: of a slot that no schema declares")
            .with("slot", head.slot.value());
    auto& [vectors, graphs] = slots_[head.slot.value()];
    const schema::EmbeddingSpec& spec = vectors.spec();
    if (head.metric != spec.metric || head.storage != spec.storage)
        return Error(ErrorCode::kIncompatible, "graph of vectors: not of the shape of its slot")
            .with("embedding", spec.name);
    const std::uint32_t slots_end = vectors.size() == 0 ? 0 : vectors.present().maximum() + 1;
    TIDAL_ASSIGN(auto graph,
                 Graph::open(spec, {head.shape, head.seed, std::move(bytes), true}, slots_end));
    if (!graphs.open({graph, {}, head.index, head.number}, vectors)) graph.reset();
    return graph;
}

bool ShardVectors::map_rows(EmbeddingSlotId slot, const Graph& graph, const RowBlocks::File& rows,
                            std::size_t block) {
    FlatVectors& vectors = slots_[slot.value()].vectors;
    const GraphIndex& graphs = slots_[slot.value()].graphs;
    const schema::EmbeddingSpec& spec = vectors.spec();
    const std::size_t row_bytes = FlatVectors::row_bytes(spec.dimensions, spec.storage);
    vectors.map(block, rows, [&](Slot one) -> const char* {
        const std::uint32_t node = graph.node_of(one);
        if (node == Graph::kNone || graphs.is_of_another(graph, one)) return nullptr;
        return rows.bytes.get() + node * row_bytes;
    });
    return block + 1 < vectors.blocks();
}

bool ShardVectors::leave_unread(std::size_t block) {
    for (EmbeddingSlot& slot : slots_) {
        if (block < slot.vectors.blocks()) {
            slot.vectors.leave_unread(block);
            return true;
        }
        block -= slot.vectors.blocks();
    }
    return false;
}

std::vector<ShardVectors::Unfiled> ShardVectors::unfiled_graphs() const {
    std::vector<Unfiled> out;
    for (const EmbeddingSlot& slot : slots_)
        for (const GraphIndex::Segment& segment : slot.graphs.segments())
            if (segment.file == 0)
                out.push_back({slot.vectors.spec(), segment.graph, segment.index});
    return out;
}

std::vector<std::uint64_t> ShardVectors::graph_files() const {
    std::vector<std::uint64_t> out;
    for (const EmbeddingSlot& slot : slots_)
        for (const GraphIndex::Segment& segment : slot.graphs.segments())
            if (segment.file != 0) out.push_back(segment.file);
    return out;
}

std::optional<EmbeddingSlotId> ShardVectors::wants_graph(std::uint64_t tail_max) const {
    for (const EmbeddingSlot& slot : slots_)
        if (slot.graphs.wants_build(slot.vectors, tail_max)) return slot.vectors.spec().id;
    return std::nullopt;
}

ShardVectors::GraphStats ShardVectors::graph_stats() const {
    GraphStats out;
    for (const EmbeddingSlot& slot : slots_) {
        out.graphs += slot.graphs.segments().size();
        out.filed += static_cast<std::uint64_t>(std::ranges::count_if(
            slot.graphs.segments(), [](const auto& segment) { return segment.file != 0; }));
        out.vectors += slot.graphs.fresh().cardinality();
        out.bytes += slot.graphs.bytes();
        out.mapped_bytes += slot.graphs.mapped_bytes();
        out.built += slot.graphs.built();
    }
    return out;
}

std::uint64_t ShardVectors::size() const {
    std::uint64_t sum = 0;
    for (const EmbeddingSlot& slot : slots_) sum += slot.vectors.size();
    return sum;
}

std::size_t ShardVectors::bytes() const {
    std::size_t sum = 0;
    for (const EmbeddingSlot& slot : slots_) sum += slot.vectors.bytes();
    return sum;
}

std::size_t ShardVectors::mapped_bytes() const {
    std::size_t sum = 0;
    for (const EmbeddingSlot& slot : slots_) sum += slot.vectors.mapped_bytes();
    return sum;
}

}  // namespace tidal::vector
