// ranking/tests/reference_evaluator.h: the meaning of an expression, written a second time and as
// plainly as possible: one entity at a time, no registers, no sharing, no folding.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <string>

#include "ranking/expression.h"
#include "ranking/internal/log1p.h"
#include "schema/schema.h"

namespace tidal::ranking {

/// What one entity answers for each leaf, by its text: "sum(view, 24h)", "year", "param(x)".
using LeafValues = std::function<double(const std::string&)>;

class ReferenceEvaluator {
public:
    ReferenceEvaluator(const schema::Schema& schema, LeafValues leaf,
                       std::map<std::string, double> definitions = {})
        : schema_(schema), leaf_(std::move(leaf)), definitions_(std::move(definitions)) {}

    double operator()(const Expr& e) const {
        switch (e.kind) {
            case ExprKind::kNumber:
                return e.number;
            case ExprKind::kName:
                return name(e.name);
            case ExprKind::kNegate:
                return -(*this)(e.args[0]);
            case ExprKind::kBinary:
                return binary(e.op, (*this)(e.args[0]), (*this)(e.args[1]));
            case ExprKind::kCall:
                return call(e);
            default:
                ADD_FAILURE() << "not a number";
                return 0;
        }
    }

private:
    static double tame(double x) {
        if (std::isnan(x)) return 0;
        if (x > 1e300) return 1e300;
        if (x < -1e300) return -1e300;
        return x;
    }

    double name(const std::string& n) const {
        if (const auto d = definitions_.find(n); d != definitions_.end()) return d->second;
        if (n == "created_s") return leaf_("created_at") / 1000;
        return leaf_(n);
    }

    static double binary(BinaryOp op, double a, double b) {
        switch (op) {
            case BinaryOp::kAdd:
                return tame(a + b);
            case BinaryOp::kSubtract:
                return tame(a - b);
            case BinaryOp::kMultiply:
                return tame(a * b);
            case BinaryOp::kDivide:
                return b == 0 ? 0 : tame(a / b);
            case BinaryOp::kPower:
                return a == 0 && b < 0 ? 0 : tame(std::pow(a, b));
            case BinaryOp::kLess:
                return a < b;
            case BinaryOp::kLessEqual:
                return a <= b;
            case BinaryOp::kGreater:
                return a > b;
            case BinaryOp::kGreaterEqual:
                return a >= b;
            case BinaryOp::kEqual:
                return a == b;
            case BinaryOp::kNotEqual:
                return a != b;
        }
        return 0;
    }

    static double wilson(double p, double n) {
        if (n <= 0) return 0;
        const double z = 1.959963984540054;
        const double share = std::clamp(p / n, 0.0, 1.0);
        const double low =
            share + z * z / (2 * n) - z * std::sqrt((share * (1 - share) + z * z / (4 * n)) / n);
        const double bound = low / (1 + z * z / n);
        return std::isnan(bound) || bound < 0 ? 0 : tame(bound);
    }

    double call(const Expr& e) const {
        const auto arg = [&](std::size_t i) { return (*this)(e.args[i]); };
        const std::string& f = e.name;
        if (f == "if") return arg(0) != 0 ? arg(1) : arg(2);
        if (f == "min" || f == "max") {
            double out = arg(0);
            for (std::size_t i = 1; i < e.args.size(); ++i)
                out = f == "min" ? std::fmin(out, arg(i)) : std::fmax(out, arg(i));
            return out;
        }
        if (f == "clamp") return std::fmin(std::fmax(arg(0), arg(1)), arg(2));
        if (f == "log") return std::log(std::fmax(arg(0), 1e-9));
        if (f == "log10") return std::log10(std::fmax(arg(0), 1e-9));
        // The C library's may differ in the last bit; block_math_test.cc says how near it is.
        if (f == "log1p") return log1p::of(std::fmax(arg(0), 1e-9 - 1));
        if (f == "exp") return tame(std::exp(arg(0)));
        if (f == "sqrt") return arg(0) < 0 ? 0 : std::sqrt(arg(0));
        if (f == "pow") return binary(BinaryOp::kPower, arg(0), arg(1));
        if (f == "abs") return std::abs(arg(0));
        if (f == "sign") return arg(0) > 0 ? 1 : arg(0) < 0 ? -1 : 0;
        if (f == "sigmoid") return 1 / (1 + std::exp(-arg(0)));
        if (f == "wilson") return wilson(arg(0), arg(1));
        return feature(e);
    }

    double feature(const Expr& e) const {
        const auto window = [&](std::size_t i) { return e.args[i].name; };
        const auto of = [&](const char* what, const std::string& signal, const std::string& w) {
            return leaf_(std::string(what) + "(" + signal + ", " + w + ")");
        };
        if (e.name == "field") return leaf_(e.args[0].name);
        if (e.name == "velocity") {
            const std::map<std::string, double> seconds{{"1h", 3600},
                                                        {"24h", 86400},
                                                        {"7d", 7 * 86400},
                                                        {"30d", 30 * 86400},
                                                        {"365d", 365 * 86400.0}};
            return of("sum", e.args[0].name, window(1)) / seconds.at(window(1));
        }
        if (e.name == "rate")
            return binary(BinaryOp::kDivide, tame(of("count", e.args[0].name, window(2)) + 1),
                          tame(of("count", e.args[1].name, window(2)) + 20));
        double total = 0;
        if (e.name == "positive" || e.name == "negative") {
            const auto wanted =
                e.name == "positive" ? schema::Polarity::kPositive : schema::Polarity::kNegative;
            for (const auto& s : schema_.signals)
                if (s.polarity == wanted) total = tame(total + of("sum", s.name, window(0)));
            return total;
        }
        if (e.name == "engagement") {
            for (const auto& s : schema_.signals)
                if (s.name == e.args[0].name || s.polarity == schema::Polarity::kPositive)
                    total = tame(total + of("count", s.name, window(1)));
            return total;
        }
        return leaf_(print_expression(e));
    }

    const schema::Schema& schema_;
    LeafValues leaf_;
    std::map<std::string, double> definitions_;
};

}  // namespace tidal::ranking
