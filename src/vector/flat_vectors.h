// vector/flat_vectors.h: the vectors of one embedding slot of a shard, one after the other.
#pragma once

#include <roaring/roaring.hh>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/prefetch.h"
#include "entity/vector_codec.h"
#include "schema/schema.h"
#include "vector/internal/row_blocks.h"
#include "vector/probe.h"

namespace tidal::vector {

/// Vectors by the slots of their entities, in blocks that follow each other by slot: a scan in
/// rising order reads memory, or a file, in rising order. A block is made when the first entity of
/// its slots gets a vector, and goes with its last.
///
/// Memory   dimensions * (4, 2 or 1) + 4 bytes for each slot of a block; 12 where files have them.
/// Threads  One at a time. Spans and references hold until the next change.
class FlatVectors {
public:
    explicit FlatVectors(const schema::EmbeddingSpec& spec);

    /// Of what is stored of a vector.
    static std::size_t row_bytes(std::uint32_t dimensions, schema::VectorStorage storage);
    /// Replaces what is there; false = it was the same. Precondition: as many components as the
    /// slot has dimensions.
    bool put(Slot slot, const entity::VectorBytes& vector);
    /// False = there was none.
    bool erase(Slot slot);

    bool has(Slot slot) const;
    /// Asks for what has() and similarities() will wait for.
    TIDAL_PREFETCHES void prefetch(Slot slot) const { rows_.prefetch(slot); }
    /// The slots that have a vector.
    const Roaring& present() const { return present_; }
    std::uint64_t size() const { return size_; }
    /// Of memory; of what is read in files instead.
    std::size_t bytes() const { return rows_.bytes() + present_.getSizeInBytes(); }
    std::size_t mapped_bytes() const { return rows_.mapped_bytes(); }
    /// Vectors come in blocks by slot, numbered from 0 on.
    std::size_t blocks() const { return rows_.blocks(); }
    /// Those of a block that a mapped file has as they are are read there from now on, where that
    /// takes much less memory: RowBlocks::map().
    void map(std::size_t block, const RowBlocks::File& file, RowBlocks::Where where) {
        rows_.map(block, file, where);
    }
    /// Pages of what was not read for some time leave the process: RowBlocks::leave_unread().
    bool leave_unread(std::size_t block) { return rows_.leave_unread(block); }
    std::vector<std::shared_ptr<const char>> files() const { return rows_.files(); }
    const schema::EmbeddingSpec& spec() const { return spec_; }

    /// As stored; of int8 under cosine, scaled to length 1. Precondition: has(slot).
    std::vector<float> values(Slot slot) const;

    /// The row that is stored of it, row_bytes() of them, without the scale. Precondition:
    /// has(slot).
    std::string_view stored(Slot slot) const;
    /// Of what is stored of it. Precondition: has(slot).
    std::uint64_t hash(Slot slot, std::uint64_t seed) const;

    /// How near each is, the greatest nearest; 0 where there is no vector. By the slot's metric:
    /// the cosine (-1..1); the dot product; 1 / (1 + squared distance) under l2 (0..1). Sums are of
    /// f32: within some 1e-6 of exact, relative to the product of the lengths. May be infinite or
    /// NaN where a sum or a length is beyond f32.
    /// @param probe  Of this slot's spec.
    /// @param slots  In any order.
    /// @param out    Same length.
    void similarities(const Probe& probe, std::span<const Slot> slots, std::span<double> out) const;

    /// About the nanoseconds that one of similarities() takes.
    static double cost(const schema::EmbeddingSpec& spec);

private:
    double similarity(float sum, float factor) const;

    schema::EmbeddingSpec spec_;
    std::size_t row_bytes_ = 0;
    /// Its factor is what the sum over a row is divided by (cosine: its length) or multiplied with
    /// (int8: its scale).
    RowBlocks rows_;
    Roaring present_;
    std::uint64_t size_ = 0;
};

}  // namespace tidal::vector
