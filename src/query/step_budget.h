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

    /// @param late  Asked before each piece of work but the first; null = never late.
    explicit StepBudget(std::uint64_t nanoseconds = kNanoseconds,
                        std::function<bool()> late = nullptr)
        : left_(nanoseconds), late_(std::move(late)) {}

    /// Takes the cost of the next piece of work; false = it belongs to the next step. The first
    /// piece is always granted, so that every step goes on.
    bool take(double nanoseconds) {
        const auto cost = static_cast<std::uint64_t>(nanoseconds);
        if (std::exchange(begun_, true) && (cost > left_ || (late_ && late_()))) return false;
        left_ -= std::min(left_, cost);
        return true;
    }

private:
    std::uint64_t left_;
    std::function<bool()> late_;
    bool begun_ = false;
};

}  // namespace tidal::query
