// vector/graph_build.h: a graph in the making: vectors are copied in their shard's monitor, linked
// outside it.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "vector/flat_vectors.h"
#include "vector/graph.h"

namespace tidal::vector {

/// copy() until it is true, then link() until it is true, then take(). What is put or erased
/// meanwhile may be in the graph as it was: who owns both remembers that (graph_index.h).
/// The same vectors in the same slots make the same graph.
///
/// Memory   While linking twice that of the graph.
/// Threads  One at a time; copy() where the vectors may be read, link() anywhere.
class GraphBuild {
public:
    /// @param slots  Whose vectors; those that have none when they are copied are left out.
    GraphBuild(const FlatVectors& vectors, const Roaring& slots);
    ~GraphBuild();

    /// The next vectors, about so many. @param vectors  Those of the constructor.
    bool copy(const FlatVectors& vectors, std::size_t most);
    /// Links the next nodes, at most so many. @return kInternal  hnswlib gave up.
    Result<bool> link(std::size_t most);
    std::shared_ptr<const Graph> take();

    std::size_t size() const { return graph_->slots_.size(); }

private:
    class Linker;

    void sample(const FlatVectors& vectors);
    void lay_out();

    std::vector<std::uint32_t> wanted_;  ///< Slots, rising.
    std::size_t copied_ = 0;             ///< Of them.
    std::vector<float> squares_;         ///< Of dot products: of the lengths, by node.
    std::shared_ptr<Graph> graph_;
    std::unique_ptr<Linker> linker_;
};

}  // namespace tidal::vector
