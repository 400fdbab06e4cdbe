#include "vector/graph_index.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace tidal::vector {

bool GraphIndex::open(Segment of_file, const FlatVectors& vectors) {
    assert(!changed_);
    const Graph& graph = *of_file.graph;
    for (const std::uint32_t slot : (graph.slots() & vectors.present()) - fresh_) {
        const std::uint32_t node = graph.node_of(Slot(slot));
        if (node != Graph::kNone && vectors.hash(Slot(slot), graph.seed()) == graph.hash(node))
            of_file.fresh.add(slot);
    }
    if (of_file.fresh.isEmpty()) return false;
    fresh_ |= of_file.fresh;
    of_file.fresh_bits = std::make_shared<SlotBits>(of_file.fresh);
    segments_.push_back(std::move(of_file));
    tail_.reset();
    return true;
}

void GraphIndex::filed(const Graph& graph, std::uint64_t file,
                       const std::shared_ptr<const Graph>& mapped) {
    for (Segment& segment : segments_) {
        if (segment.graph.get() != &graph) continue;
        segment.graph = mapped;
        segment.file = file;
    }
    // A build under way takes its place, wherever it is read.
    std::ranges::replace_if(
        replaced_, [&](const auto& each) { return each.get() == &graph; }, mapped);
}

void GraphIndex::changed(Slot slot, const FlatVectors& vectors) {
    if (changed_) changed_->add(slot.value());
    if (tail_ && vectors.has(slot)) tail_->add(slot.value());
    if (tail_ && !vectors.has(slot)) tail_->remove(slot.value());
    if (!fresh_.contains(slot.value())) return;
    fresh_.remove(slot.value());
    for (Segment& segment : segments_) {
        segment.fresh.remove(slot.value());
        segment.fresh_bits->remove(slot.value());
    }
}

const Roaring& GraphIndex::tail(const FlatVectors& vectors) const {
    if (!tail_) tail_ = vectors.present() - fresh_;
    return *tail_;
}

bool GraphIndex::is_of_another(const Graph& graph, Slot slot) const {
    return std::ranges::any_of(segments_, [&](const Segment& segment) {
        return segment.graph.get() != &graph && segment.fresh.contains(slot.value());
    });
}

/// More than a quarter of it are ways to nothing.
bool GraphIndex::is_worn(const Segment& segment) {
    return segment.fresh.cardinality() < std::uint64_t{segment.graph->size()} * 3 / 4;
}

bool GraphIndex::wants_build(const FlatVectors& vectors, std::uint64_t tail_max) const {
    if (changed_) return false;
    if (vectors.size() - fresh_.cardinality() > tail_max) return true;
    return std::ranges::any_of(segments_, is_worn);
}

std::unique_ptr<GraphBuild> GraphIndex::begin_build(const FlatVectors& vectors,
                                                    std::uint64_t seed) {
    assert(!changed_ && replaced_.empty());
    changed_.emplace();
    Roaring slots = tail(vectors);
    std::vector<const Segment*> smallest;
    for (const Segment& segment : segments_) smallest.push_back(&segment);
    std::ranges::sort(smallest, {}, [](const Segment* s) { return s->fresh.cardinality(); });
    for (const Segment* const segment : smallest) {
        if (!is_worn(*segment) && segment->fresh.cardinality() > 2 * slots.cardinality()) continue;
        slots |= segment->fresh;
        replaced_.push_back(segment->graph);
    }
    return std::make_unique<GraphBuild>(vectors, slots, seed);
}

std::vector<std::shared_ptr<const Graph>> GraphIndex::finish_build(BuiltGraph built,
                                                                   LogIndex index) {
    assert(changed_);
    const Roaring changed = *std::exchange(changed_, std::nullopt);
    auto replaced = std::exchange(replaced_, {});
    if (built.graph == nullptr) return {};
    std::erase_if(segments_, [&](const Segment& segment) {
        return std::ranges::find(replaced, segment.graph) != replaced.end();
    });
    Segment made{.graph = std::move(built.graph),
                 .fresh = {},
                 .index = index,
                 .fresh_bits = std::move(built.slots)};
    made.fresh = made.graph->slots() - changed;
    for (const std::uint32_t slot : changed) made.fresh_bits->remove(slot);
    if (!made.fresh.isEmpty()) segments_.push_back(std::move(made));
    fresh_ = Roaring();
    for (const Segment& segment : segments_) fresh_ |= segment.fresh;
    tail_.reset();
    ++built_;
    return replaced;
}

std::size_t GraphIndex::bytes() const {
    std::size_t sum = fresh_.getSizeInBytes() + (tail_ ? tail_->getSizeInBytes() : 0);
    for (const Segment& segment : segments_)
        sum +=
            segment.graph->bytes() + segment.fresh.getSizeInBytes() + segment.fresh_bits->bytes();
    return sum;
}

std::size_t GraphIndex::mapped_bytes() const {
    std::size_t sum = 0;
    for (const Segment& segment : segments_) sum += segment.graph->mapped_bytes();
    return sum;
}

}  // namespace tidal::vector
