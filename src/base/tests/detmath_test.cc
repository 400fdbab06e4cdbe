#include "base/detmath.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "base/internal/detmath_tables.h"

namespace tidal::detmath {
namespace detmath_test {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kMin = std::numeric_limits<double>::min();
constexpr double kTiny = std::numeric_limits<double>::denorm_min();
constexpr int kSamples = 200'000;

// Distance between `got` and the exact value in units of the last place of a double there.
double ulps(double got, long double exact) {
    if (std::isinf(got) || std::fabs(exact) > static_cast<long double>(kMax))
        return static_cast<double>(got) == static_cast<double>(exact) ? 0 : 1e9;
    int exponent;
    std::frexp(exact, &exponent);
    const long double unit = std::ldexp(1.0L, std::max(exponent - 53, -1074));
    return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / unit);
}

class DetmathAccuracy : public testing::Test {
protected:
    template <typename Ours, typename Exact, typename Draw>
    void expect_within(double bound, Ours ours, Exact exact, Draw draw) {
        double worst = 0;
        for (int i = 0; i < kSamples; ++i) {
            const double x = draw(random_);
            const double error = ulps(ours(x), exact(static_cast<long double>(x)));
            ASSERT_LE(error, bound) << "x = " << std::hexfloat << x << ", got " << ours(x);
            worst = std::max(worst, error);
        }
        RecordProperty("worst_ulps", std::to_string(worst));
    }

    // Any positive finite number, every exponent equally likely, subnormals too.
    static double any_positive(std::mt19937_64& random) {
        return std::bit_cast<double>(random() % 0x7ff0000000000000U);
    }

