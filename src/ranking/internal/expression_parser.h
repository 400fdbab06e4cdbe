// ranking/internal/expression_parser.h: recursive descent over a token stream, so that a profile
// can hold expressions in its own text.
#pragma once

#include "ranking/expression.h"
#include "ranking/token_stream.h"

namespace tidal::ranking {

///   comparison := sum [ (< | <= | > | >= | = | == | !=) sum ]
///   sum        := product { (+ | -) product }
///   product    := unary { (* | /) unary }
///   unary      := - unary | power
///   power      := primary [ ^ unary ]
///   primary    := number | name | name ( argument { , argument } ) | ( comparison )
///   argument   := duration | per name | comparison
class ExpressionParser {
public:
    /// @param tokens  Left at the first token behind the expression.
    /// @param nodes   Nodes made so far, counted on: one budget for all expressions of a text.
    ExpressionParser(TokenStream& tokens, std::uint32_t& nodes) : tokens_(tokens), nodes_(nodes) {}
    Result<Expr> parse() { return comparison(); }

private:
    Result<Expr> comparison();
    Result<Expr> sum();
    Result<Expr> product();
    Result<Expr> unary();
    Result<Expr> power();
    Result<Expr> primary();
    Result<Expr> call(const Token& name);
    Result<Expr> argument();
    Result<Expr> node(ExprKind kind, std::uint32_t offset);
    Result<Expr> binary(BinaryOp op, std::uint32_t offset, Expr left, Expr right);
    Result<void> enter();
    void leave() { --depth_; }

    TokenStream& tokens_;
    std::uint32_t depth_ = 0;
    std::uint32_t& nodes_;
};

}  // namespace tidal::ranking
