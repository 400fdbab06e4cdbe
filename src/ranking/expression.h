// ranking/expression.h: score expressions as trees. Language: docs/reference/expressions.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidal::ranking {

inline constexpr std::uint32_t kExpressionNodesMax = 1024;
/// Results saturate here; a literal above it is refused.
inline constexpr double kMagnitudeMax = 1e300;

enum class ExprKind : std::uint8_t {
    kNumber,  ///< `number`, finite, >= 0.
    kName,    ///< `name`: a field, a feature without arguments, a definition, or an argument.
    kWindow,  ///< `name` is a duration such as 24h; only an argument.
    kPer,     ///< `per name`; only an argument.
    kNegate,  ///< One argument.
    kBinary,  ///< `op`, two arguments.
    kCall,    ///< `name` and one or more arguments.
};

enum class BinaryOp : std::uint8_t {
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kPower,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
    kEqual,
    kNotEqual,
};
std::string_view binary_op_text(BinaryOp op);

/// Names are not resolved yet: `compile` does that against a schema.
struct Expr {
    ExprKind kind = ExprKind::kNumber;
    BinaryOp op = BinaryOp::kAdd;
    double number = 0;
    std::string name;
    std::vector<Expr> args;
    std::uint32_t offset = 0;  ///< Of the token that made it, in the source; not compared.

    bool operator==(const Expr& other) const {
        return kind == other.kind && op == other.op && number == other.number &&
               name == other.name && args == other.args;
    }
};

/// @return kInvalidArgument with line, column and offset, what was expected and what was found;
///         kTooLarge above kTextBytesMax, kDepthMax or kExpressionNodesMax.
Result<Expr> parse_expression(std::string_view text);

/// The shortest text that parses to an equal tree, numbers to the last bit.
std::string print_expression(const Expr& expr);
/// A number as the printer writes it.
std::string print_number(double number);

}  // namespace tidal::ranking
