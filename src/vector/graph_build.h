// vector/graph_build.h: a graph in the making: vectors are copied in their shard's monitor, linked
// outside it.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "vector/flat_vectors.h"
#include "vector/graph.h"
#include "vector/slot_bits.h"

namespace tidal::vector {

/// What a build makes.
struct BuiltGraph {
    std::shared_ptr<const Graph> graph;  ///< nullptr = the build was given up.
    std::shared_ptr<SlotBits> slots;     ///< Of the graph: of a million some milliseconds to make.
};

/// copy() until it is true, then link() until it is true, then take(). What is put or erased
/// meanwhile may be in the graph as it was: who owns both remembers that (graph_index.h).
/// The same vectors in the same slots make the same graph.
///
/// Memory   While linking, and while the result is laid out, twice that of the graph.
/// Threads  One at a time; copy() where the vectors may be read, link() anywhere.
class GraphBuild {
public:
    /// @param slots  Whose vectors; those that have none when they are copied are left out.
    /// @param seed   Of the hashes by which the vectors are known again; random.
    GraphBuild(const FlatVectors& vectors, const Roaring& slots, std::uint64_t seed);
    ~GraphBuild();

    /// The next vectors, about so many. @param vectors  Those of the constructor.
    bool copy(const FlatVectors& vectors, std::size_t most);
    /// Links the next nodes, at most so many. @return kInternal  hnswlib gave up.
    Result<bool> link(std::size_t most);
    BuiltGraph take();

    std::size_t size() const { return slots_.size(); }

private:
    class Linker;

    std::vector<float> sample(const FlatVectors& vectors) const;
    GraphShape shape() const;
    Result<void> lay_out();
    void lay_out_links(const GraphLayout& layout, char* to) const;

    const schema::EmbeddingSpec spec_;
    const std::uint64_t seed_;
    std::vector<std::uint32_t> wanted_;  ///< Slots, rising.
    std::size_t copied_ = 0;             ///< Of them.
    const std::vector<float> mean_;
    const Coder coder_;
    // By node.
    std::vector<std::uint32_t> slots_;
    std::vector<std::uint64_t> hashes_;
    std::vector<std::byte> rows_;
    std::vector<float> squares_;  ///< Of dot products: of the lengths.
    std::unique_ptr<Linker> linker_;
    BuiltGraph built_;
};

}  // namespace tidal::vector
