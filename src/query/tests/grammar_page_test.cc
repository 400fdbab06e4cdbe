// The grammars of the documents against the parsers: what they allow is read, and what the printer
// writes they allow.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <regex>

#include "query/cohort.h"
#include "query/tests/ebnf.h"
#include "query/tests/random_query.h"

namespace tidal::query {
namespace grammar_page_test {

Ebnf grammar_of(const std::string& page) {
    const auto blocks = blocks_of_page(page, "ebnf");
    EXPECT_EQ(blocks.size(), 1u) << page;
    return Ebnf(blocks.empty() ? "" : blocks[0]);
}

/// What the pages leave to others, each different from those before, as names and facets must be.
class Leaves {
public:
    std::string operator()(const std::string& name) {
        const std::string number = std::to_string(++count_);
        if (name == "n") return std::to_string(1 + die(100));
        if (name == "number") return die(2) == 0 ? "-0." + number : number + "e-3";
        if (name == "NAME") return die(2) == 0 ? "name_" + number : "\"limit " + number + "\"";
        if (name == "PLAIN") return "name_" + number;
        if (name == "STRING") return "'it''s " + number + "'";
        if (name == "value") return die(2) == 0 ? number : "'" + number + "'";
        if (name == "filter") return print_filter(RandomFilter::make(2));
        if (name == "expression") return print_expression(ranking::RandomExpression::make(2));
        if (name == "rule") return "min_distinct(name_" + number + ") 2";
        ADD_FAILURE() << "the page says nothing of `" << name << "`";
        return "";
    }

private:
    int count_ = 0;
};

/// Where such a thing may end.
std::set<std::size_t> ends_of(const std::string& name, const std::vector<std::string>& tokens,
                              std::size_t at) {
    static const std::regex kNumber(R"([0-9][0-9.]*(e[0-9]+)?|[0-9.]+e)");
    static const std::regex kWord("[A-Za-z_][A-Za-z_0-9]*");
    std::set<std::size_t> out;
    const auto is = [&](std::size_t token, const std::regex& form) {
        return token < tokens.size() && std::regex_match(tokens[token], form);
    };
    if (at >= tokens.size()) return out;
    const char first = tokens[at].front();
    if (name == "STRING") {
        if (first == '\'') out.insert(at + 1);
    } else if (name == "NAME") {
        if (first == '"' || is(at, kWord)) out.insert(at + 1);
    } else if (name == "n") {
        if (is(at, kNumber)) out.insert(at + 1);
    } else if (name == "number" || name == "value") {
        const std::size_t digits = first == '-' ? at + 1 : at;
        if (name == "value" && first == '\'') out.insert(at + 1);
        if (is(digits, kNumber)) out.insert(digits + 1);
        if (is(digits, kNumber) && digits + 2 < tokens.size()) out.insert(digits + 3);  // 1e-3
    } else {
        for (std::size_t end = at + 1; end <= tokens.size(); ++end) out.insert(end);
    }
    return out;
}

RC_GTEST_PROP(GrammarOfQueries, WhatItAllowsIsRead, ()) {
    static const Ebnf grammar = grammar_of("reference/query.md");
    for (int i = 0; i < 20; ++i) {
        Leaves leaves;
        const std::string text = grammar.sentence(
            "query", [&](const std::string& name) { return leaves(name); }, die);
        if (text.find(" USING ") != text.npos && text.find(" EXPERIMENT ") != text.npos) continue;
        const auto parsed = parse_query(text);
        if (!parsed.ok()) RC_LOG() << text << ": " << parsed.error().to_string() << "\n";
        RC_ASSERT(parsed.ok());
    }
}

RC_GTEST_PROP(GrammarOfQueries, WhatIsPrintedItAllows, ()) {
    static const Ebnf grammar = grammar_of("reference/query.md");
    for (int i = 0; i < 5; ++i) {
        const std::string text = print_query(random_query());
        if (!grammar.accepts("query", text, ends_of)) RC_LOG() << text << "\n";
        RC_ASSERT(grammar.accepts("query", text, ends_of));
    }
}

TEST(GrammarOfQueries, DoesNotAllowWhatIsRefused) {
    const Ebnf grammar = grammar_of("reference/query.md");
    const auto allows = [&](const char* text) { return grammar.accepts("query", text, ends_of); };
    EXPECT_TRUE(allows("retrieve items limit 3"));
    for (const char* text : {"RETRIEVE items LIMT 3", "RETRIEVE", "SEARCH items 'a'", "RETRIEVE it",
                             "SUGGEST 'a' EXPLAIN", "RETRIEVE items PIN", "RETRIEVE items LIMIT"}) {
        EXPECT_FALSE(allows(text)) << text;
        EXPECT_FALSE(parse_query(text).ok()) << text;
    }
}

RC_GTEST_PROP(GrammarOfCohorts, WhatItAllowsIsRead, ()) {
    static const Ebnf grammar = grammar_of("guides/cohorts.md");
    Leaves leaves;
    const auto text = grammar.sentence(
        "cohort", [&](const std::string& name) { return leaves(name == "NAME" ? "PLAIN" : name); },
        die);
    const auto parsed = parse_cohort(text);
    if (!parsed.ok()) RC_LOG() << text << ": " << parsed.error().to_string() << "\n";
    // Whatever else stands there, a cohort tracks something and says who is in it.
    const bool whole = text.find("tracks ") != text.npos && text.find("where ") != text.npos;
    RC_ASSERT(parsed.ok() || (!whole && parsed.error().message().starts_with("a cohort ")));
    if (parsed.ok()) RC_ASSERT(grammar.accepts("cohort", print_cohort(*parsed), ends_of));
}

}  // namespace grammar_page_test
}  // namespace tidal::query
