// query/internal/item_order.h: the one order of a page: by score, then by rising id.
#pragma once

#include "base/ids.h"

namespace tidal::query {

/// Ascending orders are descending ones of the negated score (exact), so that the rest of the code
/// knows only "greater key first".
class ItemOrder {
public:
    explicit ItemOrder(bool descending) : sign_(descending ? 1.0 : -1.0) {}
    double key(double score) const { return sign_ * score; }
    static bool before(double a_key, const EntityId& a, double b_key, const EntityId& b) {
        return a_key != b_key ? a_key > b_key : a < b;
    }

private:
    double sign_;
};

}  // namespace tidal::query
