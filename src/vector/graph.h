// vector/graph.h: nearest neighbours among the vectors that one embedding slot of a shard had at
// one moment.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <roaring/roaring.hh>
#include <span>
#include <vector>

#include "base/ids.h"
#include "vector/internal/codes.h"

namespace tidal::vector {

/// A small-world graph in layers over coded vectors, laid out for searching: graph_build.h makes
/// it, graph_search.h goes through it. Nodes are numbered by rising slot of their entities.
///
/// Source   Malkov & Yashunin 2018, arXiv:1603.09320; M = 16, ef of construction = 200.
/// Memory   row_bytes (dimensions + 8, rounded up to 16 dimensions) + 128 bytes of links + 8 bytes
///          per vector, and some 4 % for the upper layers.
/// Threads  Immutable: any.
class Graph {
public:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    static constexpr std::size_t kLinks = 16;  ///< M: of a node in an upper layer, at most.
    static constexpr std::size_t kLinksBase = 2 * kLinks;  ///< In the lowest.

    explicit Graph(Coder coder) : coder_(std::move(coder)) {}

    std::uint32_t size() const { return static_cast<std::uint32_t>(slots_.size()); }
    const Coder& coder() const { return coder_; }
    /// Of its nodes, once it is linked.
    const Roaring& slots() const { return members_; }
    Slot slot_of(std::uint32_t node) const { return Slot(slots_[node]); }
    /// kNone = it is of no node.
    std::uint32_t node_of(Slot slot) const {
        return slot.value() < nodes_.size() ? nodes_[slot.value()] : kNone;
    }
    const std::byte* row(std::uint32_t node) const {
        return rows_.data() + std::size_t{node} * coder_.row_bytes();
    }
    /// Where a search begins: a node of the highest layer. Precondition: size() > 0.
    std::uint32_t entry() const { return entry_; }
    /// Layers above the lowest.
    std::uint32_t layers() const { return layers_; }
    /// In layer 0, the lowest.
    std::span<const std::uint32_t> links(std::uint32_t node) const {
        return ended(&base_links_[std::size_t{node} * kLinksBase], kLinksBase);
    }
    /// In layer 1..layers(). Precondition: the node is in it.
    std::span<const std::uint32_t> links(std::uint32_t node, std::uint32_t layer) const {
        return ended(&upper_links_[upper_.at(node) + std::size_t{layer - 1} * kLinks], kLinks);
    }
    void prefetch_links(std::uint32_t node) const {
        const std::uint32_t* const at = &base_links_[std::size_t{node} * kLinksBase];
        __builtin_prefetch(at);
        __builtin_prefetch(at + kLinks);
    }
    std::size_t bytes() const;

private:
    friend class GraphBuild;

    static std::span<const std::uint32_t> ended(const std::uint32_t* links, std::size_t most) {
        std::size_t count = 0;
        while (count < most && links[count] != kNone) ++count;
        return {links, count};
    }

    Coder coder_;
    std::vector<std::uint32_t> slots_;        ///< By node.
    std::vector<std::uint32_t> nodes_;        ///< By slot; kNone where there is none.
    Roaring members_;                         ///< The slots as a set.
    std::vector<std::byte> rows_;             ///< By node: Coder's.
    std::vector<std::uint32_t> base_links_;   ///< kLinksBase a node, the rest kNone.
    std::vector<std::uint32_t> upper_links_;  ///< kLinks a layer of a node that is in it.
    absl::flat_hash_map<std::uint32_t, std::size_t> upper_;  ///< Where those of a node begin.
    std::uint32_t entry_ = kNone;
    std::uint32_t layers_ = 0;
};

}  // namespace tidal::vector
