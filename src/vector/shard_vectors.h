// vector/shard_vectors.h: the vectors of one kind of entity in one shard, in every embedding slot.
#pragma once

#include <vector>

#include "entity/entity_table.h"
#include "vector/flat_vectors.h"

namespace tidal::vector {

/// A copy of the rows' vectors for scans: made from them at open, told of every change after it.
/// Threads: one at a time (the shard is a monitor).
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
        return slot.value() < slots_.size() ? &slots_[slot.value()] : nullptr;
    }
    std::uint64_t size() const;
    std::size_t bytes() const;

private:
    const EntityKind kind_;
    std::vector<FlatVectors> slots_;  ///< By EmbeddingSlotId.
};

}  // namespace tidal::vector
