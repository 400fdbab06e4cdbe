// Links are hnswlib's (docs/decisions/0039-graphs-by-hnswlib.md); it is in no other file.
#include "vector/graph_build.h"

// Distances are ours. Those of its headers are no inline functions, and its templates depend on
// what the compiler may use: a program that has hnswlib itself keeps its own.
#define NO_MANUAL_VECTORIZATION
#define hnswlib tidal_hnswlib
#include <hnswlib/hnswlib.h>
#undef hnswlib
namespace hnswlib = tidal_hnswlib;

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <exception>

#include "vector/probe.h"

namespace tidal::vector {
namespace {

constexpr std::size_t kConstructionEf = 200;
constexpr std::size_t kSampleMax = 512;  // of which the mean is taken

/// Rows of a Coder, each with one component more behind it, as hnswlib asks for them.
class CodeSpace final : public hnswlib::SpaceInterface<float> {
public:
    explicit CodeSpace(const Coder& coder) : coder_(coder) {}
    std::size_t get_data_size() override { return coder_.row_bytes() + sizeof(float); }
    hnswlib::DISTFUNC<float> get_dist_func() override {
        return [](const void* a, const void* b, const void* given) {
            const auto& coder = *static_cast<const Coder*>(given);
            const auto* const left = static_cast<const std::byte*>(a);
            const auto* const right = static_cast<const std::byte*>(b);
            return coder.between(left, right) - added(left, coder) * added(right, coder);
        };
    }
    void* get_dist_func_param() override { return const_cast<Coder*>(&coder_); }

private:
    static float added(const std::byte* row, const Coder& coder) {
        float out = 0;
        std::memcpy(&out, row + coder.row_bytes(), sizeof(out));
        return out;
    }

    const Coder& coder_;
};

}  // namespace

class GraphBuild::Linker {
public:
    Linker(const Graph& graph, std::vector<float> squares)
        : graph_(graph),
          added_(std::move(squares)),
          row_(graph.coder().row_bytes() + sizeof(float)),
          space_(graph.coder()),
          index_(&space_, graph.size(), Graph::kLinks, kConstructionEf) {
        const float largest = added_.empty() ? 0 : std::ranges::max(added_);
        for (float& square : added_) square = std::sqrt(largest - square);
    }

