// ranking/tests/random_expression.h: RapidCheck generators of well-typed expressions over the
// sample schema.
#pragma once

#include <rapidcheck.h>

#include <string>
#include <utility>
#include <vector>

#include "ranking/expression.h"

namespace tidal::ranking {

class RandomExpression {
public:
    /// @param more  Other leaves, as the language writes them: "rank(recent)", the name of a
    ///              definition.
    static Expr make(int depth, const std::vector<std::string>& more = {}) {
        if (depth == 0 || *rc::gen::inRange(0, 8) == 0) {
            if (!more.empty() && *rc::gen::inRange(0, 4) == 0)
                return *parse_expression(one_of(more));
            return leaf();
        }
        switch (*rc::gen::inRange(0, 3)) {
            case 0: {
                Expr out = node(ExprKind::kNegate);
                out.args.push_back(make(depth - 1, more));
                return out;
            }
            case 1: {
                Expr out = node(ExprKind::kBinary);
                out.op = static_cast<BinaryOp>(*rc::gen::inRange(0, 11));
                out.args.push_back(make(depth - 1, more));
                out.args.push_back(make(depth - 1, more));
                return out;
            }
            default:
                return pure(depth, more);
        }
    }

private:
    static Expr node(ExprKind kind, std::string name = "") {
        Expr out;
        out.kind = kind;
        out.name = std::move(name);
        return out;
    }

    static std::string one_of(const std::vector<std::string>& names) {
        return names[*rc::gen::inRange<std::size_t>(0, names.size())];
    }

    static Expr name(std::vector<std::string> names) {
        return node(ExprKind::kName, one_of(std::move(names)));
    }

    static Expr window(bool with_all) {
        const std::string w = one_of({"1h", "24h", "7d", "30d", "365d", "all"});
        if (w == "all" && !with_all) return node(ExprKind::kWindow, "1h");
        return node(w == "all" ? ExprKind::kName : ExprKind::kWindow, w);
    }

    static Expr signal() { return name({"view", "like", "share", "comment", "dislike", "skip"}); }

    static Expr number() {
        Expr out = node(ExprKind::kNumber);
        const std::vector<double> odd{0, 1, 2, 0.5, 1e-9, 1e-300, 5e-324, 1e9, 1e150, 1e300, 3};
        out.number = *rc::gen::inRange(0, 2) == 0
                         ? odd[*rc::gen::inRange<std::size_t>(0, odd.size())]
                         : *rc::gen::inRange(0, 1000) / 8.0;
        return out;
    }

    static Expr pure(int depth, const std::vector<std::string>& more) {
        const std::vector<std::pair<std::string, int>> functions{
            {"if", 3},    {"min", 2},   {"max", 3},     {"clamp", 3}, {"log", 1},
            {"log10", 1}, {"log1p", 1}, {"exp", 1},     {"sqrt", 1},  {"pow", 2},
            {"abs", 1},   {"sign", 1},  {"sigmoid", 1}, {"wilson", 2}};
        const auto& [f, count] = functions[*rc::gen::inRange<std::size_t>(0, functions.size())];
        Expr out = node(ExprKind::kCall, f);
        for (int i = 0; i < count; ++i) out.args.push_back(make(depth - 1, more));
        return out;
    }

    /// Never a number that a parameter of the tests has.
    static Expr degrees(int most) {
        if (*rc::gen::inRange(0, 4) == 0) {
            Expr out = node(ExprKind::kCall, "param");
            out.args = {name({"x", "y"})};
            return out;
        }
        Expr out = node(ExprKind::kNumber);
        out.number = (2 * *rc::gen::inRange(0, 8 * most) + 1) / 16.0;
        if (*rc::gen::inRange(0, 2) == 0) return out;
        Expr minus = node(ExprKind::kNegate);
        minus.args.push_back(std::move(out));
        return minus;
    }

    static Expr leaf() {
        if (*rc::gen::inRange(0, 3) == 0) return number();
        if (*rc::gen::inRange(0, 3) == 0)
            return name({"year", "quality", "price", "featured", "released", "length", "age_hours",
                         "created_s", "created_at"});
        const std::string f =
            one_of({"decay", "count", "sum", "velocity", "rate", "positive", "negative",
                    "engagement", "field", "param", "random", "unique", "distance_km"});
        Expr out = node(ExprKind::kCall, f);
        if (f == "positive" || f == "negative") {
            out.args = {window(true)};
        } else if (f == "field") {
            out.args = {name({"year", "price", "featured"})};
        } else if (f == "param") {
            out.args = {name({"x", "y"})};
        } else if (f == "distance_km") {
            out.args = {node(ExprKind::kName, "place"), degrees(90), degrees(180)};
        } else if (f == "random") {
            out.args = {name({"seed"})};
        } else if (f == "unique") {
            out.args = {node(ExprKind::kName, "view"), node(ExprKind::kWindow, "24h")};
        } else if (f == "rate") {
            out.args = {signal(), node(ExprKind::kPer, signal().name), window(true)};
        } else if (f == "decay") {
            out.args = {signal()};
        } else {
            out.args = {signal(), window(f != "velocity")};
        }
        return out;
    }
};

}  // namespace tidal::ranking
