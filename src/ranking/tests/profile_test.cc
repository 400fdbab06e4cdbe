#include "ranking/profile.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ranking/internal/built_in_profiles.h"
#include "ranking/profile_registry.h"
#include "ranking/tests/random_expression.h"
#include "ranking/tests/random_profile.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/transcript.h"

namespace tidal::ranking {
namespace profile_test {

/// A profile's text; answers its canonical text, or what is wrong with it under the sample schema.
std::string answer_profile(const std::string& text) {
    static const auto schema = sample_schema();
    const auto profile = parse_profile(text);
    if (!profile) return std::string(profile.error().reason()) + ": " + profile.error().to_string();
    const auto compiled = compile_profile(*profile, *schema, EntityKind::kItem);
    const auto wrong =
        compiled ? ""
                 : std::string(compiled.error().reason()) + ": " + compiled.error().to_string();
    // What cannot be executed yet has been read whole.
    if (!compiled && compiled.error().code() != ErrorCode::kUnsupported) return wrong;
    const std::string out = print_profile(*profile) + wrong;
    return out.ends_with('\n') ? out.substr(0, out.size() - 1) : out;
}

TEST(Profile, Transcripts) {
    run_transcript(TIDAL_TESTDATA_DIR "/profiles.txt", answer_profile);
}

TEST(Profile, BuiltInOnesPrintAndParseBack) {
    EXPECT_EQ(built_in_profiles().size(), 33u);
    for (const BuiltInProfile& built_in : built_in_profiles()) {
        const auto profile = parse_profile(built_in.text);
        ASSERT_TRUE(profile.ok()) << built_in.file << ": " << profile.error().to_string();
        EXPECT_EQ(profile->name + ".profile", built_in.file);
        const auto again = parse_profile(print_profile(*profile));
        ASSERT_TRUE(again.ok()) << again.error().to_string();
        EXPECT_EQ(*again, *profile);
    }
}

RC_GTEST_PROP(Profile, PrintedTextParsesToTheSameProfile, ()) {
    Profile profile;
    profile.name = "p" + std::to_string(*rc::gen::inRange(0, 1000));
    profile.version = *rc::gen::inRange(1u, 1000u);
    profile.about = *rc::gen::element<std::string>("", "it's", "two\nlines", "# no comment");
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
        profile.params.push_back({"param" + std::to_string(i), *rc::gen::inRange(-99, 99) / 8.0});
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
        profile.definitions.push_back({"let" + std::to_string(i), RandomExpression::make(2)});
    profile.score = RandomExpression::make(3);
    RandomProfile::add_stages(&profile);
    profile.order.descending = *rc::gen::inRange(0, 2) == 0;
    const auto parsed = parse_profile(print_profile(profile));
    RC_ASSERT(parsed.ok());
    RC_ASSERT(*parsed == profile);
}

/// The order of its sources' ranks, where it is another than the profile's.
std::shared_ptr<const CompiledProfile> by_ranks_of(const std::string& statements) {
    const auto profile = parse_profile("profile p version 1 { " + statements + " }");
    EXPECT_TRUE(profile.ok()) << profile.error().to_string();
    if (!profile.ok()) return nullptr;
    const auto compiled = compile_profile(*profile, *sample_schema(), EntityKind::kItem);
    EXPECT_TRUE(compiled.ok()) << compiled.error().to_string();
    return compiled.ok() ? (*compiled)->by_ranks : nullptr;
}

TEST(Profile, WhatIsInTheOrderOfItsRanksHasNoOther) {
    EXPECT_EQ(by_ranks_of("candidates recent; score fused;"), nullptr);
    EXPECT_NE(by_ranks_of("candidates recent; score year;"), nullptr);
    EXPECT_FALSE(parse_profile("profile p version 1 { candidates recent; let fused = year; "
                               "score fused; }")
                     .ok())
        << "a definition would hide them";
}

/// Positions stay in the order of what is stored, and of nothing else.
TEST(Profile, AnOrderByAFieldIsOfWhatIsStored) {
    const auto of = [](const std::string& statements) {
        const auto profile = parse_profile("profile p version 1 { " + statements + " }");
        EXPECT_TRUE(profile.ok()) << profile.error().to_string();
        return compile_profile(*profile, *sample_schema(), EntityKind::kItem).value();
    };
    for (const char* statements : {"let year = sum(view, 1h); order year desc;",
                                   "let title = 7; order title asc;", "order created_at asc;"}) {
        const auto compiled = of(statements);
        EXPECT_TRUE(compiled->profile.order.by_field) << statements;
        EXPECT_TRUE(std::ranges::any_of(compiled->program.features, [](const Feature& each) {
            return each.kind == FeatureKind::kField || each.kind == FeatureKind::kText ||
                   each.kind == FeatureKind::kCreatedAt;
        })) << statements;
    }
    for (const char* statements :
         {"order popularity desc;", "let now = sum(view, 1h); order now desc;"})
        EXPECT_FALSE(of(statements)->profile.order.by_field) << statements;
}

TEST(Profile, WhoseRanksCostTooMuchIsAvailableWithoutThem) {
    std::string gate = "year";
    for (int i = 0; i < 200; ++i) gate += " + price^" + std::to_string(i) + ".5";
    gate = "require " + gate + " > 0; ";
    std::string many = "recent";
    for (const char* signal : {"view", "like", "share", "comment"})
        for (const char* window : {"24h", "7d"})
            many += ", window_top(" + std::string(signal) + ", " + window + ")";
    EXPECT_NE(by_ranks_of("candidates recent; " + gate + "score year;"), nullptr);
    EXPECT_EQ(by_ranks_of("candidates union(" + many + "); " + gate + "score year;"), nullptr);
}

}  // namespace profile_test
}  // namespace tidal::ranking
