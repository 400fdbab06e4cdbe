#include <cassert>
#include <charconv>
#include <cmath>

#include "ranking/expression.h"

namespace tidal::ranking {
namespace {

/// How tightly a node binds; a child that binds less than its place needs gets parentheses.
enum Binding : int { kComparison = 1, kSum, kProduct, kSign, kPowerOf, kPrimary };

int binding_of(const Expr& expr) {
    if (expr.kind == ExprKind::kNegate) return kSign;
    if (expr.kind != ExprKind::kBinary) return kPrimary;
    switch (expr.op) {
        case BinaryOp::kAdd:
        case BinaryOp::kSubtract:
            return kSum;
        case BinaryOp::kMultiply:
        case BinaryOp::kDivide:
            return kProduct;
        case BinaryOp::kPower:
            return kPowerOf;
        default:
            return kComparison;
    }
}

struct Sides {
    int left;
    int right;
};

/// The least binding each side may have without parentheses: the grammar in expression_parser.h.
Sides sides_of(int binding) {
    switch (binding) {
        case kComparison:
            return {kSum, kSum};
        case kSum:
            return {kSum, kProduct};
        case kProduct:
            return {kProduct, kSign};
        default:
            return {kPrimary, kSign};
    }
}

void print(const Expr& expr, int least, std::string* out) {
    const int binding = binding_of(expr);
    const bool wrapped = binding < least;
    if (wrapped) *out += '(';
    switch (expr.kind) {
        case ExprKind::kNumber:
            *out += print_number(expr.number);
            break;
        case ExprKind::kName:
        case ExprKind::kWindow:
            *out += expr.name;
            break;
        case ExprKind::kPer:
            *out += "per " + expr.name;
            break;
        case ExprKind::kNegate:
            *out += '-';
            print(expr.args[0], kSign, out);
            break;
        case ExprKind::kBinary: {
            const Sides sides = sides_of(binding);
            print(expr.args[0], sides.left, out);
            const bool tight = binding == kPowerOf;
            if (!tight) *out += ' ';
            *out += binary_op_text(expr.op);
            if (!tight) *out += ' ';
            print(expr.args[1], sides.right, out);
            break;
        }
        case ExprKind::kCall:
            *out += expr.name + "(";
            for (std::size_t i = 0; i < expr.args.size(); ++i) {
                if (i > 0) *out += ", ";
                print(expr.args[i], kComparison, out);
            }
            *out += ')';
            break;
    }
    if (wrapped) *out += ')';
}

}  // namespace

std::string_view binary_op_text(BinaryOp op) {
    constexpr std::string_view kText[] = {"+", "-", "*", "/", "^", "<", "<=", ">", ">=", "=", "!="};
    return kText[static_cast<std::size_t>(op)];
}

std::string print_number(double number) {
    char buffer[64];
    const double size = std::fabs(number);
    const bool plain = number == 0 || (size >= 1e-6 && size < 1e16);
    const auto written =
        std::to_chars(buffer, buffer + sizeof(buffer), number,
                      plain ? std::chars_format::fixed : std::chars_format::scientific);
    assert(written.ec == std::errc());
    return std::string(buffer, written.ptr);
}

std::string print_expression(const Expr& expr) {
    std::string out;
    print(expr, kComparison, &out);
    return out;
}

}  // namespace tidal::ranking
