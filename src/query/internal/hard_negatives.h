// query/internal/hard_negatives.h: what the user of a request is never shown.
#pragma once

#include <algorithm>
#include <cstdint>
#include <roaring/roaring.hh>

#include "query/feed.h"

namespace tidal::query {

/// Items the user hid and items of creators the user blocks. Of items as of the moment it is asked:
/// nothing is kept from one call to the next, so that what is hidden, made or given another creator
/// while a run goes on is not shown by it. Without a user there are none.
/// Lifetime: borrows the plan.
class HardNegatives {
public:
    explicit HardNegatives(const FeedPlan& plan) : plan_(plan) {}

    /// All of them.
    Roaring all(const ranking::ShardView& view) const;
    void remove_from(const ranking::ShardView& view, Roaring* slots) const;
    /// Items the user hid; nullptr = none. Valid until the next change of the shard.
    const Roaring* hidden(const ranking::ShardView& view) const;
    /// Those of creators the user blocks, asked one by one. Lifetime: until the next change of the
    /// shard.
    class Blocked {
    public:
        Blocked(const HardNegatives& negatives, const ranking::ShardView& view);
        bool refuse(Slot slot) const { return any_ && negatives_.is_blocked(view_, slot.value()); }

    private:
        const HardNegatives& negatives_;
        const ranking::ShardView& view_;
        bool any_ = false;
    };
    /// About the nanoseconds that remove_from() takes.
    double cost(std::uint64_t slots) const {
        constexpr double kLookCost = 100;
        if (!plan_.user) return 0;
        const std::uint64_t blocked = plan_.user->blocked.size();
        return 500 + kLookCost * static_cast<double>(std::min(blocked, slots));
    }

private:
    bool is_blocked(const ranking::ShardView& view, std::uint32_t slot) const;

    const FeedPlan& plan_;
};

}  // namespace tidal::query
