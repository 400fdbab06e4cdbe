// Compiled once per target of Highway, chosen at run time: one binary for all machines.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ranking/block_math.cc"
#include <hwy/foreach_target.h>  // NOLINT: first, it includes this file again
#include <hwy/highway.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <type_traits>

#include "ranking/internal/block_math.h"
#include "ranking/internal/log1p.h"
#include "ranking/internal/score_math.h"

// Only g++ makes clones of functions for the values they are called with.
#if __has_attribute(noclone)
#define TIDAL_NOT_CLONED __attribute__((noclone))
#else
#define TIDAL_NOT_CLONED
#endif

HWY_BEFORE_NAMESPACE();
namespace tidal::ranking::block_math::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<double, kPadding>;
using V = hn::Vec<D>;

V set(double x) {
    return hn::Set(D(), x);
}

/// std::min and std::max of score_math, in which the first argument wins a tie.
V least(V a, V b) {
    return hn::IfThenElse(hn::Lt(b, a), b, a);
}
V greatest(V a, V b) {
    return hn::IfThenElse(hn::Lt(a, b), b, a);
}
/// Not of NaN, and never near a bound that is a zero: the fast forms have the same bits.
V saturate(V x) {
    return hn::Min(hn::Max(x, set(-kMagnitudeMax)), set(kMagnitudeMax));
}

struct Negate {
    V operator()(V a) const { return hn::Neg(a); }
};
struct Absolute {
    V operator()(V a) const { return hn::Abs(a); }
};
struct Sign {
    V operator()(V a) const {
        const V zero = set(0);
        const V negative = hn::IfThenElse(hn::Lt(a, zero), set(-1), zero);
        return hn::IfThenElse(hn::Gt(a, zero), set(1), negative);
    }
};
struct SquareRoot {
    V operator()(V a) const { return hn::IfThenElse(hn::Lt(a, set(0)), set(0), hn::Sqrt(a)); }
};
struct Add {
    V operator()(V a, V b) const { return saturate(hn::Add(a, b)); }
};
struct Subtract {
    V operator()(V a, V b) const { return saturate(hn::Sub(a, b)); }
};
struct Multiply {
    V operator()(V a, V b) const { return saturate(hn::Mul(a, b)); }
};
struct Divide {
    V operator()(V a, V b) const {
        const auto pole = hn::Eq(b, set(0));
        const V quotient = hn::Div(a, hn::IfThenElse(pole, set(1), b));
        return hn::IfThenElse(pole, set(0), saturate(quotient));
    }
};
struct Less {
    V operator()(V a, V b) const { return hn::IfThenElse(hn::Lt(a, b), set(1), set(0)); }
};
struct LessEqual {
    V operator()(V a, V b) const { return hn::IfThenElse(hn::Le(a, b), set(1), set(0)); }
};
struct Equal {
    V operator()(V a, V b) const { return hn::IfThenElse(hn::Eq(a, b), set(1), set(0)); }
};
struct NotEqual {
    V operator()(V a, V b) const { return hn::IfThenElse(hn::Eq(a, b), set(0), set(1)); }
};
struct Minimum {
    V operator()(V a, V b) const { return hn::IfThenElse(hn::Lt(a, b), a, b); }
};
struct Maximum {
    V operator()(V a, V b) const { return hn::IfThenElse(hn::Gt(a, b), a, b); }
};
struct Wilson {
    V operator()(V positives, V trials) const {
        const V zero = set(0), one = set(1), four = set(4), two = set(2);
        const V z2 = set(score_math::kZ95 * score_math::kZ95);
        const V p = least(greatest(hn::Div(positives, trials), zero), one);
        const V variance = hn::Add(hn::Mul(p, hn::Sub(one, p)), hn::Div(z2, hn::Mul(four, trials)));
        const V spread = hn::Mul(set(score_math::kZ95), hn::Sqrt(hn::Div(variance, trials)));
        const V middle = hn::Add(p, hn::Div(z2, hn::Mul(two, trials)));
        const V bound = hn::Div(hn::Sub(middle, spread), hn::Add(one, hn::Div(z2, trials)));
        const V low = hn::IfThenElse(hn::Gt(bound, zero), saturate(bound), zero);
        return hn::IfThenElse(hn::Le(trials, zero), zero, low);
    }
};

