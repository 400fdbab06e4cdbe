// vector/shard_vectors.h: the vectors of one kind of entity in one shard, in every embedding slot.
#pragma once

#include <optional>
#include <vector>

#include "entity/entity_table.h"
#include "vector/flat_vectors.h"
#include "vector/graph_file.h"
#include "vector/graph_index.h"

namespace tidal::vector {

/// A copy of the rows' vectors for scans: made from them at open, told of every change after it.
/// Graphs over them come and go by whoever owns a thread for that: they change what is fast, not
/// what is. Threads: one at a time (the shard is a monitor).
class ShardVectors {
public:
    explicit ShardVectors(EntityKind kind) : kind_(kind) {}

    /// @return kCorruption, kIo  of a row.
    Result<void> load(const schema::Schema& schema, entity::EntityTable& entities);
    /// Slots past those known are empty; known ones are left alone.
    void set_schema(const schema::Schema& schema);
    /// After the rows of an entity's vectors may have changed: a write of one, a delete.
    Result<void> refresh(const EntityId& id, entity::EntityTable& entities);
    Result<void> refresh(const EntityId& id, EmbeddingSlotId slot, entity::EntityTable& entities);

    /// nullptr = the schema has no such slot.
    const FlatVectors* find(EmbeddingSlotId slot) const {
        return slot.value() < slots_.size() ? &slots_[slot.value()].vectors : nullptr;
    }
    const GraphIndex* find_graphs(EmbeddingSlotId slot) const {
        return slot.value() < slots_.size() ? &slots_[slot.value()].graphs : nullptr;
    }
    /// A graph of a mapped file (GraphIndex::open), once the vectors are loaded. nullptr = nothing
    /// of it.
    /// @return kCorruption, kIncompatible  of no slot, or of vectors of another shape.
    Result<std::shared_ptr<const Graph>> open_graph(const GraphHead& head,
                                                    std::shared_ptr<const char> bytes);
    /// The vectors of a block (FlatVectors::map) are read in a graph's file from now on, as far as
    /// it has them as they are and they are no other graph's, whose file is kept as long as that
    /// is. False = no block is behind it.
    /// @param rows  Of the vectors, by the graph's nodes.
    bool map_rows(EmbeddingSlotId slot, const Graph& graph, const RowBlocks::File& rows,
                  std::size_t block);
    /// FlatVectors::leave_unread() of the blocks of all slots, numbered through. False = there is
    /// no such block.
    bool leave_unread(std::size_t block);
    /// A graph that no file has.
    struct Unfiled {
        schema::EmbeddingSpec spec;
        std::shared_ptr<const Graph> graph;
        LogIndex index;
    };
    std::vector<Unfiled> unfiled_graphs() const;
    /// Of the files that have a graph.
    std::vector<std::uint64_t> graph_files() const;
    /// A slot that wants a graph (GraphIndex::wants_build), if there is one.
    std::optional<EmbeddingSlotId> wants_graph(std::uint64_t tail_max) const;
    /// Precondition: the schema has the slot.
    GraphIndex& graphs(EmbeddingSlotId slot) { return slots_[slot.value()].graphs; }
    std::uint64_t size() const;
    std::size_t bytes() const;         ///< Of memory.
    std::size_t mapped_bytes() const;  ///< Of vectors that are read in files.
    struct GraphStats {
        std::uint64_t graphs = 0, filed = 0, vectors = 0, built = 0;
        std::uint64_t bytes = 0, mapped_bytes = 0;  ///< Of memory; of files.
    };
    GraphStats graph_stats() const;

private:
    struct EmbeddingSlot {
        explicit EmbeddingSlot(const schema::EmbeddingSpec& spec) : vectors(spec) {}
        FlatVectors vectors;
        GraphIndex graphs;
    };

    const EntityKind kind_;
    std::vector<EmbeddingSlot> slots_;  ///< By EmbeddingSlotId.
};

}  // namespace tidal::vector
