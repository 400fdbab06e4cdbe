#include "vector/graph_search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace tidal::vector {
namespace {

// Of bench/vector_graph_bench.cc, where rows are in no near cache.
constexpr double kVisitBase = 28, kVisitBytesPerNanosecond = 5;
constexpr float kDeviations = 6;
// Of widen(), by clusters of generated vectors, 100 to 1,000 in each (api_for_you_load_bench).
constexpr std::uint32_t kNearestPart = 8;     // of the wanted
constexpr std::uint32_t kRefusedUsually = 2;  // times as many as farther off
constexpr std::uint32_t kWidenedMost = 8;     // times the wanted
constexpr double kScanBase = 8, kScanBytesPerNanosecond = 12;

}  // namespace

double GraphSearch::cost(std::uint32_t dimensions) {
    return kVisitBase +
           static_cast<double>(Coder::row_bytes(dimensions)) / kVisitBytesPerNanosecond;
}

GraphSearch::GraphSearch(std::shared_ptr<const Graph> graph, const Probe& probe, const Beam& beam,
                         std::uint64_t visits_max)
    : graph_(std::move(graph)),
      probe_(graph_->coder().probe(probe.values)),
      visit_cost_(cost(graph_->shape().dimensions)),
      visits_max_(visits_max),
      wanted_(beam.wanted),
      spare_(beam.width - std::min(beam.width, beam.wanted + beam.wanted * 3 / 4)),
      reach_squared_(beam.reach * beam.reach),
      patience_(beam.patience),
      results_(beam.width) {}

/// Those that have not been before, into nodes_ and distances_. @return  How many.
std::size_t GraphSearch::measure(std::span<const std::uint32_t> nodes) {
    const std::byte* rows[Graph::kLinksBase];
    std::size_t count = 0;
    for (const std::uint32_t node : nodes) {
        // A mapped file may say something else than when its links were counted.
        if (node >= graph_->size() || !visit(node)) continue;
        rows[count] = graph_->row(node);
        nodes_[count++] = node;
    }
    code_distances(probe_, {rows, count}, distances_);
    visits_ += count;
    return count;
}

/// Through the upper layers, to where the lowest is entered. Whatever is met on the way is a
/// candidate there.
void GraphSearch::descend() {
    const std::uint32_t entry = graph_->entry();
    measure({&entry, 1});
    NodeDistance nearest(distances_[0], entry);
    candidates_.push_back(nearest);
    for (std::uint32_t layer = graph_->layers(); layer > 0; --layer) {
        for (bool nearer = true; nearer;) {
            nearer = false;
            const std::size_t count = measure(graph_->links(nearest.node(), layer));
            for (std::size_t i = 0; i < count; ++i) {
                const NodeDistance one(distances_[i], nodes_[i]);
                candidates_.push_back(one);
                if (!(one < nearest)) continue;
                nearest = one;
                nearer = true;
            }
        }
    }
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
    const std::size_t count = measure(graph_->links(node));
    for (std::size_t i = 0; i < count; ++i) {
        const NodeDistance one(distances_[i], nodes_[i]);
        if (one > farthest_) continue;
        candidates_.push_back(one);
        std::ranges::push_heap(candidates_, std::greater<>());
        offer(one, accepts);
    }
    shorten();
    if (!candidates_.empty()) graph_->prefetch_links(candidates_.front().node());
}

bool GraphSearch::may_end_early() const {
    return results_.in_order() && !std::isinf(probe_.offset) && !std::isinf(reach_squared_);
}

void GraphSearch::offer(const NodeDistance& one, Accepts accepts) {
    if (accepts(graph_->slot_of(one.node()))) {
        results_.offer(one);
    } else if (!width_is_known_) {
        refused_.push_back(one);
    }
}

