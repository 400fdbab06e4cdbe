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
#include <new>

#include "base/huge_pages.h"
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

std::vector<std::uint32_t> slots_of(const Roaring& slots) {
    std::vector<std::uint32_t> out(slots.cardinality());
    slots.toUint32Array(out.data());
    return out;
}

/// A search reads here and there in all of it.
std::shared_ptr<char> zeros(std::size_t size) {
    struct alignas(64) Line {
        char bytes[64];
    };
    assert(size % sizeof(Line) == 0);
    auto lines = std::make_shared<HugeVector<Line>>(size / sizeof(Line));
    return {lines, reinterpret_cast<char*>(lines->data())};
}

}  // namespace

class GraphBuild::Linker {
public:
    Linker(const Coder& coder, std::size_t nodes, std::vector<float> squares)
        : coder_(coder),
          added_(std::move(squares)),
          row_(coder.row_bytes() + sizeof(float)),
          space_(coder),
          index_(&space_, nodes, Graph::kLinks, kConstructionEf) {
        const float largest = added_.empty() ? 0 : std::ranges::max(added_);
        for (float& square : added_) square = std::sqrt(largest - square);
    }

    std::uint32_t linked() const { return linked_; }
    /// @param row  Of the node numbered linked().
    void link_next(const std::byte* row) {
        const float added = added_.empty() ? 0 : added_[linked_];
        std::memcpy(row_.data(), row, coder_.row_bytes());
        std::memcpy(row_.data() + coder_.row_bytes(), &added, sizeof(added));
        index_.addPoint(row_.data(), linked_);
        ++linked_;
    }
    auto& index() { return index_; }

private:
    const Coder& coder_;
    /// Of dot products, whose nearest are no neighbours of each other: the component that makes all
    /// of one length, so that they are (Bachrach et al. 2014, doi:10.1145/2645710.2645741). A
    /// probe's is 0.
    std::vector<float> added_;
    std::vector<std::byte> row_;
    CodeSpace space_;
    hnswlib::HierarchicalNSW<float> index_;
    std::uint32_t linked_ = 0;
};

GraphBuild::GraphBuild(const FlatVectors& vectors, const Roaring& slots, std::uint64_t seed)
    : spec_(vectors.spec()),
      seed_(seed),
      wanted_(slots_of(slots)),
      mean_(sample(vectors)),
      coder_(spec_, mean_) {
    slots_.reserve(wanted_.size());
    hashes_.reserve(wanted_.size());
    rows_.reserve(wanted_.size() * coder_.row_bytes());
}
GraphBuild::~GraphBuild() = default;

/// Evenly spread ones are enough: it has only to be near the middle.
std::vector<float> GraphBuild::sample(const FlatVectors& vectors) const {
    std::vector<double> sums(spec_.dimensions);
    const std::size_t step = std::max<std::size_t>(1, wanted_.size() / kSampleMax);
    std::size_t count = 0;
    for (std::size_t at = 0; at < wanted_.size(); at += step) {
        if (!vectors.has(Slot(wanted_[at]))) continue;
        std::vector<float> values = vectors.values(Slot(wanted_[at]));
        if (spec_.metric == schema::Metric::kCosine) values = comparable(spec_.metric, values);
        if (values.empty()) continue;
        for (std::size_t d = 0; d < sums.size(); ++d) sums[d] += static_cast<double>(values[d]);
        ++count;
    }
    std::vector<float> mean(spec_.dimensions);
    for (std::size_t d = 0; d < sums.size() && count > 0; ++d)
        mean[d] = static_cast<float>(sums[d] / static_cast<double>(count));
    return mean;
}

bool GraphBuild::copy(const FlatVectors& vectors, std::size_t most) {
    const std::size_t end = std::min(copied_ + most, wanted_.size());
    for (; copied_ < end; ++copied_) {
        const Slot slot(wanted_[copied_]);
        if (!vectors.has(slot)) continue;
        slots_.push_back(slot.value());
        hashes_.push_back(vectors.hash(slot, seed_));
        rows_.resize(slots_.size() * coder_.row_bytes());
        const std::vector<float> values = vectors.values(slot);
        if (spec_.metric == schema::Metric::kDot) {
            const double norm = norm_of(values);
            squares_.push_back(static_cast<float>(norm * norm));
        }
        coder_.encode(values, &rows_[rows_.size() - coder_.row_bytes()]);
    }
    return copied_ == wanted_.size();
}