/// log1p::of, with both sides of each branch computed.
struct LogPlusOne {
    V operator()(V a) const {
        const D d;
        const hn::RebindToUnsigned<D> du;
        const V one = set(1), half = set(0.5), zero = set(0);
        const V x = greatest(a, set(score_math::kLogFloor - 1));
        const auto near = hn::And(hn::Gt(x, set(log1p::kNearMin)), hn::Lt(x, set(log1p::kNearMax)));
        const auto huge = hn::Ge(x, set(log1p::kHuge));

        const V u = hn::IfThenElse(huge, x, hn::Add(one, x));
        const auto bits = hn::BitCast(du, u);
        const auto exponent = hn::Or(hn::ShiftRight<52>(bits), hn::Set(du, log1p::kShifter));
        const V k_of_u = hn::Sub(hn::BitCast(d, exponent), set(log1p::kShifterAndBias));
        const V lost = hn::IfThenElse(hn::Gt(k_of_u, zero), hn::Sub(one, hn::Sub(u, x)),
                                      hn::Sub(x, hn::Sub(u, one)));
        const V correction = hn::IfThenZeroElse(hn::Or(near, huge), hn::Div(lost, u));
        const auto mantissa = hn::And(bits, hn::Set(du, log1p::kMantissa));
        const V m = hn::BitCast(d, hn::Or(mantissa, hn::Set(du, log1p::kOne)));
        const auto halved = hn::Ge(m, set(log1p::kHalved));
        const V k_far = hn::IfThenElse(halved, hn::Add(k_of_u, one), k_of_u);
        const V k = hn::IfThenZeroElse(near, k_far);
        const V f_far = hn::Sub(hn::IfThenElse(halved, hn::Mul(m, half), m), one);
        const V f = hn::IfThenElse(near, x, f_far);

        const V half_square = hn::Mul(hn::Mul(half, f), f);
        const V k_low = hn::Add(hn::Mul(k, set(log1p::kLn2Low)), correction);
        const V s = hn::Div(f, hn::Add(set(2), f));
        const V sum = hn::Add(hn::Mul(s, hn::Add(half_square, polynomial(hn::Mul(s, s)))), k_low);
        const auto flat = hn::And(hn::Ge(f, set(log1p::kFlatMin)), hn::Lt(f, set(log1p::kFlatMax)));
        const V third = hn::Mul(half_square, hn::Sub(one, hn::Mul(set(log1p::kTwoThirds), f)));
        const V inner = hn::IfThenElse(hn::AndNot(near, flat), hn::Sub(third, k_low),
                                       hn::Sub(half_square, sum));
        const V far = hn::Sub(hn::Mul(k, set(log1p::kLn2High)), hn::Sub(inner, f));
        return hn::IfThenElse(hn::Lt(hn::Abs(x), set(log1p::kTiny)),
                              hn::Sub(x, hn::Mul(hn::Mul(x, x), half)), far);
    }

private:
    static V polynomial(V z) {
        const V z2 = hn::Mul(z, z), z4 = hn::Mul(z2, z2), z6 = hn::Mul(z4, z2);
        const V r1 = hn::Mul(z, set(log1p::kP1));
        const V r2 = hn::Add(set(log1p::kP2), hn::Mul(z, set(log1p::kP3)));
        const V r3 = hn::Add(set(log1p::kP4), hn::Mul(z, set(log1p::kP5)));
        const V r4 = hn::Add(set(log1p::kP6), hn::Mul(z, set(log1p::kP7)));
        const V first = hn::Add(r1, hn::Mul(z2, r2));
        return hn::Add(hn::Add(first, hn::Mul(z4, r3)), hn::Mul(z6, r4));
    }
};

