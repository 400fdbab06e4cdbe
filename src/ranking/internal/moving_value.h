// ranking/internal/moving_value.h: an interval and the directions in which time moves a value.
#pragma once

#include "ranking/program.h"

namespace tidal::ranking {

struct MovingValue {
    double low = -kMagnitudeMax, high = kMagnitudeMax;
    bool may_rise = false, may_fall = false;

    bool moves() const { return may_rise || may_fall; }
    bool is_constant() const { return low == high; }
};

/// The value of one operator over its operands (those it does not have are ignored).
MovingValue move_through(Op op, const MovingValue& a, const MovingValue& b, const MovingValue& c);

}  // namespace tidal::ranking
