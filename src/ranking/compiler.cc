#include "ranking/internal/compiler.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "ranking/internal/cost.h"

namespace tidal::ranking {

using Value = ValueGraph::Value;

bool is_score_number(schema::FieldType type) {
    using schema::FieldType;
    return type == FieldType::kInt || type == FieldType::kFloat || type == FieldType::kBool ||
           type == FieldType::kTimestamp || type == FieldType::kDuration;
}

bool is_order_text(schema::FieldType type) {
    return type == schema::FieldType::kText || type == schema::FieldType::kKeyword;
}

Result<Program> Compiler::run() {
    for (const Definition& definition : input_.definitions) {
        TIDAL_ASSIGN(const Value value, lower(definition.value));
        const bool fresh = definitions_.emplace(definition.name, value).second;
        assert(fresh && "the parser refuses repeated names");
        static_cast<void>(fresh);
    }
    TIDAL_ASSIGN(Value score, input_.fused ? lower_fused(input_.score) : lower_order(input_.score));
    for (const Penalty& penalty : input_.penalties) {
        TIDAL_ASSIGN(score, lower_penalty(penalty, score));
    }
    TIDAL_ASSIGN(const auto gate, lower_gates());
    if (!input_.explain) {
        terms_.clear();
        features_.clear();
    }
    TIDAL_ASSIGN(Program out, graph_.emit(score, gate, terms_, features_));
    out.warnings = std::move(warnings_);
    out.refused_states = std::move(refused_states_);
    out.needs = std::move(needs_);
    TIDAL_TRY(meter(&out));
    return out;
}

/// The score, or the field an order goes by, whatever a definition of that name says: a text has no
/// number but in its place.
Result<Value> Compiler::lower_order(const Expr& score) {
    const auto* const field = input_.by_field ? schema_.find_field(kind_, score.name) : nullptr;
    if (field == nullptr) {
        TIDAL_ASSIGN(const Value value, lower(score));
        TIDAL_TRY(keep_terms(score));
        return value;
    }
    const Feature text{.kind = FeatureKind::kText, .field = field->id};
    TIDAL_ASSIGN(const Value value, is_order_text(field->type) ? Result<Value>(graph_.feature(text))
                                                               : lower_field(score));
    keep_feature(score, value);
    terms_.push_back({print_expression(score), value});
    return value;
}

/// The score is defined as a sum, of what it was and of what the penalty adds: the explanation can
/// then show the penalty as a term and stay exact.
Result<Value> Compiler::lower_penalty(const Penalty& penalty, Value score) {
    TIDAL_ASSIGN(const Value when, lower(penalty.when));
    const Value factor = graph_.constant(penalty.factor), zero = graph_.constant(0);
    const Value reduced = graph_.apply(Op::kIf, graph_.apply(Op::kLess, score, zero),
                                       graph_.apply(Op::kDivide, score, factor),
                                       graph_.apply(Op::kMultiply, score, factor));
    const Value added =
        graph_.apply(Op::kIf, when, graph_.apply(Op::kSubtract, reduced, score), zero);
    terms_.push_back(
        {"penalty " + print_number(penalty.factor) + " when " + print_expression(penalty.when),
         added});
    return graph_.apply(Op::kAdd, score, added);
}

/// Of `1 - state(name)`.
std::optional<audience::StateId> Compiler::refused_state(const Expr& gate) const {
    if (gate.kind != ExprKind::kBinary || gate.op != BinaryOp::kSubtract) return std::nullopt;
    const Expr& one = gate.args[0];
    const Expr& state = gate.args[1];
    if (one.kind != ExprKind::kNumber || one.number != 1) return std::nullopt;
    if (state.kind != ExprKind::kCall || state.name != "state") return std::nullopt;
    return audience::StateNames(schema_).find(state.args[0].name);
}

/// 1 where every `require` holds, else 0.
Result<std::optional<Value>> Compiler::lower_gates() {
    std::optional<Value> out;
    for (const Expr& gate : input_.gates) {
        TIDAL_ASSIGN(const Value value, lower(gate));
        if (const auto state = refused_state(gate)) refused_states_.push_back(*state);
        const Value holds = graph_.apply(Op::kNotEqual, value, graph_.constant(0));
        out = out ? graph_.apply(Op::kMin, *out, holds) : holds;
    }
    return out;
}

/// The outermost sum, left to right. Only its left spine is opened: those additions happen in just
/// this order, so that adding the terms gives the score bit for bit.
Result<void> Compiler::keep_terms(const Expr& score) {
    const Expr* rest = &score;
    const auto keep = [&](const Expr& expr, bool negated) -> Result<void> {
        TIDAL_ASSIGN(Value value, lower(expr));
        if (!negated) {
            terms_.push_back({print_expression(expr), value});
            return {};
        }
        Expr sign;
        sign.kind = ExprKind::kNegate;
        sign.args.push_back(expr);
        terms_.push_back({print_expression(sign), graph_.apply(Op::kNegate, value)});
        return {};
    };
    while (rest->kind == ExprKind::kBinary &&
           (rest->op == BinaryOp::kAdd || rest->op == BinaryOp::kSubtract)) {
        TIDAL_TRY(keep(rest->args[1], rest->op == BinaryOp::kSubtract));
        rest = &rest->args[0];
    }
    TIDAL_TRY(keep(*rest, false));
    std::ranges::reverse(terms_);
    return {};
}

void Compiler::keep_feature(const Expr& expr, Value value) {
    if (in_cohort_) return;  // It is kept as what stands around it.
    std::string text = print_expression(expr);
    const auto same = [&](const auto& kept) { return kept.text == text; };
    if (std::ranges::none_of(features_, same)) features_.push_back({std::move(text), value});
}

Result<Value> Compiler::lower(const Expr& expr) {
    switch (expr.kind) {
        case ExprKind::kNumber:
            return graph_.constant(expr.number);
        case ExprKind::kName:
            return lower_name(expr);
        case ExprKind::kBinary:
            return lower_binary(expr);
        case ExprKind::kCall:
            return lower_call(expr);
        case ExprKind::kNegate: {
            TIDAL_ASSIGN(const Value value, lower(expr.args[0]));
            return graph_.apply(Op::kNegate, value);
        }
        case ExprKind::kWindow:
            return fail(ErrorCode::kInvalidArgument, expr,
                        "expected a number, found the window `" + expr.name + "`");
        case ExprKind::kPer:
            return fail(ErrorCode::kInvalidArgument, expr,
                        "`per` belongs to rate(signal, per signal, window)");
    }
    assert(false && "unknown kind of node");
    return graph_.constant(0);
}

Result<Value> Compiler::lower_name(const Expr& expr) {
    if (const auto found = definitions_.find(expr.name); found != definitions_.end())
        return found->second;
    const Function* function = find_function(expr.name);
    if (function != nullptr && function->form == Form::kNoArguments) {
        TIDAL_ASSIGN(const Value value, lower_bare_feature(expr));
        keep_feature(expr, value);
        return value;
    }
    if (schema_.find_field(kind_, expr.name) != nullptr) {
        TIDAL_ASSIGN(const Value value, lower_field(expr));
        keep_feature(expr, value);
        return value;
    }
    if (function != nullptr &&
        (function->form == Form::kSimilarity || function->form == Form::kNearestDisliked)) {
        TIDAL_ASSIGN(const Value value, lower_similarity(*function, expr, nullptr));
        keep_feature(expr, value);
        return value;
    }
    if (function != nullptr)
        return fail(ErrorCode::kInvalidArgument, expr,
                    "`" + expr.name + "` is a function and needs arguments")
            .with_hint(function->signature);
    if (schema_.find_signal(expr.name) != nullptr)
        return fail(ErrorCode::kInvalidArgument, expr,
                    "`" + expr.name + "` is a signal, not a number")
            .with_hint("for example sum(" + expr.name + ", all)");
    return unknown_field(expr);
}

Error Compiler::unknown_field(const Expr& expr) const {
    std::vector<std::string_view> known;
    for (const auto& [name, value] : definitions_) known.push_back(name);
    for (const auto& field : schema_.kind(kind_).fields)
        if (is_score_number(field.type)) known.push_back(field.name);
    for (const Function& function : functions())
        if (function.form == Form::kNoArguments) known.push_back(function.name);
    return fail(ErrorCode::kUnknownName, expr, "unknown field `" + expr.name + "`")
        .with_hint(suggestion(expr.name, "numbers here", known))
        .with_reason("unknown_field");
}

Result<Value> Compiler::lower_binary(const Expr& expr) {
    TIDAL_ASSIGN(const Value a, lower(expr.args[0]));
    TIDAL_ASSIGN(const Value b, lower(expr.args[1]));
    switch (expr.op) {
        case BinaryOp::kAdd:
            return graph_.apply(Op::kAdd, a, b);
        case BinaryOp::kSubtract:
            return graph_.apply(Op::kSubtract, a, b);
        case BinaryOp::kMultiply:
            return graph_.apply(Op::kMultiply, a, b);
        case BinaryOp::kDivide:
            return graph_.apply(Op::kDivide, a, b);
        case BinaryOp::kPower:
            return graph_.apply(Op::kPower, a, b);
        case BinaryOp::kLess:
            return graph_.apply(Op::kLess, a, b);
        case BinaryOp::kLessEqual:
            return graph_.apply(Op::kLessEqual, a, b);
        case BinaryOp::kGreater:
            return graph_.apply(Op::kLess, b, a);
        case BinaryOp::kGreaterEqual:
            return graph_.apply(Op::kLessEqual, b, a);
        case BinaryOp::kEqual:
            return graph_.apply(Op::kEqual, a, b);
        case BinaryOp::kNotEqual:
            return graph_.apply(Op::kNotEqual, a, b);
    }
    assert(false && "unknown operator");
    return a;
}

Result<Value> Compiler::lower_call(const Expr& expr) {
    const Function* function = find_function(expr.name);
    if (function == nullptr) {
        std::vector<std::string_view> known;
        for (const Function& f : functions())
            if (f.form != Form::kNoArguments) known.push_back(f.name);
        return fail(ErrorCode::kUnknownName, expr, "unknown function `" + expr.name + "`")
            .with_hint(suggestion(expr.name, "functions", known))
            .with_reason("unknown_function");
    }
    const std::size_t given = expr.args.size();
    if (given < function->arguments_min || given > function->arguments_max)
        return fail(ErrorCode::kInvalidArgument, expr,
                    "`" + expr.name + "` does not take " + std::to_string(given) +
                        (given == 1 ? " argument" : " arguments"))
            .with_hint(function->signature);
    switch (function->form) {
        case Form::kPure:
        case Form::kClamp:
        case Form::kVariadic:
            return lower_pure(*function, expr);
        default:
            break;
    }
    TIDAL_ASSIGN(const Value value, lower_feature(*function, expr));
    keep_feature(expr, value);
    return value;
}

Result<Value> Compiler::lower_pure(const Function& function, const Expr& expr) {
    std::vector<Value> args;
    for (const Expr& arg : expr.args) {
        TIDAL_ASSIGN(const Value value, lower(arg));
        args.push_back(value);
    }
    if (function.form == Form::kClamp)
        return graph_.apply(Op::kMin, graph_.apply(Op::kMax, args[0], args[1]), args[2]);
    if (function.form == Form::kVariadic) {
        Value out = args[0];
        for (std::size_t i = 1; i < args.size(); ++i) out = graph_.apply(function.op, out, args[i]);
        return out;
    }
    args.resize(3, 0);
    return graph_.apply(function.op, args[0], args[1], args[2]);
}

Result<Program> compile(const CompileInput& input, const schema::Schema& schema, EntityKind kind) {
    return Compiler(input, schema, kind).run();
}

}  // namespace tidal::ranking
