#include "ranking/internal/moving_value.h"

#include <algorithm>

#include "ranking/internal/score_math.h"

namespace tidal::ranking {
namespace {

using namespace score_math;

MovingValue unknown(bool moves) {
    return {.may_rise = moves, .may_fall = moves};
}

/// A function that never falls as its argument rises.
MovingValue rising(const MovingValue& a, double (*f)(double)) {
    return {f(a.low), f(a.high), a.may_rise, a.may_fall};
}

MovingValue negated(const MovingValue& a) {
    return {-a.high, -a.low, a.may_fall, a.may_rise};
}

MovingValue add_values(const MovingValue& a, const MovingValue& b) {
    return {add(a.low, b.low), add(a.high, b.high), a.may_rise || b.may_rise,
            a.may_fall || b.may_fall};
}

/// a'b' - ab = a'(b' - b) + b(a' - a), for any two moments: each side's move counts with the sign
/// of the other.
MovingValue multiply_values(const MovingValue& a, const MovingValue& b) {
    const double corners[] = {multiply(a.low, b.low), multiply(a.low, b.high),
                              multiply(a.high, b.low), multiply(a.high, b.high)};
    MovingValue out{*std::ranges::min_element(corners), *std::ranges::max_element(corners)};
    const auto moved_by = [&](const MovingValue& moving, const MovingValue& factor) {
        const bool up = factor.high > 0, down = factor.low < 0;
        out.may_rise |= (moving.may_rise && up) || (moving.may_fall && down);
        out.may_fall |= (moving.may_fall && up) || (moving.may_rise && down);
    };
    moved_by(a, b);
    moved_by(b, a);
    return out;
}

MovingValue divide_values(const MovingValue& a, const MovingValue& b) {
    if (b.low > 0 || b.high < 0) {
        const MovingValue inverse{divide(1, b.high), divide(1, b.low), b.may_fall, b.may_rise};
        return multiply_values(a, inverse);
    }
    // x / 0 is 0, so a divisor that passes 0 jumps; one that stands still has one sign or is 0.
    if (b.moves()) return unknown(true);
    MovingValue out;
    const bool up = b.high > 0, down = b.low < 0;
    out.may_rise = (a.may_rise && up) || (a.may_fall && down);
    out.may_fall = (a.may_fall && up) || (a.may_rise && down);
    if (a.low >= 0 && b.low >= 0) out.low = 0;
    return out;
}

MovingValue power_values(const MovingValue& a, const MovingValue& b) {
    if (!a.moves() && !b.moves()) return unknown(false);
    if (a.is_constant() && a.low > 0) {  // 2^x
        MovingValue out{power(a.low, b.low), power(a.low, b.high), b.may_rise, b.may_fall};
        return a.low >= 1 ? out : MovingValue{out.high, out.low, b.may_fall, b.may_rise};
    }
    if (b.is_constant() && b.low >= 0 && a.low >= 0)  // x^2; 0^0 is 1, as for every x.
        return {power(a.low, b.low), power(a.high, b.low), a.may_rise, a.may_fall};
    if (b.is_constant() && b.low < 0 && a.low > 0)
        return {power(a.high, b.low), power(a.low, b.low), a.may_fall, a.may_rise};
    return unknown(true);
}

/// 1 where a < b.
MovingValue less_values(const MovingValue& a, const MovingValue& b) {
    return {0, 1, a.may_fall || b.may_rise, a.may_rise || b.may_fall};
}

MovingValue absolute_value(const MovingValue& a) {
    if (a.low >= 0) return a;
    if (a.high <= 0) return negated(a);
    MovingValue out = unknown(a.moves());
    out.low = 0;
    return out;
}

MovingValue select_values(const MovingValue& condition, const MovingValue& yes,
                          const MovingValue& no) {
    MovingValue out{std::min(yes.low, no.low), std::max(yes.high, no.high),
                    yes.may_rise || no.may_rise, yes.may_fall || no.may_fall};
    if (!condition.moves()) return out;
    // A condition >= 0 that only falls goes from `yes` to `no` once; one that only rises, back.
    const bool to_no = condition.may_fall || condition.low < 0;
    const bool to_yes = condition.may_rise || condition.low < 0;
    if (to_no) {
        out.may_rise |= no.high > yes.low;
        out.may_fall |= no.low < yes.high;
    }
    if (to_yes) {
        out.may_rise |= yes.high > no.low;
        out.may_fall |= yes.low < no.high;
    }
    return out;
}

MovingValue ordered(double (*f)(double, double), const MovingValue& a, const MovingValue& b) {
    return {f(a.low, b.low), f(a.high, b.high), a.may_rise || b.may_rise, a.may_fall || b.may_fall};
}

}  // namespace

MovingValue move_through(Op op, const MovingValue& a, const MovingValue& b, const MovingValue& c) {
    switch (op) {
        case Op::kNegate:
            return negated(a);
        case Op::kLog:
            return rising(a, natural_log);
        case Op::kLog10:
            return rising(a, decimal_log);
        case Op::kLog1p:
            return rising(a, log_plus_one);
        case Op::kExp:
            return rising(a, exponential);
        case Op::kSqrt:
            return rising(a, square_root);
        case Op::kSign:
            return rising(a, sign);
        case Op::kSigmoid:
            return rising(a, sigmoid);
        case Op::kAbs:
            return absolute_value(a);
        case Op::kAdd:
            return add_values(a, b);
        case Op::kSubtract:
            return add_values(a, negated(b));
        case Op::kMultiply:
            return multiply_values(a, b);
        case Op::kDivide:
            return divide_values(a, b);
        case Op::kPower:
            return power_values(a, b);
        case Op::kLess:
        case Op::kLessEqual:
            return less_values(a, b);
        case Op::kEqual:
        case Op::kNotEqual:
            return {0, 1, a.moves() || b.moves(), a.moves() || b.moves()};
        case Op::kMin:
            return ordered(minimum, a, b);
        case Op::kMax:
            return ordered(maximum, a, b);
        case Op::kWilson:
            return {0, 1, a.moves() || b.moves(), a.moves() || b.moves()};
        case Op::kIf:
            return select_values(a, b, c);
        default:
            return unknown(true);
    }
}

}  // namespace tidal::ranking
