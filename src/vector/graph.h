// vector/graph.h: nearest neighbours among the vectors that one embedding slot of a shard had at
// one moment.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <roaring/roaring.hh>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/prefetch.h"
#include "base/result.h"
#include "vector/internal/codes.h"
#include "vector/internal/graph_layout.h"

namespace tidal::vector {

/// A small-world graph in layers over coded vectors, read where its bytes lie, in memory or in a
/// mapped file: graph_build.h makes them, graph_search.h goes through them. Nodes are numbered by
/// rising slot of their entities.
///
/// Source   Malkov & Yashunin 2018, arXiv:1603.09320; M = 16, ef of construction = 200.
/// Memory   row_bytes (dimensions + 8, rounded up to 16 dimensions) + 128 bytes of links + 20 bytes
///          per vector, and some 4 % for the upper layers.
/// Threads  Immutable: any.
class Graph {
public:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    static constexpr std::size_t kLinks = kGraphLinks;
    static constexpr std::size_t kLinksBase = kGraphLinksBase;

    /// What a graph is made of.
    struct Parts {
        GraphShape shape;
        std::uint64_t seed = 0;             ///< Of the hashes of vectors.
        std::shared_ptr<const char> bytes;  ///< GraphLayout(shape).bytes, from a multiple of 64 on.
        bool mapped = false;                ///< They lie in a file: pages that the kernel may drop.
    };
    /// @param slots_end  Nodes of slots from here on are found by no slot: nothing is there.
    /// @return kCorruption  where something could lead a search out of the graph.
    static Result<std::shared_ptr<const Graph>> open(const schema::EmbeddingSpec& spec, Parts parts,
                                                     std::uint32_t slots_end);
    /// The same, read in a file from now on. Precondition: it has the same bytes.
    std::shared_ptr<const Graph> in_file(std::shared_ptr<const char> mapped) const;

    std::uint32_t size() const { return shape().nodes; }
    const Coder& coder() const { return coder_; }
    const Roaring& slots() const { return members_; }
    Slot slot_of(std::uint32_t node) const {
        return Slot(without_gaps_ ? first_slot_ + node : slots_[node]);
    }
    /// kNone = it is of no node.
    std::uint32_t node_of(Slot slot) const {
        return slot.value() < nodes_.size() ? nodes_[slot.value()] : kNone;
    }
    /// FlatVectors::hash() of the vector that was linked, under seed().
    std::uint64_t hash(std::uint32_t node) const { return hashes_[node]; }
    std::uint64_t seed() const { return parts_.seed; }
    const std::byte* row(std::uint32_t node) const {
        return rows_ + std::size_t{node} * coder_.row_bytes();
    }
    /// Where a search begins: a node of the highest layer. Precondition: size() > 0.
    std::uint32_t entry() const { return shape().entry; }
    /// Layers above the lowest.
    std::uint32_t layers() const { return shape().layers; }
    /// In layer 0, the lowest.
    std::span<const std::uint32_t> links(std::uint32_t node) const {
        return ended(base_links_ + std::size_t{node} * kLinksBase, kLinksBase);
    }
    /// In layer 1..layers(); none where the node is not in it.
    std::span<const std::uint32_t> links(std::uint32_t node, std::uint32_t layer) const {
        const auto found = upper_.find(node);
        if (found == upper_.end() || layer > found->second.count) return {};
        return ended(upper_links_ + (std::size_t{found->second.first} + layer - 1) * kLinks,
                     kLinks);
    }
    TIDAL_PREFETCHES void prefetch_links(std::uint32_t node) const {
        const std::uint32_t* const at = base_links_ + std::size_t{node} * kLinksBase;
        __builtin_prefetch(at);
        __builtin_prefetch(at + kLinks);
    }
    const Parts& parts() const { return parts_; }
    const GraphShape& shape() const { return parts_.shape; }
    /// Of memory, without what is mapped.
    std::size_t bytes() const;
    std::size_t mapped_bytes() const { return parts_.mapped ? GraphLayout(shape()).bytes : 0; }

private:
    /// Lists of a node in upper layers.
    struct Lists {
        std::uint32_t first = 0, count = 0;
    };

    Graph(const schema::EmbeddingSpec& spec, Parts parts);
    Graph(const Graph& other, std::shared_ptr<const char> mapped);
    void find_parts();
    template <typename T>
    const T* part(std::size_t offset) const {
        return reinterpret_cast<const T*>(parts_.bytes.get() + offset);
    }
    Result<void> index_nodes(std::uint32_t slots_end);
    Result<void> index_upper_nodes(const std::uint32_t* nodes, const std::uint32_t* ends);
    Result<void> check_links() const;
    std::uint32_t layers_of(std::uint32_t node) const {
        const auto found = upper_.find(node);
        return found == upper_.end() ? 0 : found->second.count;
    }
    /// No node is as great as kNone: this ends where the links do, and never leads out.
    std::span<const std::uint32_t> ended(const std::uint32_t* links, std::size_t most) const {
        std::size_t count = 0;
        while (count < most && links[count] < shape().nodes) ++count;
        return {links, count};
    }

    const Parts parts_;
    const Coder coder_;
    // Where the parts lie.
    const std::uint32_t* slots_ = nullptr;
    const std::uint64_t* hashes_ = nullptr;
    const std::byte* rows_ = nullptr;
    const std::uint32_t *base_links_ = nullptr, *upper_links_ = nullptr;
    // What follows from them.
    std::vector<std::uint32_t> nodes_;  ///< By slot; kNone where there is none.
    /// Where each slot has a node, a slot is told without a look at the table of all.
    bool without_gaps_ = false;
    std::uint32_t first_slot_ = 0;
    Roaring members_;  ///< The slots as a set.
    absl::flat_hash_map<std::uint32_t, Lists> upper_;
};

}  // namespace tidal::vector
