#include "query/exploration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace tidal::query {
namespace exploration_test {

TEST(ExplorationTest, DrawsHaveTheMeanAndVarianceOfTheirPosterior) {
    constexpr int kDraws = 20'000;
    for (const auto& [impressions, positives] :
         {std::pair{0.0, 0.0}, {10.0, 0.0}, {10.0, 3.0}, {99.0, 99.0}}) {
        double sum = 0, squares = 0;
        for (int i = 0; i < kDraws; ++i) {
            const double draw = draw_rate(impressions, positives, EntityId(7), 1000 + i);
            ASSERT_GT(draw, 0);
            ASSERT_LT(draw, 1);
            sum += draw;
            squares += draw * draw;
        }
        const double a = 1 + positives, b = 1 + impressions - positives;
        const double mean = a / (a + b);
        const double variance = a * b / ((a + b) * (a + b) * (a + b + 1));
        // Five standard errors.
        EXPECT_NEAR(sum / kDraws, mean, 5 * std::sqrt(variance / kDraws));
        EXPECT_NEAR(squares / kDraws - (sum / kDraws) * (sum / kDraws), variance, variance * 0.1);
    }
}

TEST(ExplorationTest, AnItemAndASeedMakeTheDraw) {
    EXPECT_EQ(draw_rate(5, 2, EntityId(3), 9), draw_rate(5, 2, EntityId(3), 9));
    EXPECT_NE(draw_rate(5, 2, EntityId(3), 9), draw_rate(5, 2, EntityId(3), 10));
    EXPECT_NE(draw_rate(5, 2, EntityId(3), 9), draw_rate(5, 2, EntityId(4), 9));
    EXPECT_NE(exploration_chance(EntityId(std::string("a")), 1),
              exploration_chance(EntityId(std::string("a")), 2));
}

TEST(ExplorationTest, PlacesAreTheShareOfTheWholeSequence) {
    for (const double percent : {10.0, 33.0, 0.5, 100.0}) {
        int places = 0;
        for (std::uint64_t rank = 1; rank <= 1000; ++rank)
            places += is_exploration_place(rank, percent);
        EXPECT_EQ(places, static_cast<int>(percent * 10)) << percent;
    }
    EXPECT_TRUE(is_exploration_place(10, 10));
    EXPECT_FALSE(is_exploration_place(11, 10));
    EXPECT_TRUE(is_outside_place(10, 10));
    EXPECT_FALSE(is_outside_place(20, 10));
    EXPECT_TRUE(is_outside_place(30, 10));
}

}  // namespace exploration_test
}  // namespace tidal::query
