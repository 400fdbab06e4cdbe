// vector/internal/graph_layout.h: where the parts of a graph lie in its bytes, which are the same
// in memory and in a file (docs/formats/vector_graphs.md).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tidal::vector {

/// What the sizes of the parts follow from, and where a search begins.
struct GraphShape {
    std::uint32_t dimensions = 0;
    std::uint32_t row_bytes = 0;  ///< Coder's.
    std::uint32_t nodes = 0;
    std::uint32_t entry = 0;        ///< A node of the highest layer; 0 where there is no node.
    std::uint32_t layers = 0;       ///< Above the lowest.
    std::uint32_t upper_nodes = 0;  ///< Nodes that are in any of those.
    std::uint32_t upper_lists = 0;  ///< How many lists of links they have there, in all.
    bool operator==(const GraphShape&) const = default;
};

inline constexpr std::size_t kGraphLinks = 16;  ///< M: of a node in an upper layer, at most.
inline constexpr std::size_t kGraphLinksBase = 2 * kGraphLinks;  ///< In the lowest.

/// Offsets of the parts, each a multiple of 64, in this order; the last is the size of all.
/// They do not overflow where row_bytes is that of a slot's vectors, as decode_graph_head() asks.
struct GraphLayout {
    explicit GraphLayout(const GraphShape& shape) {
        constexpr std::size_t kNumber = sizeof(std::uint32_t);
        const std::size_t nodes = shape.nodes, uppers = shape.upper_nodes;
        slots = after(mean, shape.dimensions * sizeof(float));
        hashes = after(slots, nodes * kNumber);
        rows = after(hashes, nodes * sizeof(std::uint64_t));
        base_links = after(rows, nodes * shape.row_bytes);
        upper_nodes = after(base_links, nodes * kGraphLinksBase * kNumber);
        upper_ends = after(upper_nodes, uppers * kNumber);
        upper_links = after(upper_ends, uppers * kNumber);
        bytes = after(upper_links, shape.upper_lists * kGraphLinks * kNumber);
    }

    std::size_t mean = 0;         ///< f32[dimensions], of the Coder.
    std::size_t slots = 0;        ///< u32 a node, rising.
    std::size_t hashes = 0;       ///< u64 a node: of the vector that was linked.
    std::size_t rows = 0;         ///< row_bytes a node.
    std::size_t base_links = 0;   ///< u32[kGraphLinksBase] a node; behind the last link, kNone.
    std::size_t upper_nodes = 0;  ///< u32, rising: the nodes that are in upper layers.
    std::size_t upper_ends = 0;   ///< u32 for each: lists of all up to and with this one.
    std::size_t upper_links = 0;  ///< u32[kGraphLinks] a list: by node, by layer from the first on.
    std::size_t bytes = 0;

private:
    static std::size_t after(std::size_t begin, std::size_t size) {
        constexpr std::size_t kAlignment = 64;
        return (begin + size + kAlignment - 1) / kAlignment * kAlignment;
    }
};

}  // namespace tidal::vector
