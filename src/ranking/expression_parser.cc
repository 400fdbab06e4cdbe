#include "ranking/internal/expression_parser.h"

#include <cassert>
#include <optional>
#include <utility>

#include "ranking/source_text.h"

namespace tidal::ranking {
namespace {

std::optional<BinaryOp> comparison_op(const Token& token) {
    if (token.kind != TokenKind::kSymbol) return std::nullopt;
    if (token.text == "<") return BinaryOp::kLess;
    if (token.text == "<=") return BinaryOp::kLessEqual;
    if (token.text == ">") return BinaryOp::kGreater;
    if (token.text == ">=") return BinaryOp::kGreaterEqual;
    if (token.text == "=" || token.text == "==") return BinaryOp::kEqual;
    if (token.text == "!=") return BinaryOp::kNotEqual;
    return std::nullopt;
}

}  // namespace

Result<void> ExpressionParser::enter() {
    if (++depth_ <= kDepthMax) return {};
    return tokens_
        .error(ErrorCode::kTooLarge, tokens_.peek().offset, "the expression is nested too deeply")
        .with_hint("at most " + std::to_string(kDepthMax) + " levels")
        .with_reason("expression_too_deep");
}

Result<Expr> ExpressionParser::node(ExprKind kind, std::uint32_t offset) {
    if (++nodes_ > kExpressionNodesMax)
        return tokens_.error(ErrorCode::kTooLarge, offset, "the expression has too many parts")
            .with_hint("at most " + std::to_string(kExpressionNodesMax) +
                       " numbers, names, operators and calls")
            .with_reason("expression_too_large");
    Expr out;
    out.kind = kind;
    out.offset = offset;
    return out;
}

Result<Expr> ExpressionParser::binary(BinaryOp op, std::uint32_t offset, Expr left, Expr right) {
    TIDAL_ASSIGN(Expr out, node(ExprKind::kBinary, offset));
    out.op = op;
    out.args.reserve(2);
    out.args.push_back(std::move(left));
    out.args.push_back(std::move(right));
    return out;
}

Result<Expr> ExpressionParser::comparison() {
    TIDAL_TRY(enter());
    TIDAL_ASSIGN(Expr left, sum());
    if (const auto op = comparison_op(tokens_.peek())) {
        const auto offset = tokens_.take().offset;
        TIDAL_ASSIGN(Expr right, sum());
        TIDAL_ASSIGN(left, binary(*op, offset, std::move(left), std::move(right)));
        if (comparison_op(tokens_.peek()))
            return tokens_.expected("the end of the comparison")
                .with_hint("comparisons do not chain; write (a < b) * (b < c)");
    }
    leave();
    return left;
}

Result<Expr> ExpressionParser::sum() {
    TIDAL_ASSIGN(Expr left, product());
    while (tokens_.at_symbol("+") || tokens_.at_symbol("-")) {
        const Token op = tokens_.take();
        TIDAL_ASSIGN(Expr right, product());
        TIDAL_ASSIGN(left, binary(op.text == "+" ? BinaryOp::kAdd : BinaryOp::kSubtract, op.offset,
                                  std::move(left), std::move(right)));
    }
    return left;
}

Result<Expr> ExpressionParser::product() {
    TIDAL_ASSIGN(Expr left, unary());
    while (tokens_.at_symbol("*") || tokens_.at_symbol("/")) {
        const Token op = tokens_.take();
        TIDAL_ASSIGN(Expr right, unary());
        TIDAL_ASSIGN(left, binary(op.text == "*" ? BinaryOp::kMultiply : BinaryOp::kDivide,
                                  op.offset, std::move(left), std::move(right)));
    }
    return left;
}

Result<Expr> ExpressionParser::unary() {
    if (!tokens_.at_symbol("-")) return power();
    TIDAL_TRY(enter());
    const auto offset = tokens_.take().offset;
    TIDAL_ASSIGN(Expr operand, unary());
    TIDAL_ASSIGN(Expr out, node(ExprKind::kNegate, offset));
    out.args.push_back(std::move(operand));
    leave();
    return out;
}

Result<Expr> ExpressionParser::power() {
    TIDAL_ASSIGN(Expr base, primary());
    if (!tokens_.at_symbol("^")) return base;
    TIDAL_TRY(enter());
    const auto offset = tokens_.take().offset;
    TIDAL_ASSIGN(Expr exponent, unary());
    leave();
    return binary(BinaryOp::kPower, offset, std::move(base), std::move(exponent));
}

Result<Expr> ExpressionParser::primary() {
    const Token token = tokens_.peek();
    if (token.kind == TokenKind::kNumber) {
        tokens_.take();
        if (token.number > kMagnitudeMax)
            return tokens_.error(ErrorCode::kInvalidArgument, token.offset, "number out of range")
                .with_hint("at most 1e300");
        TIDAL_ASSIGN(Expr out, node(ExprKind::kNumber, token.offset));
        out.number = token.number;
        return out;
    }
    if (token.kind == TokenKind::kName) {
        tokens_.take();
        if (tokens_.at_symbol("(")) return call(token);
        TIDAL_ASSIGN(Expr out, node(ExprKind::kName, token.offset));
        out.name = token.text;
        return out;
    }
    if (tokens_.accept_symbol("(")) {
        TIDAL_ASSIGN(Expr out, comparison());
        TIDAL_TRY(tokens_.expect_symbol(")"));
        return out;
    }
    auto error = tokens_.expected("a number, a name or `(`");
    if (token.kind == TokenKind::kDuration)
        return std::move(error).with_hint("a window is an argument, as in sum(view, 24h)");
    return error;
}

Result<Expr> ExpressionParser::call(const Token& name) {
    TIDAL_ASSIGN(Expr out, node(ExprKind::kCall, name.offset));
    out.name = name.text;
    TIDAL_TRY(tokens_.expect_symbol("("));
    do {
        TIDAL_ASSIGN(Expr next, argument());
        out.args.push_back(std::move(next));
    } while (tokens_.accept_symbol(","));
    if (!tokens_.accept_symbol(")")) return tokens_.expected("`,` or `)`");
    return out;
}

Result<Expr> ExpressionParser::argument() {
    const Token token = tokens_.peek();
    if (token.kind == TokenKind::kDuration) {
        tokens_.take();
        TIDAL_ASSIGN(Expr out, node(ExprKind::kWindow, token.offset));
        out.name = token.text;
        return out;
    }
    if (!tokens_.at_word("per")) return comparison();
    TokenStream ahead = tokens_;
    ahead.take();
    if (ahead.peek().kind != TokenKind::kName) return comparison();  // A field called `per`.
    tokens_.take();
    TIDAL_ASSIGN(Expr out, node(ExprKind::kPer, token.offset));
    out.name = tokens_.take().text;
    return out;
}

Result<Expr> parse_expression(std::string_view text) {
    if (text.size() > kTextBytesMax)
        return Error(ErrorCode::kTooLarge, "the expression is too long")
            .with("bytes", text.size())
            .with_hint("at most " + std::to_string(kTextBytesMax) + " bytes")
            .with_reason("expression_too_large");
    TokenStream tokens(text);
    std::uint32_t nodes = 0;
    TIDAL_ASSIGN(Expr out, ExpressionParser(tokens, nodes).parse());
    if (tokens.peek().kind != TokenKind::kEnd) return tokens.expected("an operator or the end");
    return out;
}

}  // namespace tidal::ranking
