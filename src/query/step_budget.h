// query/step_budget.h: how much of a query is done before the shard is given back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

namespace tidal::query {

/// Counted in estimated nanoseconds rather than by a clock, so that a query has the same steps
/// wherever it runs. A clock may cut a step short where an estimate is wrong, as of pairs that lie
/// on disk.
class StepBudget {
public:
    /// A quarter of a millisecond.
    static constexpr std::uint64_t kNanoseconds = 250'000;

    /// Small pieces are granted unasked until they come to so much.
    static constexpr std::uint64_t kUnaskedNanoseconds = 5'000;

    /// @param late  Asked before a piece of work but the first; null = never late.
    explicit StepBudget(std::uint64_t nanoseconds = kNanoseconds,
                        std::function<bool()> late = nullptr)
        : left_(nanoseconds), late_(std::move(late)) {}

    /// Takes the cost of the next piece of work; false = it belongs to the next step. The first
    /// piece is always granted, so that every step goes on.
    bool take(double nanoseconds) {
        const auto cost = static_cast<std::uint64_t>(nanoseconds);
        if (std::exchange(begun_, true) && (cost > left_ || is_late(cost))) return false;
        left_ -= std::min(left_, cost);
        return true;
    }

private:
    bool is_late(std::uint64_t cost) {
        unasked_ += cost;
        if (unasked_ < kUnaskedNanoseconds || !late_) return false;
        unasked_ = 0;
        return late_();
    }

    std::uint64_t left_;
    std::uint64_t unasked_ = 0;
    std::function<bool()> late_;
    bool begun_ = false;
};

}  // namespace tidal::query
