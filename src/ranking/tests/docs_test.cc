// The code blocks of the language's own pages are read by the language.

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "ranking/internal/functions.h"
#include "ranking/profile_registry.h"

namespace tidal::ranking {
namespace docs_test {

std::string page(const std::string& name) {
    std::ifstream file(TIDAL_SOURCE_DIR "/docs/reference/" + name);
    EXPECT_TRUE(file) << name;
    std::stringstream out;
    out << file.rdbuf();
    return out.str();
}

std::vector<std::string> blocks(const std::string& text, const std::string& language) {
    std::vector<std::string> out;
    const std::string open = "```" + language + "\n";
    for (auto at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
        at += open.size();
        out.push_back(text.substr(at, text.find("```", at) - at));
    }
    EXPECT_FALSE(out.empty()) << language;
    return out;
}

schema::Schema default_schema() {
    return *schema::parse_schema(schema::default_schema_yaml());
}

TEST(Docs, ExpressionsOfTheReferenceCompile) {
    for (const auto& text : blocks(page("expressions.md"), "expression")) {
        const auto expr = parse_expression(text);
        ASSERT_TRUE(expr.ok()) << expr.error().to_string();
        const auto program = compile({.score = *expr, .definitions = {}, .source = text},
                                     default_schema(), EntityKind::kItem);
        EXPECT_TRUE(program.ok()) << program.error().to_string();
    }
}

TEST(Docs, ProfilesOfTheReferenceCompile) {
    for (const auto& text : blocks(page("profiles.md"), "profile")) {
        auto profile = parse_profile(text);
        ASSERT_TRUE(profile.ok()) << profile.error().to_string();
        const auto compiled =
            compile_profile(std::move(profile).value(), default_schema(), EntityKind::kItem);
        EXPECT_TRUE(compiled.ok()) << compiled.error().to_string();
    }
}

TEST(Docs, EveryFunctionAndBuiltInProfileIsDescribed) {
    const std::string expressions = page("expressions.md"), profiles = page("profiles.md");
    for (const Function& function : functions())
        EXPECT_NE(expressions.find("`" + std::string(function.signature) + "`"), std::string::npos)
            << function.signature;
    for (const auto& listing : ProfileRegistry(default_schema()).list(EntityKind::kItem))
        EXPECT_NE(profiles.find("`" + listing.name + "`"), std::string::npos) << listing.name;
}

}  // namespace docs_test
}  // namespace tidal::ranking
