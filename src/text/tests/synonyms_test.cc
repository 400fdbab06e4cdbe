#include "text/synonyms.h"

#include <gtest/gtest.h>

namespace tidal::text {
namespace synonyms_test {

constexpr std::string_view kRules = R"(
# how people say it
tv, television, Telly
notebook => laptop
New York, NYC, big apple
wi-fi, wlan
)";

std::string expanded(std::string_view query) {
    const auto synonyms = Synonyms::parse(kRules);
    EXPECT_TRUE(synonyms.ok()) << synonyms.error().to_string();
    ParsedQuery parsed = parse_query(query, {"title"});
    synonyms->expand(&parsed.root);
    return print_node(parsed.root);
}

TEST(Synonyms, StandBesideTheWords) {
    EXPECT_EQ(expanded("TV stand"),
              "(any (word 'TV') (word 'television') (word 'telly') (word 'stand'))");
    EXPECT_EQ(expanded("notebook"), "(any (word 'notebook') (word 'laptop'))");
    EXPECT_EQ(expanded("laptop"), "(any (word 'laptop'))");
    EXPECT_EQ(expanded("new york pizza"),
              "(any (word 'new') (word 'york') (word 'nyc') (phrase 'big apple') (word 'pizza'))");
    EXPECT_EQ(expanded("Wi-Fi"), "(any (word 'Wi-Fi') (word 'wlan'))");
}

TEST(Synonyms, WhereAllWordsAreWantedOneOfThemIsEnough) {
    EXPECT_EQ(expanded("tv AND stand"),
              "(any (all (any (word 'tv') (word 'television') (word 'telly')) (word 'stand')))");
    EXPECT_EQ(expanded("big AND apple AND pizza"),
              "(any (all (any (all (word 'big') (word 'apple')) (phrase 'new york') (word 'nyc')) "
              "(word 'pizza')))");
}

TEST(Synonyms, LeaveAloneWhatIsQuotedBegunOrUnwanted) {
    EXPECT_EQ(expanded("\"tv\""), print_node(parse_query("\"tv\"", {}).root));
    EXPECT_EQ(expanded("tv*"), print_node(parse_query("tv*", {}).root));
    EXPECT_EQ(expanded("stand -tv"), print_node(parse_query("stand -tv", {}).root));
    EXPECT_EQ(expanded("title:tv"),
              print_node(parse_query("title:tv title:television title:telly", {"title"}).root));
}

TEST(Synonyms, AreBounded) {
    std::string rule = "a0", query;
    for (std::size_t i = 1; i < kSynonymPhrasesMax; ++i) rule += ", a" + std::to_string(i);
    for (std::size_t i = 0; i < kSynonymPhrasesMax; ++i) query += "a" + std::to_string(i) + " ";
    const auto synonyms = Synonyms::parse(rule);
    ASSERT_TRUE(synonyms.ok());
    ParsedQuery parsed = parse_query(query, {});
    synonyms->expand(&parsed.root);
    EXPECT_EQ(parsed.root.children.size(), kSynonymPhrasesMax + kSynonymsAddedMax);
}

TEST(Synonyms, OddRulesAreRefusedByLine) {
    for (const auto* wrong : {"a", "a,,b", "a => ", "=> b", "a b c d e, f", "a, ...", ","}) {
        const auto parsed = Synonyms::parse(std::string("ok, fine\n") + wrong);
        ASSERT_FALSE(parsed.ok()) << wrong;
        EXPECT_EQ(parsed.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_NE(parsed.error().to_string().find("line=2"), std::string::npos)
            << parsed.error().to_string();
    }
    std::string many;
    for (std::size_t i = 0; i <= kSynonymRulesMax; ++i) many += "a, b\n";
    EXPECT_EQ(Synonyms::parse(many).error().code(), ErrorCode::kTooLarge);
}

}  // namespace synonyms_test
}  // namespace tidal::text
