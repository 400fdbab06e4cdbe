#include "http/json_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace tidal::http {
namespace {

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

RC_GTEST_PROP(JsonText, EveryNumberComesBack, ()) {
    const double number =
        *rc::gen::arbitrary<double>() * std::pow(10.0, *rc::gen::inRange(-30, 30));
    RC_PRE(std::isfinite(number));
    RC_ASSERT(std::strtod(json_text(number).c_str(), nullptr) == number);
}

}  // namespace
}  // namespace tidal::http
