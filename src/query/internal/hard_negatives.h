// query/internal/hard_negatives.h: what the user of a request is never shown.
#pragma once

#include <cstdint>
#include <roaring/roaring.hh>

#include "query/feed.h"

namespace tidal::query {

/// Items the user hid, as of the moment it is asked: nothing is kept from one call to the next, so
/// that what is hidden while a run goes on is not shown by it. Without a user there are none.
/// Lifetime: borrows the plan.
class HardNegatives {
public:
    explicit HardNegatives(const FeedPlan& plan) : plan_(plan) {}

    /// All of them.
    Roaring all(const ranking::ShardView& view) const;
    void remove_from(const ranking::ShardView& view, Roaring* slots) const;
    /// About the nanoseconds that remove_from() takes beside looks at slots.
    double cost() const { return plan_.user ? 500 : 0; }

private:
    const FeedPlan& plan_;
};

}  // namespace tidal::query
