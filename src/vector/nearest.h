// vector/nearest.h: the nearest of what a search by codes meets.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace tidal::vector {

/// A node and how far it is, as one number that orders by both: heaps compare one word.
class NodeDistance {
public:
    NodeDistance() = default;
    NodeDistance(float distance, std::uint32_t node)
        : bits_((std::uint64_t{ordered(distance)} << 32) | node) {}
    std::uint32_t node() const { return static_cast<std::uint32_t>(bits_); }
    auto operator<=>(const NodeDistance&) const = default;

private:
    /// Rises with the number; NaN is farther than all.
    static std::uint32_t ordered(float value) {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    }
    std::uint64_t bits_ = 0;
};

/// The nearest `most` of a stream.
class Nearest {
public:
    explicit Nearest(std::uint32_t most) : most_(most) { heap_.reserve(most); }

    bool full() const { return heap_.size() >= most_; }
    std::size_t size() const { return heap_.size(); }
    /// The farthest kept. Precondition: size() > 0.
    const NodeDistance& last() const { return heap_.front(); }
    bool admits(const NodeDistance& one) const { return !full() || one < last(); }
    void offer(const NodeDistance& one) {
        if (!full()) {
            heap_.push_back(one);
            std::ranges::push_heap(heap_);
        } else if (one < last()) {
            std::ranges::pop_heap(heap_);
            heap_.back() = one;
            std::ranges::push_heap(heap_);
        }
    }
    /// Nearest first; leaves it empty.
    std::vector<NodeDistance> take() {
        std::ranges::sort_heap(heap_);
        return std::move(heap_);
    }

private:
    std::uint32_t most_;
    std::vector<NodeDistance> heap_;
};

}  // namespace tidal::vector
