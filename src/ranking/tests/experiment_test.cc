#include "ranking/experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ranking/token_stream.h"

namespace tidal::ranking {
namespace experiment_test {

constexpr std::string_view kSpring = R"(experiment spring version 2 {
    about 'Is it the ''new'' one?';
    salt 'march';
    arm trending@1 weight 9;
    arm hot@1;  # the challenger
})";

TEST(ExperimentTest, ReadsWhatItPrints) {
    const auto parsed = parse_experiment(kSpring);
    ASSERT_TRUE(parsed.ok()) << parsed.error().to_string();
    EXPECT_EQ(parsed->name, "spring");
    EXPECT_EQ(parsed->version, 2U);
    EXPECT_EQ(parsed->about, "Is it the 'new' one?");
    EXPECT_EQ(parsed->salt, "march");
    EXPECT_EQ(parsed->arms, (std::vector<ExperimentArm>{{"trending@1", 9}, {"hot@1", 1}}));
    const auto again = parse_experiment(print_experiment(*parsed));
    ASSERT_TRUE(again.ok()) << again.error().to_string();
    EXPECT_EQ(*again, *parsed);
}

TEST(ExperimentTest, EveryFaultHasItsPlace) {
    const auto refused = [](std::string_view text) {
        const auto parsed = parse_experiment(text);
        return parsed.ok() ? std::string("accepted") : parsed.error().to_string();
    };
    EXPECT_THAT(refused("profile a version 1 {}"), testing::HasSubstr("expected `experiment`"));
    EXPECT_THAT(refused("experiment a version 1 { arm x@1; }"), testing::HasSubstr("2 to 16 arms"));
    EXPECT_THAT(refused("experiment a version 1 { arm x@1; arm x@1; }"),
                testing::HasSubstr("`x@1` is given twice"));
    EXPECT_THAT(refused("experiment a version 0 { }"), testing::HasSubstr("a version"));
    EXPECT_THAT(refused("experiment a version 1 { arm x; }"), testing::HasSubstr("`@`"));
    EXPECT_THAT(refused("experiment a version 1 { arm x@1 weight 0; arm y@1; }"),
                testing::HasSubstr("a weight"));
    EXPECT_THAT(refused("experiment a version 1 { salt ''; }"), testing::HasSubstr("a text"));
    EXPECT_THAT(refused(std::string(kTextBytesMax + 1, ' ')),
                testing::HasSubstr("longer than 16 KiB"));
}

/// Shares follow the weights, and two experiments split users independently.
TEST(ExperimentTest, UsersAreSplitByWeightAndSalt) {
    const auto make = [](std::string salt) {
        Experiment out{.name = "e", .salt = std::move(salt)};
        out.arms = {{"a@1", 9}, {"b@1", 1}};
        return out;
    };
    const Experiment one = make("one"), two = make("two");
    constexpr int kUsers = 100'000;
    int second = 0, both = 0;
    for (std::uint64_t user = 0; user < kUsers; ++user) {
        const bool in_one = one.arm_of(EntityId(user)) == 1;
        second += in_one;
        both += in_one && two.arm_of(EntityId(user)) == 1;
    }
    EXPECT_NEAR(second, kUsers / 10, 400);  // 4 standard deviations are 380
    EXPECT_NEAR(both, kUsers / 100, 130);
}

/// The arm of a user never changes: these were written down once.
TEST(ExperimentTest, GoldenArms) {
    Experiment spring{.name = "spring", .salt = "march"};
    spring.arms = {{"a@1", 1}, {"b@1", 1}, {"c@1", 1}};
    std::string arms;
    for (std::uint64_t user = 0; user < 16; ++user)
        arms += static_cast<char>('a' + spring.arm_of(EntityId(user)));
    for (const char* user : {"ada", "7", "bob"})
        arms += static_cast<char>('a' + spring.arm_of(EntityId(std::string(user))));
    EXPECT_EQ(arms, "aabcaabcabcbcaaabca");
}

}  // namespace experiment_test
}  // namespace tidal::ranking
