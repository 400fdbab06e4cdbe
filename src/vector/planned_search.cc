#include "vector/planned_search.h"

#include <algorithm>

namespace tidal::vector {
namespace {

constexpr std::size_t kListedAtOnce = 512;  // between two looks at the budget

}  // namespace

SearchTrace& SearchTrace::operator+=(const SearchTrace& other) {
    candidates += other.candidates;
    visited += other.visited;
    coded += other.coded;
    compared += other.compared;
    graphs += other.graphs;
    given_up += other.given_up;
    listed += other.listed;
    return *this;
}

PlannedSearch::PlannedSearch(const FlatVectors& vectors, const GraphIndex& graphs,
                             const Probe& probe, Effort effort, std::uint32_t wanted,
                             const Roaring& accepted)
    : probe_(probe),
      effort_(effort),
      wanted_(wanted),
      exact_cost_(FlatVectors::cost(vectors.spec())),
      code_cost_(CodeScan::cost(vectors.spec())),
      visit_cost_(GraphSearch::cost(vectors.spec())),
      found_(accepted & vectors.present()) {
    trace_.candidates = found_.cardinality();
    for (const GraphIndex::Segment& segment : graphs.segments()) {
        Part part{segment.graph, found_ & segment.fresh, 0};
        part.count = part.accepted.cardinality();
        // Few are compared exactly at once.
        const auto count = static_cast<double>(part.count);
        const double reranked = std::min<double>(reranked_of(effort, wanted), count);
        if (exact_cost_ * count <= code_cost_ * count + exact_cost_ * reranked) continue;
        found_ -= part.accepted;
        parts_.push_back(std::move(part));
    }
}

bool PlannedSearch::run(GraphSearch::Take take, GraphSearch::Accepts also) {
    for (; part_ < parts_.size(); ++part_) {
        const Part& part = parts_[part_];
        if (!search_ && !scan_) choose(part);
        if (search_ && !search(part, take, also)) return false;
        if (scan_ && !scan(part, take, also)) return false;
    }
    return true;
}

void PlannedSearch::choose(const Part& part) {
    const std::uint32_t beam = beam_of(effort_, wanted_);
    const auto count = static_cast<double>(part.count);
    const double share = count / static_cast<double>(part.graph->size());
    const double visits = static_cast<double>(beam) * static_cast<double>(Graph::kLinks) / share;
    const double by_list = count * code_cost_;
    if (visits * visit_cost_ < by_list) {
        search_.emplace(part.graph, probe_, beam,
                        static_cast<std::uint64_t>(by_list / visit_cost_));
        return;
    }
    ++trace_.listed;
    begin_list(part);
}

void PlannedSearch::begin_list(const Part& part) {
    scan_.emplace(part.graph, probe_, reranked_of(effort_, wanted_));
    roaring_init_iterator(&part.accepted.roaring, &next_);
}

bool PlannedSearch::search(const Part& part, GraphSearch::Take take, GraphSearch::Accepts also) {
    const auto accepts = [&](Slot slot) {
        return part.accepted.contains(slot.value()) && also(slot);
    };
    const GraphSearch::Progress progress = search_->run(accepts, take);
    if (progress == GraphSearch::Progress::kPaused) return false;
    trace_.visited += search_->visits();
    if (progress == GraphSearch::Progress::kDone &&
        search_->found() >= std::min<std::uint64_t>(wanted_, part.count)) {
        ++trace_.graphs;
        keep(part, search_->results());
    } else {
        ++trace_.given_up;
        begin_list(part);
    }
    search_.reset();
    return true;
}

bool PlannedSearch::scan(const Part& part, GraphSearch::Take take, GraphSearch::Accepts also) {
    std::uint32_t slots[kListedAtOnce];
    while (next_.has_value) {
        if (!take(code_cost_ * kListedAtOnce)) return false;
        const std::uint32_t count = roaring_read_uint32_iterator(&next_, slots, kListedAtOnce);
        const auto* const end =
            std::remove_if(slots, slots + count, [&](std::uint32_t s) { return !also(Slot(s)); });
        scan_->offer({slots, end});
        trace_.coded += static_cast<std::uint64_t>(end - slots);
    }
    keep(part, scan_->results());
    scan_.reset();
    return true;
}

/// The nearest by codes. A mapped file may say another slot of a node than it did when the node was
/// accepted, if its medium fails: only slots that memory knows to be accepted are believed.
void PlannedSearch::keep(const Part& part, const std::vector<NodeDistance>& nearest) {
    const std::size_t most = std::min<std::size_t>(nearest.size(), reranked_of(effort_, wanted_));
    for (std::size_t i = 0; i < most; ++i) {
        const std::uint32_t slot = part.graph->slot_of(nearest[i].node()).value();
        if (part.accepted.contains(slot)) found_.add(slot);
    }
}

}  // namespace tidal::vector