template <typename F>
void map1(F f, Operand a, double* HWY_RESTRICT out, std::size_t n) {
    const D d;
    for (std::size_t i = 0; i < n; i += hn::Lanes(d))
        hn::StoreU(f(hn::LoadU(d, a.values + i)), d, out + i);
}

/// An operand in a loop: a constant that stays in a vector, or numbers.
template <bool kUniform>
struct Reader {
    explicit Reader(Operand operand) : values(operand.values), first(set(*operand.values)) {}
    V at(std::size_t i) const { return kUniform ? first : hn::LoadU(D(), values + i); }
    const double* values;
    V first;
};

template <bool kUniformA, bool kUniformB, typename F>
void map2_of(F f, Operand a, Operand b, double* HWY_RESTRICT out, std::size_t n) {
    const D d;
    const Reader<kUniformA> left(a);
    const Reader<kUniformB> right(b);
    for (std::size_t i = 0; i < n; i += hn::Lanes(d))
        hn::StoreU(f(left.at(i), right.at(i)), d, out + i);
}

template <typename F>
void map2(F f, Operand a, Operand b, double* out, std::size_t n) {
    if (b.uniform) return map2_of<false, true>(f, a, b, out, n);
    if (a.uniform) return map2_of<true, false>(f, a, b, out, n);
    map2_of<false, false>(f, a, b, out, n);
}

/// Functions of the C library, one number at a time.
template <double (*F)(double)>
void call1(Operand a, double* out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = F(a.values[i]);
}

template <bool kUniformB, bool kUniformC>
void select_of(Operand a, Operand b, Operand c, double* HWY_RESTRICT out, std::size_t n) {
    const D d;
    const Reader<kUniformB> yes(b);
    const Reader<kUniformC> no(c);
    for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
        const auto is_zero = hn::Eq(hn::LoadU(d, a.values + i), set(0));
        hn::StoreU(hn::IfThenElse(is_zero, no.at(i), yes.at(i)), d, out + i);
    }
}

void select(Operand a, Operand b, Operand c, double* out, std::size_t n) {
    if (b.uniform && c.uniform) return select_of<true, true>(a, b, c, out, n);
    if (b.uniform) return select_of<true, false>(a, b, c, out, n);
    if (c.uniform) return select_of<false, true>(a, b, c, out, n);
    select_of<false, false>(a, b, c, out, n);
}

void compute_here(Op op, Operand a, Operand b, Operand c, double* out, std::size_t n) {
    switch (op) {
        case Op::kNegate:
            return map1(Negate(), a, out, n);
        case Op::kAbs:
            return map1(Absolute(), a, out, n);
        case Op::kSign:
            return map1(Sign(), a, out, n);
        case Op::kSqrt:
            return map1(SquareRoot(), a, out, n);
        case Op::kLog:
            return call1<score_math::natural_log>(a, out, n);
        case Op::kLog10:
            return call1<score_math::decimal_log>(a, out, n);
        case Op::kLog1p:
            return map1(LogPlusOne(), a, out, n);
        case Op::kExp:
            return call1<score_math::exponential>(a, out, n);
        case Op::kSigmoid:
            return call1<score_math::sigmoid>(a, out, n);
        case Op::kAdd:
            return map2(Add(), a, b, out, n);
        case Op::kSubtract:
            return map2(Subtract(), a, b, out, n);
        case Op::kMultiply:
            return map2(Multiply(), a, b, out, n);
        case Op::kDivide:
            return map2(Divide(), a, b, out, n);
        case Op::kPower:
            for (std::size_t i = 0; i < n; ++i)
                out[i] = score_math::power(a.values[i], b.values[i]);
            return;
        case Op::kLess:
            return map2(Less(), a, b, out, n);
        case Op::kLessEqual:
            return map2(LessEqual(), a, b, out, n);
        case Op::kEqual:
            return map2(Equal(), a, b, out, n);
        case Op::kNotEqual:
            return map2(NotEqual(), a, b, out, n);
        case Op::kMin:
            return map2(Minimum(), a, b, out, n);
        case Op::kMax:
            return map2(Maximum(), a, b, out, n);
        case Op::kWilson:
            return map2(Wilson(), a, b, out, n);
        case Op::kIf:
            return select(a, b, c, out, n);
        default:
            assert(false && "not a computation");
    }
}

