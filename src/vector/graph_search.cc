#include "vector/graph_search.h"

#include <algorithm>
#include <functional>

namespace tidal::vector {
namespace {

// Of bench/vector_graph_bench.cc. A visit takes 1.6 times as long, but a way has that many fewer
// than beam * M of them, which is what a plan counts.
constexpr double kVisitBase = 25, kVisitBytesPerNanosecond = 20;
constexpr double kScanBase = 6, kScanBytesPerNanosecond = 30;

}  // namespace

double GraphSearch::cost(const schema::EmbeddingSpec& spec) {
    return kVisitBase + static_cast<double>(spec.dimensions) / kVisitBytesPerNanosecond;
}

GraphSearch::GraphSearch(std::shared_ptr<const Graph> graph, const Probe& probe, std::uint32_t beam,
                         std::uint64_t visits_max)
    : graph_(std::move(graph)),
      probe_(graph_->coder().probe(probe.values)),
      visit_cost_(kVisitBase +
                  static_cast<double>(graph_->coder().width()) / kVisitBytesPerNanosecond),
      visits_max_(visits_max),
      results_(beam) {}

void GraphSearch::measure(std::span<const std::uint32_t> nodes) {
    const std::byte* rows[Graph::kLinksBase];
    for (std::size_t i = 0; i < nodes.size(); ++i) rows[i] = graph_->row(nodes[i]);
    code_distances(probe_, {rows, nodes.size()}, distances_);
    visits_ += nodes.size();
}

/// Through the upper layers, to where the lowest is entered.
void GraphSearch::descend() {
    std::uint32_t at = graph_->entry();
    measure({&at, 1});
    NodeDistance nearest(distances_[0], at);
    for (std::uint32_t layer = graph_->layers(); layer > 0; --layer) {
        for (bool nearer = true; nearer;) {
            nearer = false;
            const auto links = graph_->links(nearest.node(), layer);
            measure(links);
            for (std::size_t i = 0; i < links.size(); ++i) {
                const NodeDistance one(distances_[i], links[i]);
                if (!(one < nearest)) continue;
                nearest = one;
                nearer = true;
            }
        }
    }
    candidates_.push_back(nearest);
    visit(nearest.node());
}

bool GraphSearch::begin(Take take) {
    if (begun_) return true;
    constexpr double kVisitsOfAWay = 200;
    if (!take(visit_cost_ * kVisitsOfAWay + static_cast<double>(graph_->size()) / 512))
        return false;
    begun_ = true;
    if (graph_->size() == 0) return true;
    visited_.assign(graph_->size() / 64 + 1, 0);
    descend();
    return true;
}

void GraphSearch::expand(std::uint32_t node, Accepts accepts) {
    std::size_t count = 0;
    for (const std::uint32_t next : graph_->links(node))
        if (visit(next)) nodes_[count++] = next;
    measure({nodes_, count});
    for (std::size_t i = 0; i < count; ++i) {
        const NodeDistance one(distances_[i], nodes_[i]);
        if (!results_.admits(one)) continue;
        candidates_.push_back(one);
        std::ranges::push_heap(candidates_, std::greater<>());
        if (accepts(graph_->slot_of(nodes_[i]))) results_.offer(one);
    }
    if (!candidates_.empty()) graph_->prefetch_links(candidates_.front().node());
}

GraphSearch::Progress GraphSearch::run(Accepts accepts, Take take) {
    const bool first = !begun_;
    if (!begin(take)) return Progress::kPaused;
    if (first && !candidates_.empty() && accepts(graph_->slot_of(candidates_.front().node())))
        results_.offer(candidates_.front());
    constexpr double kVisitsOfANode = 12;  // Others have been visited before.
    while (!candidates_.empty()) {
        const NodeDistance next = candidates_.front();
        if (results_.full() && results_.last() < next) break;
        if (visits_ > visits_max_) return Progress::kGivenUp;
        if (!take(visit_cost_ * kVisitsOfANode)) return Progress::kPaused;
        std::ranges::pop_heap(candidates_, std::greater<>());
        candidates_.pop_back();
        expand(next.node(), accepts);
    }
    return Progress::kDone;
}

double CodeScan::cost(const schema::EmbeddingSpec& spec) {
    return kScanBase + static_cast<double>(spec.dimensions) / kScanBytesPerNanosecond;
}

CodeScan::CodeScan(std::shared_ptr<const Graph> graph, const Probe& probe, std::uint32_t most)
    : graph_(std::move(graph)), probe_(graph_->coder().probe(probe.values)), results_(most) {}

void CodeScan::offer(std::span<const std::uint32_t> slots) {
    constexpr std::size_t kAtOnce = 64;
    std::uint32_t nodes[kAtOnce];
    const std::byte* rows[kAtOnce];
    float distances[kAtOnce];
    for (std::size_t at = 0; at < slots.size();) {
        std::size_t count = 0;
        for (; at < slots.size() && count < kAtOnce; ++at) {
            nodes[count] = graph_->node_of(Slot(slots[at]));
            if (nodes[count] == Graph::kNone) continue;
            rows[count] = graph_->row(nodes[count]);
            ++count;
        }
        code_distances(probe_, {rows, count}, distances);
        for (std::size_t i = 0; i < count; ++i) {
            const NodeDistance one(distances[i], nodes[i]);
            if (results_.admits(one)) results_.offer(one);
        }
    }
}

}  // namespace tidal::vector
