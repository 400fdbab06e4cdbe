#include "text/analyzer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidal::text {
namespace analyzer_test {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> terms(std::string_view text, const std::string& language = "none") {
    Analyzer analyzer({.language = language, .stop_words = {}});
    std::vector<Token> tokens;
    analyzer.analyze(text, &tokens);
    std::vector<std::string> out;
    for (const Token& token : tokens) out.push_back(token.term);
    return out;
}

TEST(Analyzer, WordsAreRunsOfLettersDigitsAndMarks) {
    EXPECT_THAT(terms("Jazz-Piano, 1959!"), ElementsAre("jazz", "piano", "1959"));
    EXPECT_THAT(terms("don't rock'n'roll"), ElementsAre("don", "t", "rock", "n", "roll"));
    EXPECT_THAT(terms("l\u2019\u00E9t\u00E9"), ElementsAre("l", "\u00E9t\u00E9"));
    EXPECT_THAT(terms("\u0939\u093F\u0928\u094D\u0926\u0940 \u092D\u093E\u0937\u093E"),
                ElementsAre("\u0939\u093F\u0928\u094D\u0926\u0940", "\u092D\u093E\u0937\u093E"));
    EXPECT_THAT(terms(""), IsEmpty());
    EXPECT_THAT(terms(" \t\n-- ... "), IsEmpty());
}

TEST(Analyzer, FoldsCaseAndCompatibleForms) {
    EXPECT_THAT(terms("STRASSE Stra\u00DFe"), ElementsAre("strasse", "strasse"));
    EXPECT_THAT(terms("\uFF2A\uFF41\uFF5A\uFF5A \uFB01lm"), ElementsAre("jazz", "film"));
    // Composed or not: the same.
    EXPECT_EQ(terms("caf\u00E9"), terms("cafe\u0301"));
}

TEST(Analyzer, PairsOfHanAndKana) {
    EXPECT_THAT(terms("\u6771\u4EAC\u30BF\u30EF\u30FC"),
                ElementsAre("\u6771\u4EAC", "\u4EAC\u30BF", "\u30BF\u30EF", "\u30EF\u30FC"));
    EXPECT_THAT(terms("\u6771 2020\u5E74"), ElementsAre("\u6771", "2020", "\u5E74"));
    // Halfwidth kana with its own voiced mark is one character.
    EXPECT_EQ(terms("\uFF76\uFF9E\uFF7D"), terms("\u30AC\u30B9"));
    EXPECT_THAT(terms("\uD55C\uAD6D\uC5B4"), ElementsAre("\uD55C\uAD6D\uC5B4"));
}

TEST(Analyzer, DictionariesCutScriptsWithoutSpaces) {
    // "I love cats" in Thai, "I love the Khmer language", "Lao language", "Burmese is spoken".
    EXPECT_THAT(terms("\u0E09\u0E31\u0E19\u0E23\u0E31\u0E01\u0E41\u0E21\u0E27"),
                ElementsAre("\u0E09\u0E31\u0E19", "\u0E23\u0E31\u0E01", "\u0E41\u0E21\u0E27"));
    EXPECT_GT(terms("\u1781\u17D2\u1789\u17BB\u17C6\u179F\u17D2\u179A\u17A1\u17B6\u1789\u17CB"
                    "\u1797\u17B6\u179F\u17B6\u1781\u17D2\u1798\u17C2\u179A")
                  .size(),
              1u);
    EXPECT_GT(terms("\u0E9E\u0EB2\u0EAA\u0EB2\u0EA5\u0EB2\u0EA7").size(), 1u);
    EXPECT_GT(terms("\u1019\u103C\u1014\u103A\u1019\u102C\u1005\u1000\u102C\u1038\u1015\u103C"
                    "\u1031\u102C\u1010\u1010\u103A\u101E\u100A\u103A")
                  .size(),
              1u);
}

TEST(Analyzer, StemsByLanguage) {
    EXPECT_THAT(terms("Running runs", "english"), ElementsAre("run", "run"));
    EXPECT_THAT(terms("Running runs", ""), ElementsAre("run", "run"));
    EXPECT_THAT(terms("H\u00E4user Haus", "german"), ElementsAre("haus", "haus"));
    EXPECT_THAT(terms("H\u00E4user", "de"), ElementsAre("haus"));
    EXPECT_THAT(terms("running", "klingon"), ElementsAre("running"));
}

TEST(Analyzer, StopWordsLeaveTheirPlace) {
    Analyzer analyzer({.language = "english", .stop_words = {"The", "of"}});
    std::vector<Token> tokens;
    analyzer.analyze("The Lord of the Rings", &tokens);
    ASSERT_EQ(tokens.size(), 2u);
    EXPECT_EQ(tokens[0], (Token{"lord", "lord", 1, true}));
    EXPECT_EQ(tokens[1], (Token{"rings", "ring", 4, true}));
}

TEST(Analyzer, KnowsWhatMayBeMistyped) {
    Analyzer analyzer;
    std::vector<Token> tokens;
    analyzer.analyze("matrix 1984 mp3 \u6771\u4EAC", &tokens);
    ASSERT_EQ(tokens.size(), 4u);
    EXPECT_TRUE(tokens[0].plain);
    EXPECT_FALSE(tokens[1].plain);
    EXPECT_FALSE(tokens[2].plain);
    EXPECT_FALSE(tokens[3].plain);
}

TEST(Analyzer, BoundsWordsAndTakesAnyBytes) {
    const std::string long_word(1000, 'a');
    EXPECT_EQ(terms(long_word), std::vector{std::string(kWordBytesMax, 'a')});
    std::string accents;
    for (int i = 0; i < 400; ++i) accents += "\u00E9";
    ASSERT_EQ(terms(accents).size(), 1u);
    EXPECT_EQ(terms(accents)[0].size(), kWordBytesMax - 1);
    EXPECT_THAT(terms("good \xFF\xC3 bytes"), ElementsAre("good", "bytes"));
}

}  // namespace analyzer_test
}  // namespace tidal::text