    std::mt19937_64 random_{20260131};
};

auto uniform(double low, double high) {
    return [=](std::mt19937_64& random) {
        return std::uniform_real_distribution<double>(low, high)(random);
    };
}

TEST_F(DetmathAccuracy, Exp2) {
    const auto exact = [](long double x) { return std::exp2(x); };
    expect_within(0.6, exp2, exact, uniform(-1, 1));
    expect_within(0.6, exp2, exact, uniform(-1021, 1024));
    expect_within(1.01, exp2, exact, uniform(-1076, -1020));
    expect_within(0.6, exp2, exact, uniform(-1e-6, 1e-6));
}

TEST_F(DetmathAccuracy, Exp) {
    const auto exact = [](long double x) { return std::exp(x); };
    expect_within(0.6, exp, exact, uniform(-1, 1));
    expect_within(0.6, exp, exact, uniform(-708, 709.7));
    expect_within(1.01, exp, exact, uniform(-746, -707));
}

TEST_F(DetmathAccuracy, Logarithms) {
    const auto near_one = uniform(0.98, 1.02);
    expect_within(
        0.6, log2, [](long double x) { return std::log2(x); }, any_positive);
    expect_within(
        0.6, log2, [](long double x) { return std::log2(x); }, near_one);
    expect_within(
        0.6, log2, [](long double x) { return std::log2(x); }, uniform(0.5, 2));
    expect_within(
        0.6, log, [](long double x) { return std::log(x); }, any_positive);
    expect_within(
        0.6, log, [](long double x) { return std::log(x); }, near_one);
    expect_within(
        0.6, log, [](long double x) { return std::log(x); }, uniform(0.5, 2));
    expect_within(
        0.6, log10, [](long double x) { return std::log10(x); }, any_positive);
    expect_within(
        0.6, log10, [](long double x) { return std::log10(x); }, near_one);
}

TEST_F(DetmathAccuracy, Log1p) {
    const auto exact = [](long double x) { return std::log1p(x); };
    expect_within(2, log1p, exact, any_positive);
    expect_within(2, log1p, exact, uniform(-1, 1));
    expect_within(2, log1p, exact, uniform(-1e-14, 1e-14));
}

TEST_F(DetmathAccuracy, Pow) {
    for (const double y : {-3.0, -1.0, -0.5, 1e-9, 0.25, 1.0 / 3, 1.8, 7.0, 100.0}) {
        expect_within(
            0.7, [y](double x) { return pow(x, y); },
            [y](long double x) { return std::pow(x, static_cast<long double>(y)); },
            uniform(1e-3, 1e3));
    }
    for (const double x : {1.0000001, 0.999, 2.0, 10.0, 1e-5}) {
        // Results stay clear of the subnormal range.
        const double reach = 1000 / std::fabs(std::log2(x));
        expect_within(
            0.7, [x](double y) { return pow(x, y); },
            [x](long double y) { return std::pow(static_cast<long double>(x), y); },
            uniform(-reach, reach));
    }
}

TEST(Detmath, TablesAreTheRoundedValues) {
    for (int i = 0; i < 128; ++i) {
        const auto& power = internal::kExp2Table[i];
        const long double exact = std::exp2(static_cast<long double>(i) / 128);
        EXPECT_EQ(power.value, static_cast<double>(exact)) << i;
        EXPECT_NEAR(static_cast<double>((exact - power.value) / power.value), power.tail, 0x1p-63);

        const auto& cell = internal::kLog2Table[i];
        const long double logarithm = -std::log2(static_cast<long double>(cell.inverse));
        EXPECT_EQ(cell.high, static_cast<double>(logarithm)) << i;
        EXPECT_NEAR(static_cast<double>(logarithm - cell.high), cell.low, 0x1p-63) << i;
        EXPECT_EQ(cell.inverse * 1024, std::trunc(cell.inverse * 1024)) << i;
    }
}

TEST(Detmath, ResultsThatAreDoublesAreExact) {
    for (int k = -1074; k <= 1023; ++k) {
        EXPECT_EQ(exp2(k), std::ldexp(1.0, k)) << k;
        EXPECT_EQ(log2(std::ldexp(1.0, k)), k) << k;
    }
    for (int x = -40; x <= 40; ++x) {
        double product = 1;
        for (int y = 0; y <= 9; ++y) {
            EXPECT_EQ(pow(x, y), product) << x << "^" << y;
            product *= x;
        }
    }
    for (int k = 0; k <= 22; ++k) EXPECT_EQ(log10(std::pow(10.0L, k)), k);
    EXPECT_EQ(pow(0.25, 0.5), 0.5);
    EXPECT_EQ(exp(0), 1);
    EXPECT_EQ(log(1), 0);
    EXPECT_FALSE(std::signbit(log(1)));
}

TEST(Detmath, HalfALifeLaterIsExactlyHalf) {
    // Decay multiplies by exp2(-t/h): whole half-lives must be exact powers of two.
    for (double t = 0; t < 512; t += 0x1.7p-4) EXPECT_EQ(exp2(-t - 1), exp2(-t) / 2) << t;
}

TEST(Detmath, OverflowAndUnderflow) {
    EXPECT_EQ(exp2(1024), kInf);
    EXPECT_EQ(exp2(kMax), kInf);
    EXPECT_EQ(exp2(kInf), kInf);
    EXPECT_EQ(exp2(-1075), 0);
    EXPECT_EQ(exp2(-1074.5), kTiny);
    EXPECT_EQ(exp2(-kMax), 0);
    EXPECT_EQ(exp2(-kInf), 0);
    EXPECT_EQ(exp(709.79), kInf);
    EXPECT_EQ(exp(-746), 0);
    EXPECT_EQ(exp(kInf), kInf);
    EXPECT_EQ(exp(-kInf), 0);
    EXPECT_EQ(exp2(kTiny), 1);
    EXPECT_EQ(exp(-kTiny), 1);
    EXPECT_EQ(log2(kTiny), -1074);
    EXPECT_EQ(log1p(kMax), log(kMax));
}

TEST(Detmath, LogarithmsOutsideTheirDomain) {
    for (const auto function : {log, log2, log10}) {
        EXPECT_EQ(function(0.0), -kInf);
        EXPECT_EQ(function(-0.0), -kInf);
        EXPECT_EQ(function(kInf), kInf);
        EXPECT_TRUE(std::isnan(function(-kTiny)));
        EXPECT_TRUE(std::isnan(function(-kInf)));
    }
    EXPECT_EQ(log1p(-1), -kInf);
    EXPECT_EQ(log1p(kInf), kInf);
    EXPECT_TRUE(std::isnan(log1p(-1.5)));
    EXPECT_TRUE(std::signbit(log1p(-0.0)));
}

TEST(Detmath, EveryNanIsTheSameNan) {
    const auto expected = std::bit_cast<std::uint64_t>(kNan);
    const double odd_nan = std::bit_cast<double>(std::uint64_t{0xfff8000000001234U});
    const auto bits = [](double x) { return std::bit_cast<std::uint64_t>(x); };
    for (const auto function : {exp2, exp, log, log2, log10, log1p})
        EXPECT_EQ(bits(function(odd_nan)), expected);
    EXPECT_EQ(bits(log(-1)), expected);
    EXPECT_EQ(bits(pow(odd_nan, 2)), expected);
    EXPECT_EQ(bits(pow(2, odd_nan)), expected);
    EXPECT_EQ(bits(pow(-2, 0.5)), expected);
}

TEST(Detmath, PowSpecialsAreThoseOfC99) {
    const double numbers[] = {0.0,  0.5,  1.0, 2.0, 3.0,  1e300,  kMin,       kTiny,
                              kMax, kInf, 2.5, 1e9, 1e17, 0x1p53, 0x1p53 - 1, kNan};
    for (const double base : numbers) {
        for (const double power : numbers) {
            for (const double x : {base, -base}) {
                for (const double y : {power, -power}) {
                    const double expected = std::pow(x, y);
                    const double got = pow(x, y);
                    if (std::isnan(expected)) {
                        EXPECT_TRUE(std::isnan(got)) << x << " ^ " << y;
                        continue;
                    }
                    EXPECT_EQ(std::signbit(got), std::signbit(expected)) << x << " ^ " << y;
                    if (expected == 0 || std::isinf(expected))
                        EXPECT_EQ(got, expected) << x << " ^ " << y;
                    else
                        EXPECT_LE(ulps(got, expected), 1.5) << x << " ^ " << y;
                }
            }
        }
    }
}

// The bits themselves: a compiler, flag or machine that changes one changes content hashes.
TEST(Detmath, GoldenBits) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    std::uint64_t state = 1;
    const auto draw = [&] {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<double>(state >> 11) * 0x1p-53;
    };
    const auto mix = [&](double x) {
        hash = (hash ^ std::bit_cast<std::uint64_t>(x)) * 0x100000001b3U;
    };
    for (int i = 0; i < 50'000; ++i) {
        const double x = draw() * 2000 - 1000;
        const double y = draw() * 1e6;
        mix(exp2(x));
        mix(exp(x));
        mix(log2(y));
        mix(log(y));
        mix(log10(y));
        mix(log1p(y));
        mix(pow(y, draw() * 4 - 2));
    }
    EXPECT_EQ(hash, 0xdd84bfb7a7084617U);
}

}  // namespace detmath_test
}  // namespace tidal::detmath
