#include "entity/ordered_column.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <random>

namespace tidal::entity {
namespace ordered_column_test {

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint32_t kMany = 1000;  // Chunks: more than there are.

Roaring by_looking(const std::vector<double>& numbers, double low, double high) {
    Roaring out;
    for (std::uint32_t slot = 0; slot < numbers.size(); ++slot)
        if (numbers[slot] >= low && numbers[slot] <= high) out.add(slot);
    return out;
}

/// Three chunks and a bit, values 0..999 and every eighth absent.
std::vector<double> random_numbers(std::mt19937* random) {
    std::vector<double> out(3 * OrderedColumn::kChunkSlots + 100);
    for (double& number : out)
        number = (*random)() % 8 == 0 ? kAbsent : static_cast<double>((*random)() % 1000);
    return out;
}

RC_GTEST_PROP(OrderedColumn, RangesEqualALookAtEverySlotWhateverWasWrittenSince,
              (std::uint32_t seed)) {
    std::mt19937 random(seed);
    std::vector<double> numbers = random_numbers(&random);
    OrderedColumn column;
    for (int round = 0; round < 12; ++round) {
        if (random() % 2 == 0) column.build(NumberView(numbers), random() % 3);
        const std::uint32_t writes = random() % 3 == 0 ? 900 : random() % 20;
        for (std::uint32_t i = 0; i < writes; ++i) {
            const auto slot = static_cast<std::uint32_t>(random() % numbers.size());
            numbers[slot] = random() % 4 == 0 ? kAbsent : static_cast<double>(random() % 1000);
            column.note(slot);
        }
        numbers.resize(numbers.size() + random() % 200, kAbsent);  // Reserved slots, no write.
        const double low = static_cast<double>(random() % 1000);
        const double high = low + static_cast<double>(random() % 300) - 5;
        RC_ASSERT(column.range(NumberView(numbers), low, high) == by_looking(numbers, low, high));
    }
}

TEST(OrderedColumn, IsSortedInSlices) {
    std::mt19937 random(7);
    const std::vector<double> numbers = random_numbers(&random);
    OrderedColumn column;
    EXPECT_FALSE(column.build(NumberView(numbers), 1));
    EXPECT_FALSE(column.build(NumberView(numbers), 2));
    EXPECT_TRUE(column.build(NumberView(numbers), 1));
    for (std::uint32_t slot = 0; slot <= OrderedColumn::kStaleMax; ++slot) column.note(slot);
    EXPECT_FALSE(column.build(NumberView(numbers), 0)) << "a chunk with many writes is sorted anew";
    EXPECT_TRUE(column.build(NumberView(numbers), 1));
}

TEST(OrderedColumn, EstimatesAreExactWhereSortedAndNearWhereSampled) {
    std::mt19937 random(7);
    const std::vector<double> numbers = random_numbers(&random);
    OrderedColumn column;
    const auto exact = static_cast<double>(by_looking(numbers, 100, 299).cardinality());
    EXPECT_NEAR(column.estimate(NumberView(numbers), 100, 299), exact, exact / 4);
    column.build(NumberView(numbers), 1);
    EXPECT_NEAR(column.estimate(NumberView(numbers), 100, 299), exact, exact / 10);
    column.build(NumberView(numbers), kMany);
    EXPECT_EQ(column.estimate(NumberView(numbers), 100, 299), exact);
    EXPECT_EQ(column.estimate(NumberView(numbers), 3, 2), 0);
    EXPECT_EQ(column.estimate(NumberView(), 0, 1), 0);
    EXPECT_GT(column.bytes(), numbers.size() * 8);
}

TEST(OrderedColumn, AnAbsentTimeIsInNoRange) {
    constexpr UnixMillis kNone = std::numeric_limits<UnixMillis>::min();
    const std::vector<UnixMillis> times{5, kNone, 7, 5};
    const NumberView view(times, kNone);
    OrderedColumn column;
    const Roaring everything = Roaring::bitmapOf(3, 0, 2, 3);
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(column.range(view, -kInfinity, kInfinity), everything);
    column.build(view, kMany);
    EXPECT_EQ(column.range(view, -kInfinity, kInfinity), everything);
    EXPECT_EQ(column.range(view, 5, 5), Roaring::bitmapOf(2, 0, 3));
}

}  // namespace ordered_column_test
}  // namespace tidal::entity