/// A scan comes back for the block behind this one, and the machine's own prefetcher starts anew at
/// each page of each column. Into the second cache: columns begin at the same place of a page, so
/// that two pages of four of them fill all ways of the first.
void fetch_ahead(const double* values) {
    __builtin_prefetch(values + kBlockSlots, 0, 2);
}

void copy_here(const double* values, std::size_t n, double missing, double* out) {
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    const V instead = set(missing);
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        fetch_ahead(values + i);
        const V value = hn::LoadU(d, values + i);
        hn::StoreU(saturate(hn::IfThenElse(hn::Eq(value, value), value, instead)), d, out + i);
    }
    for (; i < n; ++i) out[i] = score_math::saturate(values[i] == values[i] ? values[i] : missing);
}

V number_of(const Addend& addend, V value) {
    return hn::IfThenElse(hn::Eq(value, value), value, set(addend.missing));
}

/// What a sum does without the bound below: every step saturates.
HWY_NOINLINE TIDAL_NOT_CLONED V add_saturated(const Addend* addends, std::size_t count,
                                              std::size_t i) {
    V sum = set(0);
    for (std::size_t k = 0; k < count; ++k) {
        const V value = saturate(number_of(addends[k], hn::LoadU(D(), addends[k].values + i)));
        const V product = saturate(hn::Mul(value, set(addends[k].weight)));
        sum = k == 0 ? product : saturate(hn::Add(sum, product));
    }
    return sum;
}

/// Nothing saturates, whatever the order of signs, where the magnitudes add up to less than this.
template <std::size_t kCount>
double magnitudes_max(const Addend* addends) {
    double weight = 1;
    for (std::size_t k = 0; k < kCount; ++k)
        weight = std::max(weight, std::fabs(addends[k].weight));
    return kMagnitudeMax / 8 / weight;
}

/// All of a block that is whole vectors. Few numbers are large: one comparison for all addends of
/// a vector finds them, and the rest is one multiplication and addition each.
template <std::size_t kCount>
std::size_t add_vectors(const Addend* HWY_RESTRICT given, double* HWY_RESTRICT out, std::size_t n) {
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    Addend addends[kCount];
    std::copy_n(given, kCount, addends);
    const V bound = set(magnitudes_max<kCount>(addends));
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        V sum = set(0), magnitude = set(0);
        const auto add = [&](std::size_t k) HWY_ATTR {
            const Addend& addend = addends[k];
            fetch_ahead(addend.values + i);
            const V value = number_of(addend, hn::LoadU(d, addend.values + i));
            const V product = hn::Mul(value, set(addend.weight));
            sum = k == 0 ? product : hn::Add(sum, product);
            magnitude = k == 0 ? hn::Abs(value) : hn::Add(magnitude, hn::Abs(value));
        };
        for (std::size_t k = 0; k < kCount; ++k) add(k);
        if (!hn::AllTrue(d, hn::Le(magnitude, bound))) sum = add_saturated(given, kCount, i);
        hn::StoreU(sum, d, out + i);
    }
    return i;
}

std::size_t add_vectors_of(std::span<const Addend> addends, double* out, std::size_t n) {
    switch (addends.size()) {
        case 2:
            return add_vectors<2>(addends.data(), out, n);
        case 3:
            return add_vectors<3>(addends.data(), out, n);
        case 4:
            return add_vectors<4>(addends.data(), out, n);
        case 5:
            return add_vectors<5>(addends.data(), out, n);
        case 6:
            return add_vectors<6>(addends.data(), out, n);
        case 7:
            return add_vectors<7>(addends.data(), out, n);
        default:
            return add_vectors<8>(addends.data(), out, n);
    }
}

