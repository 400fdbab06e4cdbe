#include "base/edit_distance.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace tidal {
namespace edit_distance_test {

using Names = std::vector<std::string_view>;

// The definition, without bounds or rows thrown away.
std::size_t by_definition(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            const std::size_t replace = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + replace});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.size()][b.size()];
}

TEST(EditDistance, OneSlipCostsOne) {
    EXPECT_EQ(edit_distance("like", "like", 3), 0U);
    EXPECT_EQ(edit_distance("like", "lke", 3), 1U);
    EXPECT_EQ(edit_distance("like", "liike", 3), 1U);
    EXPECT_EQ(edit_distance("like", "lile", 3), 1U);
    EXPECT_EQ(edit_distance("like", "ilke", 3), 1U);
    EXPECT_EQ(edit_distance("", "abc", 3), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting", 2), 3U);
}

RC_GTEST_PROP(EditDistance, EqualsTheDefinitionUpToTheBound, ()) {
    const auto word = rc::gen::container<std::string>(rc::gen::inRange('a', 'd'));
    const auto a = *word;
    const auto b = *word;
    const auto bound = *rc::gen::inRange<std::size_t>(0, 12);
    RC_ASSERT(edit_distance(a, b, bound) == std::min(by_definition(a, b), bound + 1));
}

TEST(NearestName, FindsSlipsAndNothingElse) {
    const Names known = {"view", "like", "share", "complete"};
    EXPECT_EQ(nearest_name("lke", known), "like");
    EXPECT_EQ(nearest_name("VIEW", known), "view");
    EXPECT_EQ(nearest_name("completed", known), "complete");
    EXPECT_EQ(nearest_name("purchase", known), std::nullopt);
    EXPECT_EQ(nearest_name("", known), std::nullopt);
    EXPECT_EQ(nearest_name(std::string(1000, 'l'), known), std::nullopt);
}

TEST(NameHint, SaysWhatWouldBeRight) {
    const Names known = {"view", "like"};
    EXPECT_EQ(name_hint("vew", known), "did you mean 'view'?");
    EXPECT_EQ(name_hint("purchase", known), "known: view, like");
    EXPECT_EQ(name_hint("purchase", {}), "");
    EXPECT_EQ(name_hint("purchase", Names(9, "ab")), "known: ab, ab, ab, ab, ab, ab, ab, ab, ...");
}

}  // namespace edit_distance_test
}  // namespace tidal
