#include "vector/graph.h"

#include <algorithm>
#include <cmath>

namespace tidal::vector {
namespace {

Error damaged_graph(std::string_view what) {
    return Error(ErrorCode::kCorruption, "graph of vectors: " + std::string(what));
}

std::vector<float> mean_of(const Graph::Parts& parts) {
    const auto* const at =
        reinterpret_cast<const float*>(parts.bytes.get() + GraphLayout(parts.shape).mean);
    return {at, at + parts.shape.dimensions};
}

}  // namespace

Graph::Graph(const schema::EmbeddingSpec& spec, Parts parts)
    : parts_(std::move(parts)), coder_(spec, mean_of(parts_)) {
    find_parts();
}

Graph::Graph(const Graph& other, std::shared_ptr<const char> mapped)
    : parts_{other.shape(), other.seed(), std::move(mapped), true},
      coder_(other.coder_),
      nodes_(other.nodes_),
      without_gaps_(other.without_gaps_),
      first_slot_(other.first_slot_),
      members_(other.members_),
      upper_(other.upper_) {
    find_parts();
}

void Graph::find_parts() {
    const GraphLayout layout(shape());
    slots_ = part<std::uint32_t>(layout.slots);
    hashes_ = part<std::uint64_t>(layout.hashes);
    rows_ = part<std::byte>(layout.rows);
    base_links_ = part<std::uint32_t>(layout.base_links);
    upper_links_ = part<std::uint32_t>(layout.upper_links);
}

Result<std::shared_ptr<const Graph>> Graph::open(const schema::EmbeddingSpec& spec, Parts parts,
                                                 std::uint32_t slots_end) {
    if (parts.shape.dimensions != spec.dimensions) return damaged_graph("of other dimensions");
    if (!std::ranges::all_of(mean_of(parts), [](float v) { return std::isfinite(v); }))
        return damaged_graph("a mean that is no number");
    const GraphLayout layout(parts.shape);
    std::shared_ptr<Graph> graph(new Graph(spec, std::move(parts)));
    if (graph->coder_.row_bytes() != graph->shape().row_bytes)
        return damaged_graph("of other codes");
    TIDAL_TRY(graph->index_nodes(slots_end));
    TIDAL_TRY(graph->index_upper_nodes(graph->part<std::uint32_t>(layout.upper_nodes),
                                       graph->part<std::uint32_t>(layout.upper_ends)));
    TIDAL_TRY(graph->check_links());
    return std::shared_ptr<const Graph>(std::move(graph));
}

std::shared_ptr<const Graph> Graph::in_file(std::shared_ptr<const char> mapped) const {
    return std::shared_ptr<const Graph>(new Graph(*this, std::move(mapped)));
}

Result<void> Graph::index_nodes(std::uint32_t slots_end) {
    const std::span slots(slots_, size());
    if (std::ranges::adjacent_find(slots, std::greater_equal()) != slots.end())
        return damaged_graph("slots that do not rise");
    if (!slots.empty()) {
        first_slot_ = slots.front();
        without_gaps_ = slots.back() - slots.front() == slots.size() - 1;
    }
    members_ = Roaring(slots.size(), slots.data());
    const auto known =
        static_cast<std::uint32_t>(std::ranges::lower_bound(slots, slots_end) - slots.begin());
    if (known == 0) return {};
    nodes_.assign(slots[known - 1] + std::size_t{1}, kNone);
    for (std::uint32_t node = 0; node < known; ++node) nodes_[slots[node]] = node;
    return {};
}

Result<void> Graph::index_upper_nodes(const std::uint32_t* nodes, const std::uint32_t* ends) {
    Lists lists;
    for (std::uint32_t at = 0; at < shape().upper_nodes; ++at) {
        const bool rises = at == 0 || nodes[at] > nodes[at - 1];
        lists.first += lists.count;
        if (!rises || nodes[at] >= size() || ends[at] <= lists.first)
            return damaged_graph("nodes of upper layers that nobody writes");
        lists.count = ends[at] - lists.first;
        upper_.emplace(nodes[at], lists);
    }
    if (lists.first + lists.count != shape().upper_lists) return damaged_graph("lists of no node");
    const bool begins = size() == 0 ? entry() == 0 && layers() == 0
                                    : entry() < size() && layers_of(entry()) == layers();
    return begins ? Result<void>() : damaged_graph("a search would begin nowhere");
}

/// Each is a node, in upper layers one of the layer.
Result<void> Graph::check_links() const {
    const std::span base(base_links_, std::size_t{size()} * kLinksBase);
    const auto leads_out = [&](std::uint32_t link) { return link >= size() && link != kNone; };
    if (std::ranges::any_of(base, leads_out)) return damaged_graph("a link to no node");
    for (const auto& [node, lists] : upper_) {
        for (std::uint32_t layer = 1; layer <= lists.count; ++layer) {
            const std::span links(upper_links_ + (std::size_t{lists.first} + layer - 1) * kLinks,
                                  kLinks);
            if (std::ranges::any_of(links, leads_out)) return damaged_graph("a link to no node");
            for (const std::uint32_t link : this->links(node, layer))
                if (layers_of(link) < layer) return damaged_graph("a link out of its layer");
        }
    }
    return {};
}

std::size_t Graph::bytes() const {
    return GraphLayout(shape()).bytes - mapped_bytes() + nodes_.capacity() * sizeof(nodes_[0]) +
           members_.getSizeInBytes() +
           upper_.capacity() * (sizeof(std::uint32_t) + sizeof(Lists) + 1);
}

}  // namespace tidal::vector
