#include "ranking/internal/block_math.h"

#include <gtest/gtest.h>

#include <hwy/highway.h>
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "ranking/internal/log1p.h"
#include "ranking/internal/score_math.h"

namespace tidal::ranking {
namespace block_math_test {

/// Numbers at which rules change, and any others.
std::vector<double> numbers(std::uint64_t seed) {
    std::vector<double> out{0.0,   -0.0,   1,      -1,       0.5,    2,
                            1e-9,  -1e-9,  1e300,  -1e300,   1e-300, 5e-324,
                            1e150, -1e150, 1e-150, 1 - 1e-9, 7,      -1 + 1e-9};
    std::mt19937_64 random(seed);
    while (out.size() < 1000) {
        const auto bits = std::bit_cast<double>(random());
        const double plain =
            static_cast<double>(static_cast<std::int64_t>(random() % 2001) - 1000) / 8;
        out.push_back(out.size() % 2 == 0 ? score_math::sanitize(bits) : plain);
    }
    std::ranges::shuffle(out, random);
    return out;
}

double scalar(Op op, double a, double b, double c) {
    using namespace score_math;
    switch (op) {
        case Op::kNegate:
            return negate(a);
        case Op::kLog:
            return natural_log(a);
        case Op::kLog10:
            return decimal_log(a);
        case Op::kLog1p:
            return log_plus_one(a);
        case Op::kExp:
            return exponential(a);
        case Op::kSqrt:
            return square_root(a);
        case Op::kAbs:
            return absolute(a);
        case Op::kSign:
            return sign(a);
        case Op::kSigmoid:
            return sigmoid(a);
        case Op::kAdd:
            return add(a, b);
        case Op::kSubtract:
            return subtract(a, b);
        case Op::kMultiply:
            return multiply(a, b);
        case Op::kDivide:
            return divide(a, b);
        case Op::kPower:
            return power(a, b);
        case Op::kLess:
            return less(a, b);
        case Op::kLessEqual:
            return less_equal(a, b);
        case Op::kEqual:
            return equal(a, b);
        case Op::kNotEqual:
            return not_equal(a, b);
        case Op::kMin:
            return minimum(a, b);
        case Op::kMax:
            return maximum(a, b);
        case Op::kWilson:
            return wilson(a, b);
        case Op::kIf:
            return select(a, b, c);
        default:
            ADD_FAILURE();
            return 0;
    }
}

/// Runs the test once per instruction set that this machine has.
class BlockMath : public testing::TestWithParam<std::int64_t> {
protected:
    void SetUp() override {
        hwy::SetSupportedTargetsForTest(GetParam());
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
    void TearDown() override {
        hwy::SetSupportedTargetsForTest(0);
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
};

TEST_P(BlockMath, IsBitForBitTheScalarArithmetic) {
    for (int op = static_cast<int>(Op::kNegate); op <= static_cast<int>(Op::kIf); ++op) {
        const auto a = numbers(1), b = numbers(2), c = numbers(3);
        for (const std::size_t n : {std::size_t{1}, std::size_t{5}, std::size_t{8}, a.size() - 8}) {
            std::vector<double> out(n + block_math::kPadding, -77);
            block_math::compute(static_cast<Op>(op), {a.data()}, {b.data()}, {c.data()}, out.data(),
                                n);
            for (std::size_t i = 0; i < n; ++i) {
                const double want = scalar(static_cast<Op>(op), a[i], b[i], c[i]);
                ASSERT_EQ(std::bit_cast<std::uint64_t>(out[i]), std::bit_cast<std::uint64_t>(want))
                    << "op " << op << " of " << a[i] << ", " << b[i] << ", " << c[i] << ": "
                    << out[i] << " instead of " << want;
            }
        }
    }
}

/// Where log1p takes another way, what is beside, and numbers of every size.
std::vector<double> numbers_of_log1p() {
    std::vector<double> out{0.0, -0.0, 1e300, score_math::kLogFloor - 1};
    const double bounds[] = {log1p::kTiny,
                             -log1p::kTiny,
                             log1p::kNearMin,
                             log1p::kNearMax,
                             log1p::kHuge,
                             log1p::kHalved - 1,
                             log1p::kFlatMin,
                             log1p::kFlatMax,
                             2 * log1p::kHalved - 1,
                             log1p::kHuge + 2,
                             log1p::kHuge * 0.5,
                             1 + 2 * log1p::kFlatMin,
                             1 + log1p::kFlatMax,
                             0x1p60,
                             -0.5};
    for (const double bound : bounds)
        for (const double to : {-1.0, 1e300})
            for (double x = bound, steps = 0; steps < 20; ++steps, x = std::nextafter(x, to))
                out.push_back(x);
    std::mt19937_64 random(9);
    const auto part = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
    for (int i = 0; i < 20'000; ++i) {
        out.push_back(i);
        out.push_back(part() - 1 + score_math::kLogFloor);
        out.push_back(std::ldexp(1 + part() * 1e-6, i % 60) - 1);
        out.push_back(std::ldexp(part(), i % 2000 - 1050));
    }
    for (double& x : out) x = std::clamp(x, score_math::kLogFloor - 1, kMagnitudeMax);
    return out;
}

TEST_P(BlockMath, TakesLogarithmsAsOneByOne) {
    auto values = numbers_of_log1p();
    const std::size_t n = values.size();
    values.resize(n + block_math::kPadding);
    std::vector<double> out(n + block_math::kPadding);
    block_math::compute(Op::kLog1p, {values.data()}, {}, {}, out.data(), n);
    for (std::size_t i = 0; i < n; ++i)
        ASSERT_EQ(std::bit_cast<std::uint64_t>(out[i]),
                  std::bit_cast<std::uint64_t>(score_math::log_plus_one(values[i])))
            << "log1p(" << values[i] << ")";
}

TEST(Log1p, IsWithinAUnitOfTheLastPlace) {
    for (const double x : numbers_of_log1p()) {
        const long double exact = std::log1p(static_cast<long double>(x));
        const double size = std::fabs(static_cast<double>(exact));
        const double unit = std::nextafter(size, std::numeric_limits<double>::infinity()) - size;
        ASSERT_LT(std::fabs(static_cast<double>(log1p::of(x) - exact)), unit)
            << "log1p(" << x << ")";
    }
    EXPECT_TRUE(std::signbit(log1p::of(-0.0)));
    EXPECT_FALSE(std::signbit(log1p::of(0.0)));
    EXPECT_EQ(log1p::of(1), std::log(2.0));
}

TEST_P(BlockMath, HoldsUniformOperands) {
    const auto numbers_a = numbers(1), numbers_b = numbers(2), numbers_c = numbers(3);
    const std::size_t n = numbers_a.size() - block_math::kPadding;
    for (int op = static_cast<int>(Op::kNegate); op <= static_cast<int>(Op::kIf); ++op) {
        for (unsigned uniform = 1; uniform < 8; ++uniform) {
            const auto one_of = [&](const std::vector<double>& from, unsigned bit) {
                return (uniform & bit) != 0 ? std::vector<double>(from.size(), from[op + bit])
                                            : from;
            };
            const auto a = one_of(numbers_a, 1), b = one_of(numbers_b, 2), c = one_of(numbers_c, 4);
            std::vector<double> out(a.size());
            block_math::compute(static_cast<Op>(op), {a.data(), (uniform & 1) != 0},
                                {b.data(), (uniform & 2) != 0}, {c.data(), (uniform & 4) != 0},
                                out.data(), n);
            for (std::size_t i = 0; i < n; ++i)
                ASSERT_EQ(
                    std::bit_cast<std::uint64_t>(out[i]),
                    std::bit_cast<std::uint64_t>(scalar(static_cast<Op>(op), a[i], b[i], c[i])))
                    << "op " << op << " uniform " << uniform << " of " << a[i] << ", " << b[i]
                    << ", " << c[i];
        }
    }
}

/// Numbers as they may lie in a column, of which some are far and some near.
std::vector<double> column_numbers(std::uint64_t seed, bool tame) {
    std::mt19937_64 random(seed);
    auto out = numbers(seed);
    if (tame)
        for (double& value : out)
            value = static_cast<double>(static_cast<std::int64_t>(random() % 2001) - 1000) / 8;
    const double endless = std::numeric_limits<double>::infinity();
    const double odd[] = {std::numeric_limits<double>::quiet_NaN(), endless, -endless, -0.0};
    for (std::size_t i = 0; i < out.size(); ++i)
        if (random() % 16 == 0) out[i] = odd[random() % (tame ? 1 : 4)];
    return out;
}

TEST_P(BlockMath, AddsProductsAsTheirOperatorsWould) {
    using namespace score_math;
    for (std::size_t count = 2; count <= kSumTermsMax; ++count) {
        for (const bool tame : {true, false}) {
            std::vector<std::vector<double>> columns;
            std::vector<block_math::Addend> addends;
            for (std::size_t k = 0; k < count; ++k)
                columns.push_back(column_numbers(10 * count + k, tame));
            for (std::size_t k = 0; k < count; ++k)
                addends.push_back({nullptr, numbers(k + 20)[k + count], k % 2 == 0 ? 2.5 : -0.0});
            if (tame)
                for (auto& addend : addends) addend.weight = std::fmod(addend.weight, 100);
            for (std::size_t n = 1; n < 60; ++n) {
                std::vector<std::vector<double>> parts;  // Nothing may be read behind these.
                for (std::size_t k = 0; k < count; ++k) {
                    parts.emplace_back(columns[k].begin() + 7 * n, columns[k].begin() + 8 * n);
                    addends[k].values = parts.back().data();
                }
                std::vector<double> out(n + block_math::kPadding);
                block_math::add_products(addends, out.data(), n);
                for (std::size_t i = 0; i < n; ++i) {
                    double want = 0;
                    for (std::size_t k = 0; k < count; ++k) {
                        const double raw = parts[k][i];
                        const double value = saturate(raw == raw ? raw : addends[k].missing);
                        const double product = multiply(value, addends[k].weight);
                        want = k == 0 ? product : add(want, product);
                    }
                    ASSERT_EQ(std::bit_cast<std::uint64_t>(out[i]),
                              std::bit_cast<std::uint64_t>(want))
                        << count << " addends, " << n << " numbers, at " << i;
                }
            }
        }
    }
}

TEST_P(BlockMath, KnowsNeighbours) {
    for (std::uint32_t n = 1; n < 70; ++n) {
        std::vector<Slot> slots;
        for (std::uint32_t i = 0; i < n; ++i) slots.push_back(Slot(7 + i));
        EXPECT_TRUE(block_math::are_consecutive(slots));
        if (n < 3) continue;
        for (std::uint32_t i = 1; i + 1 < n; ++i) {  // The first and the last are as they would be.
            auto other = slots;
            other[i] = slots[0];
            EXPECT_FALSE(block_math::are_consecutive(other)) << n << " slots, at " << i;
        }
        slots.back() = Slot(7 + n);
        EXPECT_FALSE(block_math::are_consecutive(slots)) << n;
    }
}

TEST_P(BlockMath, FindsWhatReachesABound) {
    const auto values = numbers(5);
    const double endless = std::numeric_limits<double>::infinity();
    for (const double sign : {1.0, -1.0})
        for (const double least : {0.0, 1.0, -7.5, 1e300, -1e300, -endless})
            for (const std::size_t n :
                 {std::size_t{0}, std::size_t{3}, std::size_t{64}, values.size()}) {
                std::vector<std::uint32_t> want, found(n);
                for (std::uint32_t i = 0; i < n; ++i)
                    if (sign * values[i] >= least) want.push_back(i);
                found.resize(
                    block_math::find_at_least({values.data(), n}, sign, least, found.data()));
                EXPECT_EQ(found, want) << n << " values, " << sign << " * value >= " << least;
            }
}

TEST_P(BlockMath, CopiesNumbersWithDefaults) {
    auto values = numbers(4);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t i = 0; i < values.size(); i += 3) values[i] = nan;
    values[1] = std::numeric_limits<double>::infinity();
    for (std::size_t n = 0; n < 40; ++n) {
        std::vector<double> out(n + 1, -77);
        block_math::copy_numbers({values.data(), n}, 2.5, out.data());
        for (std::size_t i = 0; i < n; ++i)
            ASSERT_EQ(out[i], values[i] == values[i] ? score_math::saturate(values[i]) : 2.5);
        ASSERT_EQ(out[n], -77) << "written past the end";
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, BlockMath, testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& target) { return hwy::TargetName(target.param); });

}  // namespace block_math_test
}  // namespace tidal::ranking
