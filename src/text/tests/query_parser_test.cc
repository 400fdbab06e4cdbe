#include "text/query_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidal::text {
namespace query_parser_test {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ParsedQuery parse(std::string_view text) {
    return parse_query(text, {"title", "body"});
}
std::string tree(std::string_view text) {
    const ParsedQuery parsed = parse(text);
    EXPECT_THAT(parsed.warnings, IsEmpty()) << text;
    return print_node(parsed.root);
}

TEST(QueryParser, ReadsTheLanguage) {
    EXPECT_EQ(tree("jazz piano"), "(any (word 'jazz') (word 'piano'))");
    EXPECT_EQ(tree("jazz OR piano"), "(any (word 'jazz') (word 'piano'))");
    EXPECT_EQ(tree("jazz AND piano solo"),
              "(any (all (word 'jazz') (word 'piano')) (word 'solo'))");
    EXPECT_EQ(tree("\"so what\" pian* -drums"),
              "(any (phrase 'so what') (prefix 'pian') (not (word 'drums')))");
    EXPECT_EQ(tree("a AND NOT b"), "(any (all (word 'a') (not (word 'b'))))");
    EXPECT_EQ(tree("NOT NOT a"), "(any (word 'a'))");
    EXPECT_EQ(tree("title:jazz body:\"so what\" title:pia*"),
              "(any (word in title 'jazz') (phrase in body 'so what') (prefix in title 'pia'))");
    EXPECT_EQ(tree("(a OR b) AND c"), "(any (all (any (word 'a') (word 'b')) (word 'c')))");
    EXPECT_EQ(tree("-(a b)"), "(any (not (any (word 'a') (word 'b'))))");
    EXPECT_EQ(tree("#jazz wi-fi and - 2001: odyssey"),
              "(any (word '#jazz') (word 'wi-fi') (word 'and') (word '-') (word '2001:') "
              "(word 'odyssey'))");
    EXPECT_EQ(tree(""), "(any)");
    EXPECT_EQ(tree("  \t "), "(any)");
}

TEST(QueryParser, WhatDoesNotFitIsPlainWords) {
    const std::pair<const char*, const char*> cases[] = {
        {"say \"so what", "quotation mark"},
        {"(a b", "parenthesis"},
        {"a b)", "parenthesis"},
        {"a AND", "nothing after"},
        {"AND a", "nothing before"},
        {"NOT", "nothing after"},
        {"a OR", "nothing after"},
        {"a OR OR b", "nothing before"},
        {"title:-a", "field's name"},
        {"title:(a)", "field's name"},
    };
    for (const auto& [text, problem] : cases) {
        const ParsedQuery parsed = parse(text);
        ASSERT_EQ(parsed.warnings.size(), 1u) << text;
        EXPECT_THAT(parsed.warnings[0], HasSubstr(problem)) << text;
        for (const QueryNode& word : parsed.root.children)
            EXPECT_EQ(word.kind, QueryNode::Kind::kWord) << text;
    }
    const ParsedQuery unknown = parse("author:miles jazz");
    EXPECT_EQ(print_node(unknown.root), "(any (word 'author:miles') (word 'jazz'))");
    EXPECT_THAT(unknown.warnings, ElementsAre(HasSubstr("`author:` names no text field")));
}

TEST(QueryParser, BoundsWhatItReads) {
    std::string words;
    for (int i = 0; i < 2'000; ++i) words += "w" + std::to_string(i) + " ";
    const ParsedQuery many = parse(words);
    EXPECT_EQ(many.root.children.size(), kQueryWordsMax);
    EXPECT_THAT(many.warnings, ElementsAre(HasSubstr("256 words")));
    const ParsedQuery longer = parse(std::string(100'000, 'a'));
    EXPECT_EQ(longer.root.children.at(0).text.size(), kQueryBytesMax);
    EXPECT_THAT(longer.warnings, ElementsAre(HasSubstr("too long")));
    const ParsedQuery deep = parse(std::string(5'000, '(') + "a" + std::string(5'000, ')'));
    EXPECT_THAT(deep.warnings, ElementsAre(HasSubstr("nested too deep")));
    std::string minus;
    for (int i = 0; i < 5'000; ++i) minus += "NOT ";
    EXPECT_EQ(parse(minus + "a").root.children.at(0).kind, QueryNode::Kind::kWord);
}

}  // namespace query_parser_test
}  // namespace tidal::text
