#include "http/json_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

namespace tidal::http {
namespace json_text_test {

TEST(JsonText, NumbersOfEverydaySizeHaveNoExponent) {
    EXPECT_EQ(json_text(200000.0), "200000.0");
    EXPECT_EQ(json_text(0.00025), "0.00025");
    EXPECT_EQ(json_text(0.00001), "0.00001");
    EXPECT_EQ(json_text(-2.75), "-2.75");
    EXPECT_EQ(json_text(-1.5e14), "-150000000000000.0");
    EXPECT_EQ(json_text(0.0), "0.0");
    EXPECT_EQ(json_text(-0.0), "-0.0");
    EXPECT_EQ(json_text(1e14), "100000000000000.0");
    EXPECT_EQ(json_text(-0.0000125), "-0.0000125");
    EXPECT_EQ(json_text(1e15), "1e+15");
    EXPECT_EQ(json_text(1e-300), "1e-300");
    EXPECT_EQ(json_text(std::numeric_limits<double>::infinity()), "null");
}

RC_GTEST_PROP(JsonText, OfEverydaySizeNoneHasAnExponent, ()) {
    const double number = *rc::gen::inRange<std::int64_t>(-1'000'000, 1'000'000) *
                          std::pow(10.0, *rc::gen::inRange(-5, 9));
    RC_PRE(number == 0 || std::fabs(number) >= 1e-5);
    RC_ASSERT(json_text(number).find('e') == std::string::npos);
}

/// The shortest digits as the library finds them.
std::string plain_text(double number) {
    char buffer[400];
    const auto written = std::to_chars(buffer, std::end(buffer), number, std::chars_format::fixed);
    std::string out(buffer, written.ptr);
    if (out.find('.') == std::string::npos) out += ".0";
    return out;
}

TEST(JsonText, OfEverydaySizeHasTheShortestDigits) {
    std::vector<double> sizes = {1e-5,
                                 std::nextafter(1e-5, 1),
                                 std::nextafter(1e15, 0),
                                 562949953421312.06,
                                 9007199254740991.0 / 16,
                                 0.1,
                                 0.3,
                                 1.0 / 3};
    for (int exponent = -16; exponent < 50; ++exponent) {
        const double power = std::ldexp(1.0, exponent);
        for (const double size : {power, std::nextafter(power, 0), std::nextafter(power, 1e15)})
            sizes.push_back(size);
    }
    for (double power = 1e-5; power < 1e15; power *= 10) sizes.push_back(power);
    for (const double size : sizes) {
        if (size < 1e-5 || size >= 1e15) continue;
        EXPECT_EQ(json_text(size), plain_text(size));
        EXPECT_EQ(json_text(-size), plain_text(-size));
    }
}

/// Any bits, and few digits as people write them.
RC_GTEST_PROP(JsonText, OfAnyEverydaySizeHasTheShortestDigits, ()) {
    std::mt19937_64 random(*rc::gen::arbitrary<std::uint64_t>());
    for (int i = 0; i < 500; ++i) {
        const std::uint64_t mantissa = random() >> 12;
        const std::uint64_t exponent = 1023 - 17 + random() % 67;
        const double any = std::bit_cast<double>(exponent << 52 | mantissa);
        const double digits = static_cast<double>(random() % 1'000'000);
        const double written = digits / std::pow(10.0, static_cast<double>(random() % 10));
        for (const double size : {any, written}) {
            if (size < 1e-5 || size >= 1e15) continue;
            const double number = random() % 2 == 0 ? size : -size;
            RC_ASSERT(json_text(number) == plain_text(number));
        }
    }
}

RC_GTEST_PROP(JsonText, EveryNumberComesBack, ()) {
    const double number =
        *rc::gen::arbitrary<double>() * std::pow(10.0, *rc::gen::inRange(-30, 30));
    RC_PRE(std::isfinite(number));
    RC_ASSERT(std::strtod(json_text(number).c_str(), nullptr) == number);
}

}  // namespace json_text_test
}  // namespace tidal::http
