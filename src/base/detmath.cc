#include "base/detmath.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/internal/detmath_tables.h"

// Accurac and bits rest on exact intermediate results: a compiler that fuses breaks both.
#ifdef __FAST_MATH__
#error "base/detmath.cc must not be compiled with -ffast-math"
#endif

namespace tidal::detmath {
namespace {

using internal::kExp2Table;
using internal::kLog2Table;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// An unevaluated sum: high = the double nearest to high + low.
struct Sum {
    double high;
    double low;
};

constexpr Sum kLog2E = {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56};
constexpr Sum kLn2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};
constexpr Sum kLog10Of2 = {0x1.34413509f79ffp-2, -0x1.9dc1da994fd21p-59};

// a + b exactly; |a| >= |b| or a == 0 (Dekker).
Sum fast_two_sum(double a, double b) {
    const double sum = a + b;
    return {sum, b - (sum - a)};
}

// a + b exactly (Knuth).
Sum two_sum(double a, double b) {
    const double sum = a + b;
    const double b_part = sum - a;
    return {sum, (a - (sum - b_part)) + (b - b_part)};
}

// The upper 26 bits of x, so that products of halves are exact (Veltkamp). |x| < 2^990.
double upper_half(double x) {
    const double scaled = x * 0x1.0000002p27;
    return scaled - (scaled - x);
}

// a * b exactly, barring underflow of the low part (Dekker).
Sum two_product(double a, double b) {
    const double product = a * b;
    const double a_high = upper_half(a);
    const double a_low = a - a_high;
    const double b_high = upper_half(b);
    const double b_low = b - b_high;
    const double low =
        ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    return {product, low};
}

Sum multiply(Sum a, Sum b) {
    const Sum product = two_product(a.high, b.high);
    return fast_two_sum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

// 2^(high + low) for -1100 < high < 1100 and |low| below an ulp of high.
//
// high = k + i/128 + r with |r| <= 2^-8, so the result is 2^k * table[i] * 2^r. The polynomial is
// Taylor's of 2^r - 1, coefficients ln(2)^n/n!; the first term left out is below 2^-60.
inline double exp2_of_sum(double high, double low) {
    constexpr double kRoundToInteger = 0x1.8p52;
    const double cells = (high * 128.0 + kRoundToInteger) - kRoundToInteger;
    const auto cell = static_cast<std::int64_t>(cells);
    const double r = (high - cells * 0x1p-7) + low;

    const auto& entry = kExp2Table[static_cast<std::size_t>(cell & 127)];
    const double r2 = r * r;
    const double upper =
        0x1.c6b08d704a0cp-5 + r * 0x1.3b2ab6fba4e77p-7 + r2 * 0x1.5d87fe78a6731p-10;
    const double p =
        (entry.tail + r * 0x1.62e42fefa39efp-1) + r2 * (0x1.ebfbdff82c58fp-3 + r * upper);

    const std::int64_t k = cell >> 7;
    const auto bits = std::bit_cast<std::uint64_t>(entry.value);
    if (k >= -960 && k <= 1023) [[likely]] {
        const double scale = std::bit_cast<double>(bits + (static_cast<std::uint64_t>(k) << 52));
        return scale + scale * p;
    }
    // Near overflow, and where scale * p would lose bits, the power of two is applied last.
    const std::int64_t bias = k > 0 ? 1022 : -1022;
    const double scale = std::bit_cast<double>(bits + (static_cast<std::uint64_t>(k - bias) << 52));
    return (scale + scale * p) * (k > 0 ? 0x1p1022 : 0x1p-1022);
}

// log2(x) within 2^-66 of its value, x positive, finite and normal after `exponent` was taken out.
//
// x = 2^k * z with z in [0.6875, 1.375), cut into 128 cells by its leading bits. z * inverse = 1 +
// r with |r| < 2^-7, exactly, because `inverse` has 10 bits and z is split in two. Then log2(x) = k
// + log2(1 / inverse) + log1p(r) / ln(2), with Taylor's series of log1p to r^11. Beside 1,
// `inverse` is 1 and k is 0, so nothing cancels.
Sum log2_of_positive(double x) {
    constexpr std::uint64_t kCellsBegin = 0x3fe6000000000000U;
    std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
    std::int64_t subnormal_shift = 0;
    if (bits < 0x0010000000000000U) {
        bits = std::bit_cast<std::uint64_t>(x * 0x1p52);
        subnormal_shift = 52;
    }
    const std::uint64_t from_begin = bits - kCellsBegin;
    const auto& entry = kLog2Table[(from_begin >> 45) & 127];
    const std::int64_t k = (static_cast<std::int64_t>(from_begin) >> 52) - subnormal_shift;
    const std::uint64_t z_bits = bits - (from_begin & 0xfff0000000000000U);
    const double z = std::bit_cast<double>(z_bits);
    const double z_upper = std::bit_cast<double>(z_bits & 0xfffffffff8000000U);

    const Sum r = two_sum(z_upper * entry.inverse - 1.0, (z - z_upper) * entry.inverse);
    const double h = r.high;
    // log1p(r) = r - r^2/2 + r^3 * tail, the first two terms in double-double.
    const Sum square = two_product(h, h);
    const double h2 = square.high;
    const double h4 = h2 * h2;
    const double tail =
        ((1.0 / 3 - h * (1.0 / 4)) + h2 * (1.0 / 5 - h * (1.0 / 6))) +
        h4 * (((1.0 / 7 - h * (1.0 / 8)) + h2 * (1.0 / 9 - h * (1.0 / 10))) + h4 * (1.0 / 11));
    const Sum head = two_sum(h, -0.5 * square.high);
    const double rest = head.low + (r.low - 0.5 * square.low - h * r.low) + h * square.high * tail;
    const Sum log1p_r = fast_two_sum(head.high, rest);

    const Sum scaled = multiply(log1p_r, kLog2E);
    const Sum whole = fast_two_sum(static_cast<double>(k), entry.high);
    const Sum sum = two_sum(whole.high, scaled.high);
    return fast_two_sum(sum.high, sum.low + (whole.low + entry.low + scaled.low));
}

// What a logarithm of any base answers outside the positive finite numbers; `ok` when inside.
struct LogDomain {
    bool ok;
    double answer;
};

LogDomain log_domain(double x) {
    if (x > 0 && x < kInfinity) [[likely]]
        return {true, 0};
    if (x == 0) return {false, -kInfinity};
    return {false, x == kInfinity ? kInfinity : kNan};
}

bool is_odd_integer(double y) {
    if (std::fabs(y) >= 0x1p53 || y != std::trunc(y)) return false;
    return (static_cast<std::int64_t>(y) & 1) != 0;
}

// pow where x or y is 0, 1, infinite or NaN, or x is negative and y no integer: C99 F.9.4.4.
double pow_special(double x, double y) {
    if (y == 0 || x == 1) return 1;
    if (std::isnan(x) || std::isnan(y)) return kNan;
    const double size = std::fabs(x);
    if (std::isinf(y)) {
        if (size == 1) return 1;
        return (size > 1) == (y > 0) ? kInfinity : 0;
    }
    if (size == 0 || std::isinf(x)) {
        const double answer = (size == 0) == (y > 0) ? 0 : kInfinity;
        return is_odd_integer(y) ? std::copysign(answer, x) : answer;
    }
    return kNan;
}

}  // namespace

double exp2(double x) {
    if (std::fabs(x) < 1080) [[likely]]
        return exp2_of_sum(x, 0);
    if (std::isnan(x)) return kNan;
    return x > 0 ? kInfinity : 0;
}

double exp(double x) {
    if (std::fabs(x) < 750) [[likely]] {
        const Sum product = two_product(x, kLog2E.high);
        return exp2_of_sum(product.high, product.low + x * kLog2E.low);
    }
    if (std::isnan(x)) return kNan;
    return x > 0 ? kInfinity : 0;
}

double log2(double x) {
    const LogDomain domain = log_domain(x);
    return domain.ok ? log2_of_positive(x).high : domain.answer;
}

double log(double x) {
    const LogDomain domain = log_domain(x);
    return domain.ok ? multiply(log2_of_positive(x), kLn2).high : domain.answer;
}

double log10(double x) {
    const LogDomain domain = log_domain(x);
    return domain.ok ? multiply(log2_of_positive(x), kLog10Of2).high : domain.answer;
}

double log1p(double x) {
    if (std::fabs(x) < 0x1p-53) return x;  // also -0
    const Sum shifted = two_sum(1.0, x);
    const LogDomain domain = log_domain(shifted.high);
    if (!domain.ok) return domain.answer;
    // log(high + low) = log(high) + low/high + ..., and low is below an ulp of high.
    const Sum whole = multiply(log2_of_positive(shifted.high), kLn2);
    return whole.high + (whole.low + shifted.low / shifted.high);
}

double pow(double x, double y) {
    const double size = std::fabs(x);
    const bool plain = size > 0 && size < kInfinity && std::fabs(y) < kInfinity && y != 0 && x != 1;
    if (!plain || (x < 0 && y != std::trunc(y))) return pow_special(x, y);

    const double sign = x < 0 && is_odd_integer(y) ? -1.0 : 1.0;
    if (size == 1) return sign;
    const Sum logarithm = log2_of_positive(size);
    const double exponent = y * logarithm.high;
    if (std::fabs(exponent) >= 1080) return sign * (exponent > 0 ? kInfinity : 0);
    // |log2| > 2^-53 here, so |y| < 2^64 and its halves cannot overflow.
    const Sum product = two_product(logarithm.high, y);
    return sign * exp2_of_sum(product.high, product.low + logarithm.low * y);
}

}  // namespace tidal::detmath