void add_here(std::span<const Addend> addends, double* out, std::size_t n) {
    static_assert(kSumTermsMax == 8);
    const std::size_t done = add_vectors_of(addends, out, n);
    if (done == n) return;
    // The numbers may end here: the last vector is made of copies.
    double rest[kSumTermsMax][kPadding] = {};
    Addend last[kSumTermsMax];
    for (std::size_t k = 0; k < addends.size(); ++k) {
        std::copy(addends[k].values + done, addends[k].values + n, rest[k]);
        last[k] = {rest[k], addends[k].weight, addends[k].missing};
    }
    const std::span all(last, addends.size());
    hn::StoreU(add_saturated(all.data(), all.size(), 0), D(), out + done);
}

bool consecutive_here(const std::uint32_t* slots, std::size_t n) {
    const hn::ScalableTag<std::uint32_t> d;
    const std::size_t lanes = hn::Lanes(d);
    auto expected = hn::Iota(d, slots[0]);
    const auto step = hn::Set(d, static_cast<std::uint32_t>(lanes));
    auto differences = hn::Zero(d);
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        differences = hn::Or(differences, hn::Xor(hn::LoadU(d, slots + i), expected));
        expected = hn::Add(expected, step);
    }
    bool same = hn::AllTrue(d, hn::Eq(differences, hn::Zero(d)));
    for (; i < n; ++i) same = same && slots[i] == slots[0] + i;
    return same;
}

/// Few are found: most of a scan is one comparison a vector.
std::size_t find_here(const double* values, std::size_t n, double sign, double least,
                      std::uint32_t* out) {
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    const V factor = set(sign), bar = set(least);
    std::size_t count = 0, i = 0;
    for (; i + lanes <= n; i += lanes) {
        const auto found = hn::Ge(hn::Mul(hn::LoadU(d, values + i), factor), bar);
        if (hn::AllFalse(d, found)) continue;
        for (std::size_t k = i; k < i + lanes; ++k)
            if (sign * values[k] >= least) out[count++] = static_cast<std::uint32_t>(k);
    }
    for (; i < n; ++i)
        if (sign * values[i] >= least) out[count++] = static_cast<std::uint32_t>(i);
    return count;
}

}  // namespace

}  // namespace tidal::ranking::block_math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tidal::ranking::block_math {

HWY_EXPORT(compute_here);
HWY_EXPORT(copy_here);
HWY_EXPORT(add_here);
HWY_EXPORT(consecutive_here);
HWY_EXPORT(find_here);

void compute(Op op, Operand a, Operand b, Operand c, double* out, std::size_t n) {
    assert(out != a.values);
    HWY_DYNAMIC_DISPATCH(compute_here)(op, a, b, c, out, n);
}

void copy_numbers(std::span<const double> values, double missing, double* out) {
    HWY_DYNAMIC_DISPATCH(copy_here)(values.data(), values.size(), missing, out);
}

void add_products(std::span<const Addend> addends, double* out, std::size_t n) {
    assert(addends.size() >= 2 && addends.size() <= kSumTermsMax);
    HWY_DYNAMIC_DISPATCH(add_here)(addends, out, n);
}

bool are_consecutive(std::span<const Slot> slots) {
    static_assert(sizeof(Slot) == sizeof(std::uint32_t) && std::is_standard_layout_v<Slot>);
    const auto distance = slots.back().value() - slots.front().value();
    if (distance + 1 != slots.size()) return false;
    return HWY_DYNAMIC_DISPATCH(consecutive_here)(
        reinterpret_cast<const std::uint32_t*>(slots.data()), slots.size());
}

std::size_t find_at_least(std::span<const double> values, double sign, double least,
                          std::uint32_t* out) {
    return HWY_DYNAMIC_DISPATCH(find_here)(values.data(), values.size(), sign, least, out);
}

}  // namespace tidal::ranking::block_math
#endif  // HWY_ONCE
