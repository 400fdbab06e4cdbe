// vector/nearest.h: the nearest of what a search by codes meets.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace tidal::vector {

/// A node and how far it is, as one number that orders by both: heaps compare one word.
class NodeDistance {
public:
    NodeDistance() = default;
    NodeDistance(float distance, std::uint32_t node)
        : bits_((std::uint64_t{ordered(distance)} << 32) | node) {}
    std::uint32_t node() const { return static_cast<std::uint32_t>(bits_); }
    float distance() const {
        const auto bits = static_cast<std::uint32_t>(bits_ >> 32);
        return std::bit_cast<float>((bits & 0x80000000U) != 0 ? bits ^ 0x80000000U : ~bits);
    }
    auto operator<=>(const NodeDistance&) const = default;
    /// None is farther.
    static NodeDistance farthest() { return {std::numeric_limits<float>::quiet_NaN(), UINT32_MAX}; }

private:
    /// Rises with the number; NaN is farther than all, of whatever sign: which one a sum has
    /// depends on the processor.
    static std::uint32_t ordered(float value) {
        if (std::isnan(value)) return UINT32_MAX;
        const auto bits = std::bit_cast<std::uint32_t>(value);
        return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    }
    std::uint64_t bits_ = 0;
};

/// The nearest `most` of a stream. A few hundred are kept in order, into which one is put faster
/// than into a heap, whose comparisons no processor foresees; more are a heap.
class Nearest {
public:
    explicit Nearest(std::uint32_t most) : most_(most) { kept_.reserve(most); }

    /// Whether at() knows.
    bool in_order() const { return most_ <= kInOrderMax; }
    bool full() const { return kept_.size() >= most_; }
    std::size_t size() const { return kept_.size(); }
    /// Of those kept, the one that `before` are nearer than; nullptr = there is none, or it is not
    /// known, as of more than a few hundred.
    const NodeDistance* at(std::size_t before) const {
        return in_order() && before < kept_.size() ? &kept_[before] : nullptr;
    }
    /// The same, whatever is known. Precondition: before < size().
    NodeDistance find(std::size_t before) const {
        if (in_order()) return kept_[before];
        std::vector<NodeDistance> all = kept_;
        const auto found = all.begin() + static_cast<std::ptrdiff_t>(before);
        std::ranges::nth_element(all, found);
        return *found;
    }
    /// The farthest kept. Precondition: size() > 0.
    const NodeDistance& last() const { return in_order() ? kept_.back() : kept_.front(); }
    bool admits(const NodeDistance& one) const { return !full() || one < last(); }
    void offer(const NodeDistance& one) {
        if (!admits(one)) return;
        if (in_order()) {
            if (full()) kept_.pop_back();
            kept_.insert(kept_.begin() + behind(one), one);
        } else if (!full()) {
            kept_.push_back(one);
            std::ranges::push_heap(kept_);
        } else {
            std::ranges::pop_heap(kept_);
            kept_.back() = one;
            std::ranges::push_heap(kept_);
        }
    }
    /// Keeps so many more from now on.
    void widen(std::uint32_t by) {
        const bool was_in_order = in_order();
        most_ += by;
        kept_.reserve(most_);
        if (was_in_order && !in_order()) std::ranges::make_heap(kept_);
    }
    /// Nearest first; leaves it empty.
    std::vector<NodeDistance> take() {
        if (!in_order()) std::ranges::sort_heap(kept_);
        return std::move(kept_);
    }

private:
    /// How many kept are not farther. Without branches, which no processor would foresee.
    std::ptrdiff_t behind(const NodeDistance& one) const {
        const NodeDistance* at = kept_.data();
        for (std::size_t left = kept_.size(); left > 0;) {
            const std::size_t half = (left + 1) / 2;
            at += at[half - 1] <= one ? half : 0;
            left -= half;
        }
        return at - kept_.data();
    }

    static constexpr std::uint32_t kInOrderMax = 512;

    std::uint32_t most_;
    std::vector<NodeDistance> kept_;
};

}  // namespace tidal::vector
