#include "ranking/expression.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ranking/program.h"
#include "ranking/tests/random_expression.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/transcript.h"
#include "ranking/token_stream.h"

namespace tidal::ranking {
namespace expression_test {

std::string report(const Error& error) {
    return std::string(error.reason()) + ": " + error.to_string();
}

/// `compile KIND` and an expression, or `parse` and one; answers the canonical text or the error.
std::string answer_expression(const std::string& input) {
    static const auto schema = sample_schema();
    const auto line_end = input.find('\n');
    const std::string command = input.substr(0, line_end);
    const std::string text = line_end == std::string::npos ? "" : input.substr(line_end + 1);
    const auto expr = parse_expression(text);
    if (!expr) return report(expr.error());
    if (command == "parse") return print_expression(*expr);
    const EntityKind kind = command == "compile item"   ? EntityKind::kItem
                            : command == "compile user" ? EntityKind::kUser
                                                        : EntityKind::kCreator;
    const auto program =
        compile({.score = *expr, .definitions = {}, .source = text}, *schema, kind);
    if (!program) return report(program.error());
    std::string out = "ok, " + std::to_string(program->features.size()) + " features, " +
                      std::to_string(program->code.size()) + " instructions a block";
    for (const auto& warning : program->warnings) out += "\nwarning: " + warning;
    for (const auto& need : program->needs)
        out += "\n" + need.by + " needs " + std::string(input_name(need.input));
    return out;
}

TEST(Expression, Transcripts) {
    for (const char* file : {"expression_syntax.txt", "expression_names.txt"})
        run_transcript(std::string(TIDAL_TESTDATA_DIR "/") + file, answer_expression);
}

TEST(Expression, LimitsHold) {
    const auto code = [](const std::string& text) {
        const auto parsed = parse_expression(text);
        return parsed.ok() ? "ok" : std::string(parsed.error().reason());
    };
    EXPECT_EQ(code(std::string(60, '(') + "1" + std::string(60, ')')), "ok");
    EXPECT_EQ(code(std::string(65, '(') + "1" + std::string(65, ')')), "expression_too_deep");
    EXPECT_EQ(code(std::string(5000, '(')), "expression_too_deep");
    EXPECT_EQ(code(std::string(5000, '-') + "1"), "expression_too_deep");
    std::string powers = "1", sums = "1";
    for (int i = 0; i < 511; ++i) sums += "+1";
    EXPECT_EQ(code(sums), "ok");
    EXPECT_EQ(code(sums + "+1"), "expression_too_large");
    for (int i = 0; i < 200; ++i) powers += "^1";
    EXPECT_EQ(code(powers), "expression_too_deep");
    EXPECT_EQ(code("1" + std::string(kTextBytesMax - 1, ' ')), "ok");
    EXPECT_EQ(code("1" + std::string(kTextBytesMax, ' ')), "expression_too_large");
}

RC_GTEST_PROP(Expression, PrintedTextParsesToTheSameTree, ()) {
    for (int i = 0; i < 100; ++i) {
        const Expr expr = RandomExpression::make(
            *rc::gen::inRange(0, 5), {"fused", "rank(recent)", "rank(window_top(view, 24h))"});
        const std::string text = print_expression(expr);
        const auto parsed = parse_expression(text);
        RC_ASSERT(parsed.ok());
        RC_ASSERT(*parsed == expr);
        RC_ASSERT(print_expression(*parsed) == text);
    }
}

RC_GTEST_PROP(Expression, AnyBytesEndInATreeOrAnError, ()) {
    static const std::vector<std::string> kPieces{
        "1",  "2.5e3", "24h", "view", "sum",      "per",  "(",  ")",  ",",
        "+",  "-",     "*",   "/",    "^",        "<",    "=",  "!=", " ",
        "\n", "#",     "'",   "\"",   "\xc3\xa9", "\xff", "if", ".",  "1e999"};
    std::string text;
    const auto count = *rc::gen::inRange(0, 30);
    for (int i = 0; i < count; ++i)
        text += kPieces[*rc::gen::inRange<std::size_t>(0, kPieces.size())];
    const auto parsed = parse_expression(text);
    if (!parsed) return;
    const auto again = parse_expression(print_expression(*parsed));
    RC_ASSERT(again.ok());
    RC_ASSERT(*again == *parsed);
}

}  // namespace expression_test
}  // namespace tidal::ranking
