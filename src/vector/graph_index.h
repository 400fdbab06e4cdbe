// vector/graph_index.h: the graphs over the vectors of one embedding slot, and which of them still
// say what the vectors do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <roaring/roaring.hh>
#include <vector>

#include "vector/flat_vectors.h"
#include "vector/graph_build.h"
#include "vector/slot_bits.h"

namespace tidal::vector {

/// Graphs over parts of the vectors that share nothing, and a tail that is in none, of what came or
/// changed since. A graph is made of a tail that has grown long, together with the graphs that are
/// not much larger and those of which much has changed: each vector is linked some log2(n) times
/// in all, and there are as many graphs at most.
/// Threads  One at a time; graphs are shared with searches under way.
class GraphIndex {
public:
    struct Segment {
        std::shared_ptr<const Graph> graph;
        Roaring fresh;           ///< Slots whose vector is the one in the graph.
        LogIndex index;          ///< No vector in the graph is newer.
        std::uint64_t file = 0;  ///< Number of the file that has it; 0 = none yet.
        /// The same as `fresh`, as long as the graph is here; shared with searches under way.
        std::shared_ptr<SlotBits> fresh_bits;
    };

    /// A graph from a file: what the vectors say as well and no graph before it has is taken over.
    /// False = nothing of it, and it is dropped. Before anything else.
    bool open(Segment of_file, const FlatVectors& vectors);
    /// A file has it by now, where searches read it from here on, unless another graph has taken
    /// its place. @param mapped  Graph::in_file() of it.
    void filed(const Graph& graph, std::uint64_t file, const std::shared_ptr<const Graph>& mapped);

    /// The vector of a slot is new, another or gone.
    void changed(Slot slot, const FlatVectors& vectors);

    const std::vector<Segment>& segments() const { return segments_; }
    /// All that some graph has as it is.
    const Roaring& fresh() const { return fresh_; }
    /// All that none has as it is. Valid until the next change.
    const Roaring& tail(const FlatVectors& vectors) const;

    /// Whether a graph beside this one has the vector of the slot as it is.
    bool is_of_another(const Graph& graph, Slot slot) const;

    /// Whether a graph should be made. @param tail_max  The longest tail that is none's.
    bool wants_build(const FlatVectors& vectors, std::uint64_t tail_max) const;
    /// Precondition: none is under way. @param seed  Random.
    std::unique_ptr<GraphBuild> begin_build(const FlatVectors& vectors, std::uint64_t seed);
    /// With what begin_build() made.
    /// @param index  Of the newest record applied when the last of its vectors was copied.
    /// @return the graphs it takes the place of: to let go of them takes milliseconds, in which
    /// others may be let in.
    std::vector<std::shared_ptr<const Graph>> finish_build(BuiltGraph built, LogIndex index);

    std::size_t bytes() const;  ///< Of memory, without what is mapped.
    std::size_t mapped_bytes() const;
    /// Graphs published, ever.
    std::uint64_t built() const { return built_; }

private:
    static bool is_worn(const Segment& segment);

    std::vector<Segment> segments_;
    Roaring fresh_;
    mutable std::optional<Roaring> tail_;                 ///< Once it was asked for.
    std::optional<Roaring> changed_;                      ///< Since the build under way began.
    std::vector<std::shared_ptr<const Graph>> replaced_;  ///< By it.
    std::uint64_t built_ = 0;
};

}  // namespace tidal::vector