Result<bool> GraphBuild::link(std::size_t most) {
    assert(copied_ == wanted_.size());
    try {
        if (!linker_)
            linker_ = std::make_unique<Linker>(coder_, std::max<std::size_t>(slots_.size(), 1),
                                               std::move(squares_));
        const auto end = std::min<std::size_t>(linker_->linked() + most, slots_.size());
        while (linker_->linked() < end)
            linker_->link_next(&rows_[linker_->linked() * coder_.row_bytes()]);
        if (linker_->linked() < slots_.size()) return false;
        TIDAL_TRY(lay_out());
    } catch (const std::exception& error) {
        return Error(ErrorCode::kInternal, "a graph of vectors could not be linked")
            .with("why", error.what());
    }
    linker_.reset();
    return true;
}

GraphShape GraphBuild::shape() const {
    const auto& index = linker_->index();
    GraphShape out{.dimensions = spec_.dimensions,
                   .row_bytes = static_cast<std::uint32_t>(coder_.row_bytes()),
                   .nodes = static_cast<std::uint32_t>(slots_.size())};
    if (slots_.empty()) return out;
    out.entry = index.enterpoint_node_;
    out.layers = static_cast<std::uint32_t>(index.maxlevel_);
    for (std::size_t node = 0; node < slots_.size(); ++node) {
        out.upper_nodes += index.element_levels_[node] > 0 ? 1 : 0;
        out.upper_lists += static_cast<std::uint32_t>(index.element_levels_[node]);
    }
    return out;
}

Result<void> GraphBuild::lay_out() {
    Graph::Parts parts{.shape = shape(), .seed = seed_, .bytes = {}, .mapped = false};
    const GraphLayout layout(parts.shape);
    const std::shared_ptr<char> bytes = zeros(layout.bytes);
    const auto put = [&](std::size_t at, const auto& numbers) {
        if (!numbers.empty())
            std::memcpy(bytes.get() + at, numbers.data(), numbers.size() * sizeof(numbers[0]));
    };
    put(layout.mean, mean_);
    put(layout.slots, slots_);
    put(layout.hashes, hashes_);
    rows_ = {};  // hnswlib has them too
    lay_out_links(layout, bytes.get());
    parts.bytes = bytes;
    TIDAL_ASSIGN(built_.graph, Graph::open(spec_, std::move(parts), Graph::kNone));
    built_.slots = std::make_shared<SlotBits>(built_.graph->slots());
    return {};
}

/// And the rows, beside which hnswlib has its links.
void GraphBuild::lay_out_links(const GraphLayout& layout, char* to) const {
    auto& index = linker_->index();
    auto* const base = reinterpret_cast<std::uint32_t*>(to + layout.base_links);
    auto* uppers = reinterpret_cast<std::uint32_t*>(to + layout.upper_nodes);
    auto* ends = reinterpret_cast<std::uint32_t*>(to + layout.upper_ends);
    auto* list = reinterpret_cast<std::uint32_t*>(to + layout.upper_links);
    const auto put = [&](auto* links, std::uint32_t* at, std::size_t most) {
        const std::size_t count = index.getListCount(links);
        std::fill(std::copy_n(links + 1, count, at), at + most, Graph::kNone);
    };
    std::uint32_t lists = 0;
    for (std::uint32_t node = 0; node < slots_.size(); ++node) {
        std::memcpy(to + layout.rows + node * coder_.row_bytes(), index.getDataByInternalId(node),
                    coder_.row_bytes());
        put(index.get_linklist0(node), base + std::size_t{node} * Graph::kLinksBase,
            Graph::kLinksBase);
        const int layers = index.element_levels_[node];
        if (layers == 0) continue;
        for (int layer = 1; layer <= layers; ++layer, list += Graph::kLinks)
            put(index.get_linklist(node, layer), list, Graph::kLinks);
        *uppers++ = node;
        *ends++ = lists += static_cast<std::uint32_t>(layers);
    }
}

BuiltGraph GraphBuild::take() {
    return std::move(built_);
}

}  // namespace tidal::vector
