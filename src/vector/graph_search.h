// vector/graph_search.h: what is near to a probe in one graph, in pieces between which anything may
// happen.
#pragma once

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <memory>
#include <roaring/roaring.hh>
#include <span>
#include <vector>

#include "vector/effort.h"
#include "vector/graph.h"
#include "vector/nearest.h"
#include "vector/probe.h"

namespace tidal::vector {

/// Goes from node to node, nearer ones first, and lists those that are accepted. Everything is
/// measured by codes (internal/codes.h).
///
/// Source    Malkov & Yashunin 2018, algorithms 2 and 5. That a filter holds back from the list
///           only, not from the way, is as in hnswlib >= 0.7 and Weaviate. That it ends at some
///           multiple of the distance of the last wanted is Al-Jazzazi et al. 2025,
///           arXiv:2505.15636: where what is near stands apart, far fewer nodes are visited than a
///           wide beam holds. There is no such end under dot products, which are no distances.
///           That it ends where many nodes in a row have led to none of the wanted is Teofili & Lin
///           2025, "Patience in Proximity". That the beam widens where a whole neighbourhood is
///           refused is ours.
/// Threads   One at a time. Lifetime: shares the graph.
class GraphSearch {
public:
    /// @param visits_max  Nodes compared, before it gives up.
    GraphSearch(std::shared_ptr<const Graph> graph, const Probe& probe, const Beam& beam,
                std::uint64_t visits_max);

    enum class Progress : std::uint8_t { kPaused, kDone, kGivenUp };
    using Take = absl::FunctionRef<bool(double nanoseconds)>;
    using Accepts = absl::FunctionRef<bool(Slot)>;
    /// @param accepts  Who may be listed; the same in every call.
    /// @param take     Asked before each piece of work: false = it belongs to the next call.
    Progress run(Accepts accepts, Take take);

    /// Whether the way may be far shorter than the beam is wide.
    bool may_end_early() const;
    std::uint64_t visits() const { return visits_; }
    /// The nearest accepted, nearest first. Once.
    std::vector<NodeDistance> results() { return results_.take(); }
    std::size_t found() const { return results_.size(); }
    const Graph& graph() const { return *graph_; }
    const Coder::Probe& probe() const { return probe_; }

    /// About the nanoseconds that one visit takes.
    static double cost(std::uint32_t dimensions);

private:
    bool begin(Take take);
    void descend();
    void expand(std::uint32_t node, Accepts accepts);
    std::size_t measure(std::span<const std::uint32_t> nodes);
    void list_candidates(Accepts accepts);
    void offer(const NodeDistance& one, Accepts accepts);
    void widen();
    void shorten();
    bool is_settled(const NodeDistance& next);
    bool visit(std::uint32_t node) {
        std::uint64_t& word = visited_[node / 64];
        const std::uint64_t bit = std::uint64_t{1} << (node % 64);
        if ((word & bit) != 0) return false;
        word |= bit;
        return true;
    }

    const std::shared_ptr<const Graph> graph_;
    const Coder::Probe probe_;
    const double visit_cost_;
    const std::uint64_t visits_max_;
    const std::uint32_t wanted_;
    const std::uint32_t spare_;  ///< So many more than the wanted need are kept anyway.
    const float reach_squared_;
    std::uint32_t patience_;
    std::uint32_t in_vain_ = 0;  ///< Nodes in a row behind the wanted that led to none of them.
    NodeDistance settled_;       ///< The last of the wanted before them.
    NodeDistance farthest_ = NodeDistance::farthest();  ///< That is listed or gone on from.
    std::uint64_t visits_ = 0;
    bool begun_ = false;
    std::vector<std::uint64_t> visited_;    ///< A bit a node.
    std::vector<NodeDistance> candidates_;  ///< A heap, the nearest first.
    Nearest results_;
    bool width_is_known_ = false;
    std::vector<NodeDistance> refused_;  ///< Until it is.
    std::uint32_t nodes_[Graph::kLinksBase] = {};
    float distances_[Graph::kLinksBase] = {};
};

/// Compares what a list names, by codes alone.
class CodeScan {
public:
    /// @param most  How many of the nearest are kept.
    CodeScan(std::shared_ptr<const Graph> graph, const Probe& probe, std::uint32_t most);
    /// @param slots  Of nodes of the graph; others are passed over.
    void offer(std::span<const std::uint32_t> slots);
    std::vector<NodeDistance> results() { return results_.take(); }
    const Coder::Probe& probe() const { return probe_; }

    /// About the nanoseconds that one comparison takes. @param share  Of all that is on the list:
    /// the more lies between two rows, the less a processor reads ahead.
    static double cost(std::uint32_t dimensions, double share);

private:
    const std::shared_ptr<const Graph> graph_;
    const Coder::Probe probe_;
    Nearest results_;
};

}  // namespace tidal::vector
