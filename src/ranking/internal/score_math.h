// ranking/internal/score_math.h: the domain rules of score arithmetic, one function per operator.
//
// Invariant: given finite arguments of magnitude <= 1e300, every function returns one. x / 0, NaN
// and anything outside a function's domain give 0; overflow saturates at +-1e300.
#pragma once

#include <algorithm>
#include <cmath>

#include "ranking/expression.h"
#include "ranking/internal/log1p.h"

namespace tidal::ranking::score_math {

/// The least argument of a logarithm.
inline constexpr double kLogFloor = 1e-9;
/// Two-sided 95 % quantile of the normal distribution.
inline constexpr double kZ95 = 1.959963984540054;

inline double saturate(double x) {
    return std::min(std::max(x, -kMagnitudeMax), kMagnitudeMax);
}
/// Also for NaN and infinities from outside.
inline double sanitize(double x) {
    return x == x ? saturate(x) : 0.0;
}

inline double negate(double a) {
    return -a;
}
inline double add(double a, double b) {
    return saturate(a + b);
}
inline double subtract(double a, double b) {
    return saturate(a - b);
}
inline double multiply(double a, double b) {
    return saturate(a * b);
}
inline double divide(double a, double b) {
    const double quotient = a / (b == 0 ? 1.0 : b);
    return b == 0 ? 0.0 : saturate(quotient);
}
inline double power(double a, double b) {
    if (a == 0 && b < 0) return 0;  // A pole, like x / 0.
    return sanitize(std::pow(a, b));
}
inline double less(double a, double b) {
    return a < b ? 1.0 : 0.0;
}
inline double less_equal(double a, double b) {
    return a <= b ? 1.0 : 0.0;
}
inline double equal(double a, double b) {
    return a == b ? 1.0 : 0.0;
}
inline double not_equal(double a, double b) {
    return a != b ? 1.0 : 0.0;
}
inline double minimum(double a, double b) {
    return a < b ? a : b;
}
inline double maximum(double a, double b) {
    return a > b ? a : b;
}
inline double select(double condition, double yes, double no) {
    return condition != 0 ? yes : no;
}
inline double natural_log(double a) {
    return std::log(std::max(a, kLogFloor));
}
inline double decimal_log(double a) {
    return std::log10(std::max(a, kLogFloor));
}
inline double log_plus_one(double a) {
    return log1p::of(std::max(a, kLogFloor - 1));
}
inline double exponential(double a) {
    return saturate(std::exp(a));
}
inline double square_root(double a) {
    return a < 0 ? 0.0 : std::sqrt(a);
}
inline double absolute(double a) {
    return std::fabs(a);
}
inline double sign(double a) {
    return a > 0 ? 1.0 : a < 0 ? -1.0 : 0.0;
}
inline double sigmoid(double a) {
    return 1 / (1 + std::exp(-a));
}

/// Lower bound of the Wilson score interval at 95 % for `positives` of `trials`; 0 without trials.
/// Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
inline double wilson(double positives, double trials) {
    if (trials <= 0) return 0;
    const double p = std::min(std::max(positives / trials, 0.0), 1.0);
    const double z2 = kZ95 * kZ95;
    const double spread = kZ95 * std::sqrt((p * (1 - p) + z2 / (4 * trials)) / trials);
    const double bound = (p + z2 / (2 * trials) - spread) / (1 + z2 / trials);
    return bound > 0 ? saturate(bound) : 0.0;  // Rounding may fall below 0 when p is 0.
}

}  // namespace tidal::ranking::score_math