/// Where the whole neighbourhood of the probe is refused, what is nearest else lies scattered
/// around it, among much that is about as far: it takes a beam that could hold the neighbourhood,
/// too. A filter that refuses as many farther off lengthens the way already.
void GraphSearch::widen() {
    width_is_known_ = true;
    const std::vector<NodeDistance> refused = std::move(refused_);
    if (refused.empty() || wanted_ > results_.size()) return;
    const std::uint32_t before = wanted_ / kNearestPart;
    const NodeDistance near = results_.find(before), last = results_.find(wanted_ - 1);
    const auto blocked = static_cast<std::uint64_t>(
        std::ranges::count_if(refused, [&](const NodeDistance& one) { return one < near; }));
    const auto within = static_cast<std::uint64_t>(
        std::ranges::count_if(refused, [&](const NodeDistance& one) { return one < last; }));
    const std::uint64_t usual =
        kRefusedUsually * (within - blocked) * (before + 1) / (wanted_ - before);
    const std::uint64_t most = std::uint64_t{kWidenedMost} * wanted_;
    const std::uint64_t more = std::min(blocked - std::min(blocked, usual), most);
    if (more <= spare_) return;
    results_.widen(static_cast<std::uint32_t>(more) - spare_);
    patience_ = std::numeric_limits<std::uint32_t>::max();
}

/// Whether all that is wanted is found, as far as the nodes behind it tell.
bool GraphSearch::is_settled(const NodeDistance& next) {
    const NodeDistance* const last = width_is_known_ ? results_.at(wanted_ - 1) : nullptr;
    if (last == nullptr) return false;
    in_vain_ = next > *last && *last == settled_ ? in_vain_ + 1 : 0;
    settled_ = *last;
    return in_vain_ > patience_;
}

/// What is listed becomes nearer only: so does what is gone on from.
void GraphSearch::shorten() {
    if (!width_is_known_ && results_.full()) widen();
    if (results_.full()) farthest_ = std::min(farthest_, results_.last());
    if (!may_end_early()) return;
    const NodeDistance* const last = results_.at(wanted_ - 1);
    if (last == nullptr) return;
    const float squared = std::max(last->distance() + probe_.offset, 0.0F);
    // Where all lies closer together than codes tell, it is not for them to say what is near.
    const float error = kDeviations * graph_->coder().deviation(probe_, graph_->row(last->node()));
    const NodeDistance reached(squared * reach_squared_ - probe_.offset + error, UINT32_MAX);
    farthest_ = std::min(farthest_, reached);
}

/// The latest first, which are the nearest, nearly: after them few others are near enough.
void GraphSearch::list_candidates(Accepts accepts) {
    for (std::size_t i = candidates_.size(); i > 0; --i) {
        const NodeDistance& one = candidates_[i - 1];
        if (one > farthest_) continue;
        offer(one, accepts);
        shorten();
    }
    std::erase_if(candidates_, [&](const NodeDistance& one) { return one > farthest_; });
    std::ranges::make_heap(candidates_, std::greater<>());
}

GraphSearch::Progress GraphSearch::run(Accepts accepts, Take take) {
    const bool first = !begun_;
    if (!begin(take)) return Progress::kPaused;
    if (first) list_candidates(accepts);
    constexpr double kVisitsOfANode = 12;  // Others have been visited before.
    while (!candidates_.empty()) {
        const NodeDistance next = candidates_.front();
        if (next > farthest_ || is_settled(next)) break;
        if (visits_ > visits_max_) return Progress::kGivenUp;
        if (!take(visit_cost_ * kVisitsOfANode)) return Progress::kPaused;
        std::ranges::pop_heap(candidates_, std::greater<>());
        candidates_.pop_back();
        if (!candidates_.empty()) graph_->prefetch_links(candidates_.front().node());
        expand(next.node(), accepts);
    }
    return Progress::kDone;
}

double CodeScan::cost(std::uint32_t dimensions, double share) {
    const auto bytes = static_cast<double>(Coder::row_bytes(dimensions));
    return kScanBase + bytes * (2 - share) / kScanBytesPerNanosecond;
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