    std::uint32_t linked() const { return linked_; }
    void link_next() {
        const float added = added_.empty() ? 0 : added_[linked_];
        std::memcpy(row_.data(), graph_.row(linked_), graph_.coder().row_bytes());
        std::memcpy(row_.data() + graph_.coder().row_bytes(), &added, sizeof(added));
        index_.addPoint(row_.data(), linked_);
        ++linked_;
    }
    auto& index() { return index_; }

private:
    const Graph& graph_;
    /// Of dot products, whose nearest are no neighbours of each other: the component that makes all
    /// of one length, so that they are (Bachrach et al. 2014, doi:10.1145/2645710.2645741). A
    /// probe's is 0.
    std::vector<float> added_;
    std::vector<std::byte> row_;
    CodeSpace space_;
    hnswlib::HierarchicalNSW<float> index_;
    std::uint32_t linked_ = 0;
};

GraphBuild::GraphBuild(const FlatVectors& vectors, const Roaring& slots) {
    wanted_.resize(slots.cardinality());
    slots.toUint32Array(wanted_.data());
    sample(vectors);
}
GraphBuild::~GraphBuild() = default;

/// Evenly spread ones are enough: it has only to be near the middle.
void GraphBuild::sample(const FlatVectors& vectors) {
    const schema::EmbeddingSpec& spec = vectors.spec();
    std::vector<double> sums(spec.dimensions);
    const std::size_t step = std::max<std::size_t>(1, wanted_.size() / kSampleMax);
    std::size_t count = 0;
    for (std::size_t at = 0; at < wanted_.size(); at += step) {
        if (!vectors.has(Slot(wanted_[at]))) continue;
        std::vector<float> values = vectors.values(Slot(wanted_[at]));
        if (spec.metric == schema::Metric::kCosine) values = comparable(spec.metric, values);
        if (values.empty()) continue;
        for (std::size_t d = 0; d < sums.size(); ++d) sums[d] += static_cast<double>(values[d]);
        ++count;
    }
    std::vector<float> mean(spec.dimensions);
    for (std::size_t d = 0; d < sums.size() && count > 0; ++d)
        mean[d] = static_cast<float>(sums[d] / static_cast<double>(count));
    graph_ = std::make_shared<Graph>(Coder(spec, std::move(mean)));
    graph_->slots_.reserve(wanted_.size());
    graph_->rows_.reserve(wanted_.size() * graph_->coder().row_bytes());
}

bool GraphBuild::copy(const FlatVectors& vectors, std::size_t most) {
    const std::size_t end = std::min(copied_ + most, wanted_.size());
    for (; copied_ < end; ++copied_) {
        const Slot slot(wanted_[copied_]);
        if (!vectors.has(slot)) continue;
        graph_->slots_.push_back(slot.value());
        graph_->rows_.resize(graph_->slots_.size() * graph_->coder().row_bytes());
        const std::vector<float> values = vectors.values(slot);
        if (vectors.spec().metric == schema::Metric::kDot) {
            const double norm = norm_of(values);
            squares_.push_back(static_cast<float>(norm * norm));
        }
        graph_->coder().encode(values,
                               &graph_->rows_[graph_->rows_.size() - graph_->coder().row_bytes()]);
    }
    return copied_ == wanted_.size();
}

Result<bool> GraphBuild::link(std::size_t most) {
    assert(copied_ == wanted_.size());
    if (graph_->size() == 0) return true;
    try {
        if (!linker_) linker_ = std::make_unique<Linker>(*graph_, std::move(squares_));
        const auto end = std::min<std::size_t>(linker_->linked() + most, graph_->size());
        while (linker_->linked() < end) linker_->link_next();
    } catch (const std::exception& error) {
        return Error(ErrorCode::kInternal, "a graph of vectors could not be linked")
            .with("why", error.what());
    }
    if (linker_->linked() < graph_->size()) return false;
    lay_out();
    linker_.reset();
    return true;
}

void GraphBuild::lay_out() {
    auto& index = linker_->index();
    Graph& graph = *graph_;
    graph.members_ = Roaring(graph.slots_.size(), graph.slots_.data());
    graph.entry_ = index.enterpoint_node_;
    graph.layers_ = static_cast<std::uint32_t>(index.maxlevel_);
    graph.base_links_.assign(std::size_t{graph.size()} * Graph::kLinksBase, Graph::kNone);
    graph.nodes_.assign(graph.slots_.back() + std::size_t{1}, Graph::kNone);
    const auto copy_links = [&](auto* list, std::uint32_t* to) {
        const std::size_t count = index.getListCount(list);
        std::copy_n(list + 1, count, to);
    };
    for (std::uint32_t node = 0; node < graph.size(); ++node) {
        graph.nodes_[graph.slots_[node]] = node;
        copy_links(index.get_linklist0(node),
                   &graph.base_links_[std::size_t{node} * Graph::kLinksBase]);
        const auto layers = static_cast<std::size_t>(index.element_levels_[node]);
        if (layers == 0) continue;
        const std::size_t begin = graph.upper_links_.size();
        graph.upper_.emplace(node, begin);
        graph.upper_links_.resize(begin + layers * Graph::kLinks, Graph::kNone);
        for (std::size_t layer = 1; layer <= layers; ++layer)
            copy_links(index.get_linklist(node, static_cast<int>(layer)),
                       &graph.upper_links_[begin + (layer - 1) * Graph::kLinks]);
    }
}

std::shared_ptr<const Graph> GraphBuild::take() {
    return std::move(graph_);
}

std::size_t Graph::bytes() const {
    return rows_.capacity() +
           (slots_.capacity() + nodes_.capacity() + base_links_.capacity() +
            upper_links_.capacity()) *
               sizeof(std::uint32_t) +
           upper_.capacity() * (sizeof(std::uint32_t) + sizeof(std::size_t) + 1);
}

}  // namespace tidal::vector
