#include "base/fixed.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace tidal {
namespace {

RC_GTEST_PROP(FixedSum, OrderOfAdditionDoesNotMatter, (std::vector<std::int64_t> units)) {
    FixedSum forward;
    for (const auto unit : units) forward += FixedSum::from_units(unit);
    std::reverse(units.begin(), units.end());
    FixedSum backward;
    for (const auto unit : units) backward += FixedSum::from_units(unit);
    RC_ASSERT(forward == backward);
}

RC_GTEST_PROP(FixedSum, TakingBackRestoresEvenAcrossAWrap, (std::int64_t a, std::int64_t b)) {
    const auto sum = FixedSum::from_units(a) + FixedSum::from_units(b);
    RC_ASSERT(sum - FixedSum::from_units(b) == FixedSum::from_units(a));
}

TEST(FixedSum, UnitsAndRange) {
    EXPECT_EQ(FixedSum::from_units(1 << 20).value(), 1.0);
    EXPECT_EQ(FixedSum::from_units(-3 << 19).value(), -1.5);
    EXPECT_EQ(FixedSum::from_units(1).value(), 0x1p-20);
    constexpr auto kMax = FixedSum::from_units(std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(kMax.value(), 0x1p43);
    EXPECT_EQ((kMax + FixedSum::from_units(1)).value(), -0x1p43);
}

}  // namespace
}  // namespace tidal
