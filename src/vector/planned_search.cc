#include "vector/planned_search.h"

#include <algorithm>

namespace tidal::vector {
namespace {

constexpr std::size_t kListedAtOnce = 512;  // between two looks at the budget
constexpr std::uint32_t kShortWay = 2;      // times as many as are wanted are met

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
                             const Roaring* accepted)
    : probe_(probe),
      effort_(effort),
      wanted_(wanted),
      takes_all_(accepted == nullptr),
      exact_cost_(FlatVectors::cost(vectors.spec())),
      visit_cost_(GraphSearch::cost(vectors.spec().dimensions)) {
    const std::uint32_t shortest = beam_of(effort, wanted).wanted * kShortWay;
    for (const GraphIndex::Segment& segment : graphs.segments()) {
        Part part{.graph = segment.graph, .fresh = segment.fresh_bits, .accepted = {}};
        part.removed = part.fresh->removed();
        if (accepted != nullptr) part.accepted = *accepted & segment.fresh;
        part.count = part.accepted ? part.accepted->cardinality() : segment.fresh.cardinality();
        trace_.candidates += part.count;
        // Few are compared exactly at once.
        const auto count = static_cast<double>(part.count);
        part.code_cost =
            CodeScan::cost(vectors.spec().dimensions, count / std::max(segment.graph->size(), 1U));
        const double reranking = exact_cost_ * std::min<double>(reranked_of(effort, wanted), count);
        part.is_exact = exact_cost_ * count <= part.code_cost * count + reranking;
        const bool is_far =
            part.count > 0 && exact_cost_ * count > reranking + way_cost(part, shortest);
        if (part.is_exact && !is_far) {
            found_ |= part.accepted ? *part.accepted : segment.fresh;
        } else {
            parts_.push_back(std::move(part));
        }
    }
    const Roaring& tail = graphs.tail(vectors);
    const Roaring rest = accepted != nullptr ? *accepted & tail : tail;
    trace_.candidates += rest.cardinality();
    found_ |= rest;
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

bool PlannedSearch::has_lost() const {
    return takes_all_ && std::ranges::any_of(parts_, [](const Part& part) {
               return part.fresh->removed() != part.removed;
           });
}

Roaring PlannedSearch::others(const FlatVectors& vectors) const {
    if (takes_all_) return vectors.present() - found_;
    Roaring out;
    for (const Part& part : parts_) out |= *part.accepted;
    out -= found_;
    return out;
}

/// A way through the graph is as long as the beam is wide, or far shorter where what is near is
/// easily told from what is not, which only the way shows. So it is also tried where no more than
/// a short one would be cheaper than the list, until it has cost most of what the list does.
void PlannedSearch::choose(const Part& part) {
    constexpr double kTriedFor = 0.6;
    const Beam beam = beam_of(effort_, wanted_);
    const double by_list =
        static_cast<double>(part.count) * (part.is_exact ? exact_cost_ : part.code_cost);
    const bool cheaper = way_cost(part, beam.width) < by_list;
    if (cheaper || way_cost(part, beam.wanted * kShortWay) < by_list) {
        const double spent_max = cheaper ? by_list : by_list * kTriedFor;
        search_.emplace(part.graph, probe_, beam,
                        static_cast<std::uint64_t>(spent_max / visit_cost_));
        if (cheaper || search_->may_end_early()) return;
        search_.reset();
    }
    if (!part.is_exact) ++trace_.listed;
    begin_list(part);
}

double PlannedSearch::way_cost(const Part& part, std::uint32_t met) const {
    constexpr double kNotMet = 0.7;  // of the links of a node; others lead back
    const double by_node = visit_cost_ * kNotMet * static_cast<double>(Graph::kLinks) *
                           static_cast<double>(part.graph->size()) /
                           static_cast<double>(part.count);
    return by_node * static_cast<double>(met);
}

void PlannedSearch::begin_list(const Part& part) {
    if (part.is_exact) {
        found_ |= part.accepted ? *part.accepted : part.fresh->select(part.graph->slots());
        return;
    }
    scan_.emplace(part.graph, probe_, reranked_of(effort_, wanted_));
    const Roaring& listed = part.accepted ? *part.accepted : part.graph->slots();
    roaring_init_iterator(&listed.roaring, &next_);
}

bool PlannedSearch::search(const Part& part, GraphSearch::Take take, GraphSearch::Accepts also) {
    const auto accepts = [&](Slot slot) { return part.accepts(slot) && also(slot); };
    const GraphSearch::Progress progress = search_->run(accepts, take);
    if (progress == GraphSearch::Progress::kPaused) return false;
    trace_.visited += search_->visits();
    if (progress == GraphSearch::Progress::kDone &&
        search_->found() >= std::min<std::uint64_t>(wanted_, part.count)) {
        ++trace_.graphs;
        keep(part, search_->probe(), search_->results());
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
        if (!take(part.code_cost * kListedAtOnce)) return false;
        const std::uint32_t count = roaring_read_uint32_iterator(&next_, slots, kListedAtOnce);
        const auto* const end = std::remove_if(slots, slots + count, [&](std::uint32_t slot) {
            return !(part.accepted || part.fresh->contains(slot)) || !also(Slot(slot));
        });
        scan_->offer({slots, end});
        trace_.coded += static_cast<std::uint64_t>(end - slots);
    }
    keep(part, scan_->probe(), scan_->results());
    scan_.reset();
    return true;
}

/// How many of the nearest by codes may be among the wanted: all that rounding to codes does not
/// tell from the last of these.
std::size_t PlannedSearch::kept(const Part& part, const Coder::Probe& probe,
                                const std::vector<NodeDistance>& nearest) const {
    constexpr float kDeviationsOfEach = 3;  // of each of the two: 1 in 40,000 is farther off
    const std::size_t most = std::min<std::size_t>(nearest.size(), reranked_of(effort_, wanted_));
    std::size_t out = std::min<std::size_t>(most, wanted_ + kRerankedMore);
    if (out == most || wanted_ == 0) return out;
    const Graph& graph = *part.graph;
    const auto rounding = [&](const NodeDistance& one) {
        return kDeviationsOfEach * graph.coder().deviation(probe, graph.row(one.node()));
    };
    const NodeDistance& last = nearest[wanted_ - 1];
    const float farthest = last.distance() + rounding(last);
    while (out < most && !(nearest[out].distance() - rounding(nearest[out]) > farthest)) ++out;
    return out;
}

/// The nearest by codes. A mapped file may say another slot of a node than it did when the node was
/// accepted, if its medium fails: only slots that memory knows to be accepted are believed.
void PlannedSearch::keep(const Part& part, const Coder::Probe& probe,
                         const std::vector<NodeDistance>& nearest) {
    const std::size_t most = kept(part, probe, nearest);
    std::vector<std::uint32_t> slots;
    for (std::size_t i = 0; i < most; ++i) {
        const Slot slot = part.graph->slot_of(nearest[i].node());
        if (part.may_have_accepted(slot)) slots.push_back(slot.value());
    }
    std::ranges::sort(slots);
    found_.addMany(slots.size(), slots.data());
}

}  // namespace tidal::vector
