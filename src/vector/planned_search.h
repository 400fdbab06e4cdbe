// vector/planned_search.h: the nearest among what a filter accepted, by whichever way is cheapest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <roaring/roaring.hh>
#include <vector>

#include "vector/effort.h"
#include "vector/graph_index.h"
#include "vector/graph_search.h"
#include "vector/search_trace.h"

namespace tidal::vector {

/// The candidates fall into those of each graph, whose vector is the graph's, and the rest. Those
/// of a graph are found by going through it, or by comparing all of them by their codes, whatever
/// is expected to take less time. A way that has taken as long as the list would, or most of it,
/// gives up for it; so does one that found fewer than there are, so that there are never fewer
/// than min(wanted, candidates). What either finds, and all of the rest, is for the caller to
/// compare exactly: what codes do not tell from the last of the wanted is among it, as far as
/// reranked_of() goes.
///
/// Threads   One at a time, in pieces between which anything may change.
/// Lifetime  Borrows the probe, shares the graphs.
class PlannedSearch {
public:
    /// @param wanted    How many of the nearest.
    /// @param accepted  Slots that may be found; nullptr = whatever has a vector.
    PlannedSearch(const FlatVectors& vectors, const GraphIndex& graphs, const Probe& probe,
                  Effort effort, std::uint32_t wanted, const Roaring* accepted);

    /// False = `take`, asked before each piece of work, said that it belongs to the next call.
    /// @param also  What of `accepted` may be found is rather asked here, one by one.
    bool run(
        GraphSearch::Take take, GraphSearch::Accepts also = [](Slot) { return true; });
    /// Once run() was true: what is to be compared exactly, `also` or not where it is in no graph.
    /// It changes no more.
    const Roaring& found() const { return found_; }
    /// Whether vectors that were all accepted have become others, or gone, since it began: where
    /// nothing was named, those that are others now are in no part of it, but in the graphs' tail.
    bool has_lost() const;
    /// Of what was accepted, all that is not found().
    /// @param vectors  As they are by now.
    Roaring others(const FlatVectors& vectors) const;
    SearchTrace& trace() { return trace_; }

private:
    /// Of one graph.
    struct Part {
        std::shared_ptr<const Graph> graph;
        std::shared_ptr<const SlotBits> fresh;
        std::optional<Roaring> accepted;  ///< Of those; nullopt = all of them.
        std::uint64_t count = 0;          ///< How many when the search began.
        std::uint64_t removed = 0;        ///< Of `fresh`, until then.
        double code_cost = 0;             ///< Nanoseconds, of one comparison in a list.
        bool is_exact = false;            ///< Comparing all exactly takes no longer than the list.

        bool accepts(Slot slot) const {
            return accepted ? accepted->contains(slot.value()) : fresh->contains(slot.value());
        }
        /// Whatever became of its vector since.
        bool may_have_accepted(Slot slot) const {
            return accepted ? accepted->contains(slot.value())
                            : graph->node_of(slot) != Graph::kNone;
        }
    };

    /// Nanoseconds of a way through the graph that meets so many of the accepted.
    double way_cost(const Part& part, std::uint32_t met) const;
    void choose(const Part& part);
    void begin_list(const Part& part);
    bool search(const Part& part, GraphSearch::Take take, GraphSearch::Accepts also);
    bool scan(const Part& part, GraphSearch::Take take, GraphSearch::Accepts also);
    void keep(const Part& part, const Coder::Probe& probe,
              const std::vector<NodeDistance>& nearest);
    std::size_t kept(const Part& part, const Coder::Probe& probe,
                     const std::vector<NodeDistance>& nearest) const;

    const Probe& probe_;
    const Effort effort_;
    const std::uint32_t wanted_;
    const bool takes_all_;
    const double exact_cost_, visit_cost_;  ///< Nanoseconds, of one comparison.
    std::vector<Part> parts_;
    std::size_t part_ = 0;
    std::optional<GraphSearch> search_;
    std::optional<CodeScan> scan_;
    roaring_uint32_iterator_t next_ = {};  ///< Of what is scanned.
    Roaring found_;
    SearchTrace trace_;
};

}  // namespace tidal::vector
