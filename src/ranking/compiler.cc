#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "ranking/internal/functions.h"
#include "ranking/internal/value_graph.h"
#include "ranking/program.h"
#include "ranking/source_text.h"

namespace tidal::ranking {
namespace {

using schema::Polarity;
using schema::SignalSpec;
using schema::Window;
using Value = ValueGraph::Value;

constexpr std::string_view kWindowHint = "windows: 1h 24h 7d 30d 365d all";

/// Length of a window in seconds, by schema::Window; 0 = without end.
constexpr double kWindowSeconds[schema::kWindowCount] = {
    3600, 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600, 365.0 * 24 * 3600, 0};

bool is_number(schema::FieldType type) {
    using schema::FieldType;
    return type == FieldType::kInt || type == FieldType::kFloat || type == FieldType::kBool ||
           type == FieldType::kTimestamp || type == FieldType::kDuration;
}

/// One walk over the tree resolves names, checks arguments and makes values.
class Compiler {
public:
    Compiler(const CompileInput& input, const schema::Schema& schema, EntityKind kind)
        : input_(input), schema_(schema), kind_(kind) {}

    Result<Program> run();

private:
    Result<Value> lower(const Expr& expr);
    Result<Value> lower_name(const Expr& expr);
    Result<Value> lower_binary(const Expr& expr);
    Result<Value> lower_call(const Expr& expr);
    Result<Value> lower_pure(const Function& function, const Expr& expr);
    Result<Value> lower_feature(const Function& function, const Expr& expr);
    Result<Value> lower_windowed(Form form, const Expr& expr);
    Result<Value> lower_unique(const SignalSpec& signal, Window window);
    Result<Value> lower_rate(const Expr& expr);
    Result<Value> lower_random(const Expr& expr);
    Result<Value> lower_field(const Expr& name);
    Result<void> keep_terms(const Expr& score);

    Value created_feature(std::string_view name);
    Value by_polarity(Polarity polarity, Window window);
    Value engagement(const SignalSpec& signal, Window window);
    template <typename Wanted>
    Value total(FeatureKind kind, Window window, Wanted wanted);
    Value windowed(FeatureKind kind, const SignalSpec& signal, Window window);
    Result<const SignalSpec*> signal_named(const Expr& expr);
    Result<Window> window_named(const Expr& expr);
    Error unknown_field(const Expr& expr) const;
    /// Items and creators have ledgers: items of the signals aimed at them, creators also of those
    /// that their items got.
    bool has_ledger(const SignalSpec& signal) const {
        if (kind_ == EntityKind::kCreator) return signal.target != EntityKind::kUser;
        return kind_ == EntityKind::kItem && signal.target == EntityKind::kItem;
    }
    Error fail(ErrorCode code, const Expr& at, std::string message) const {
        if (input_.source.empty()) return Error(code, std::move(message));
        return error_at(code, input_.source, at.offset, std::move(message));
    }
    void keep_feature(const Expr& expr, Value value);

    const CompileInput& input_;
    const schema::Schema& schema_;
    const EntityKind kind_;
    ValueGraph graph_;
    std::map<std::string, Value, std::less<>> definitions_;
    std::vector<ValueGraph::Kept> terms_, features_;
    std::vector<std::string> warnings_;
};

Result<Program> Compiler::run() {
    for (const Definition& definition : input_.definitions) {
        TIDAL_ASSIGN(const Value value, lower(definition.value));
        const bool fresh = definitions_.emplace(definition.name, value).second;
        assert(fresh && "the parser refuses repeated names");
        static_cast<void>(fresh);
    }
    TIDAL_ASSIGN(const Value score, lower(input_.score));
    if (input_.explain) {
        TIDAL_TRY(keep_terms(input_.score));
    } else {
        features_.clear();
    }
    TIDAL_ASSIGN(Program out, graph_.emit(score, terms_, features_));
    out.warnings = std::move(warnings_);
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
    std::string text = print_expression(expr);
    const auto same = [&](const auto& kept) { return kept.text == text; };
    if (std::ranges::none_of(features_, same)) features_.push_back({std::move(text), value});
}

Result<Value> Compiler::lower(const Expr& expr) {
    switch (expr.kind) {
        case ExprKind::kNumber: return graph_.constant(expr.number);
        case ExprKind::kName: return lower_name(expr);
        case ExprKind::kBinary: return lower_binary(expr);
        case ExprKind::kCall: return lower_call(expr);
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
        const Value value = created_feature(expr.name);
        keep_feature(expr, value);
        return value;
    }
    if (schema_.find_field(kind_, expr.name) != nullptr) {
        TIDAL_ASSIGN(const Value value, lower_field(expr));
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
        if (is_number(field.type)) known.push_back(field.name);
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
        case BinaryOp::kAdd: return graph_.apply(Op::kAdd, a, b);
        case BinaryOp::kSubtract: return graph_.apply(Op::kSubtract, a, b);
        case BinaryOp::kMultiply: return graph_.apply(Op::kMultiply, a, b);
        case BinaryOp::kDivide: return graph_.apply(Op::kDivide, a, b);
        case BinaryOp::kPower: return graph_.apply(Op::kPower, a, b);
        case BinaryOp::kLess: return graph_.apply(Op::kLess, a, b);
        case BinaryOp::kLessEqual: return graph_.apply(Op::kLessEqual, a, b);
        case BinaryOp::kGreater: return graph_.apply(Op::kLess, b, a);
        case BinaryOp::kGreaterEqual: return graph_.apply(Op::kLessEqual, b, a);
        case BinaryOp::kEqual: return graph_.apply(Op::kEqual, a, b);
        case BinaryOp::kNotEqual: return graph_.apply(Op::kNotEqual, a, b);
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
        case Form::kVariadic: return lower_pure(*function, expr);
        default: break;
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

Result<Value> Compiler::lower_feature(const Function& function, const Expr& expr) {
    switch (function.form) {
        case Form::kDecay: {
            TIDAL_ASSIGN(const SignalSpec* signal, signal_named(expr.args[0]));
            return windowed(FeatureKind::kDecay, *signal, Window::kAll);
        }
        case Form::kPositive:
        case Form::kNegative: {
            TIDAL_ASSIGN(const Window window, window_named(expr.args[0]));
            if (kind_ == EntityKind::kUser)
                return fail(ErrorCode::kInvalidArgument, expr, "users have no ledgers of signals");
            return by_polarity(
                function.form == Form::kPositive ? Polarity::kPositive : Polarity::kNegative, window);
        }
        case Form::kRate: return lower_rate(expr);
        case Form::kField: return lower_field(expr.args[0]);
        case Form::kParam:
            if (expr.args[0].kind != ExprKind::kName)
                return fail(ErrorCode::kInvalidArgument, expr.args[0],
                            "expected the name of a parameter");
            return graph_.param(expr.args[0].name);
        case Form::kRandom: return lower_random(expr);
        default: return lower_windowed(function.form, expr);
    }
}

Result<Value> Compiler::lower_windowed(Form form, const Expr& expr) {
    TIDAL_ASSIGN(const SignalSpec* signal, signal_named(expr.args[0]));
    TIDAL_ASSIGN(const Window window, window_named(expr.args[1]));
    switch (form) {
        case Form::kCount: return windowed(FeatureKind::kCount, *signal, window);
        case Form::kSum: return windowed(FeatureKind::kSum, *signal, window);
        case Form::kUnique: return lower_unique(*signal, window);
        case Form::kEngagement: return engagement(*signal, window);
        default: break;
    }
    assert(form == Form::kVelocity);
    if (window == Window::kAll)
        return fail(ErrorCode::kInvalidArgument, expr.args[1],
                    "a velocity needs a window with a length")
            .with_hint("windows: 1h 24h 7d 30d 365d");
    const Value seconds = graph_.constant(kWindowSeconds[static_cast<std::size_t>(window)]);
    return graph_.apply(Op::kDivide, windowed(FeatureKind::kSum, *signal, window), seconds);
}

Result<Value> Compiler::lower_unique(const SignalSpec& signal, Window window) {
    if (signal.unique.has_value() && signal.unique->window == window)
        return windowed(FeatureKind::kUnique, signal, window);
    std::string warning = "unique(" + signal.name + ", " +
                          std::string(schema::window_name(window)) + ") is 0: ";
    warning += signal.unique.has_value()
                   ? "the schema keeps distinct users of this signal over " +
                         std::string(schema::window_name(signal.unique->window))
                   : "the schema does not keep distinct users of this signal";
    if (std::ranges::find(warnings_, warning) == warnings_.end())
        warnings_.push_back(std::move(warning));
    return graph_.constant(0);
}

/// (a + 1) / (b + 20): few events pull the rate to 5 %.
Result<Value> Compiler::lower_rate(const Expr& expr) {
    if (expr.args[1].kind != ExprKind::kPer)
        return fail(ErrorCode::kInvalidArgument, expr.args[1], "expected `per` and a signal")
            .with_hint("rate(signal, per signal, window)");
    TIDAL_ASSIGN(const SignalSpec* of, signal_named(expr.args[0]));
    TIDAL_ASSIGN(const SignalSpec* per, signal_named(expr.args[1]));
    TIDAL_ASSIGN(const Window window, window_named(expr.args[2]));
    const Value above = graph_.apply(Op::kAdd, windowed(FeatureKind::kCount, *of, window),
                                     graph_.constant(1));
    const Value below = graph_.apply(Op::kAdd, windowed(FeatureKind::kCount, *per, window),
                                     graph_.constant(20));
    return graph_.apply(Op::kDivide, above, below);
}

Result<Value> Compiler::lower_random(const Expr& expr) {
    Feature feature{.kind = FeatureKind::kRandom};
    const Expr& seed = expr.args[0];
    constexpr double kExactMax = 9007199254740992.0;  // 2^53
    if (seed.kind == ExprKind::kName && seed.name == "seed") {
        feature.seed_of_request = true;
    } else if (seed.kind == ExprKind::kNumber && seed.number <= kExactMax &&
               seed.number == std::floor(seed.number)) {
        feature.seed = static_cast<std::uint64_t>(seed.number);
    } else {
        return fail(ErrorCode::kInvalidArgument, seed, "expected `seed` or a whole number")
            .with_hint("`seed` is the seed of the request");
    }
    return graph_.feature(feature);
}

Result<Value> Compiler::lower_field(const Expr& name) {
    if (name.kind != ExprKind::kName)
        return fail(ErrorCode::kInvalidArgument, name, "expected the name of a field");
    const auto* field = schema_.find_field(kind_, name.name);
    if (field == nullptr) return unknown_field(name);
    if (!is_number(field->type))
        return fail(ErrorCode::kInvalidArgument, name,
                    "field `" + name.name + "` is not a number but " +
                        std::string(schema::field_type_name(field->type)))
            .with_hint("scores read int, float, bool, timestamp and duration");
    return graph_.feature({.kind = FeatureKind::kField,
                           .field = field->id,
                           .missing = field->default_value.value_or(0)});
}

Value Compiler::created_feature(std::string_view name) {
    if (name == "age_hours") return graph_.feature({.kind = FeatureKind::kAgeHours});
    const Value created_at = graph_.feature({.kind = FeatureKind::kCreatedAt});
    if (name == "created_at") return created_at;
    assert(name == "created_s");
    return graph_.apply(Op::kDivide, created_at, graph_.constant(1000));
}

Value Compiler::windowed(FeatureKind kind, const SignalSpec& signal, Window window) {
    return graph_.feature({.kind = kind, .signal = signal.id, .window = window});
}

Value Compiler::by_polarity(Polarity polarity, Window window) {
    return total(FeatureKind::kSum, window,
                 [&](const SignalSpec& signal) { return signal.polarity == polarity; });
}

/// Events of `signal` and of every positive signal, each event once.
Value Compiler::engagement(const SignalSpec& signal, Window window) {
    return total(FeatureKind::kCount, window, [&](const SignalSpec& s) {
        return s.id == signal.id || s.polarity == Polarity::kPositive;
    });
}

/// In the order of the schema; 0 when no signal is wanted.
template <typename Wanted>
Value Compiler::total(FeatureKind kind, Window window, Wanted wanted) {
    std::optional<Value> out;
    for (const SignalSpec& signal : schema_.signals) {
        if (!wanted(signal) || !has_ledger(signal)) continue;
        const Value value = windowed(kind, signal, window);
        out = out ? graph_.apply(Op::kAdd, *out, value) : value;
    }
    return out ? *out : graph_.constant(0);
}

Result<const SignalSpec*> Compiler::signal_named(const Expr& expr) {
    if (expr.kind != ExprKind::kName && expr.kind != ExprKind::kPer)
        return fail(ErrorCode::kInvalidArgument, expr, "expected the name of a signal");
    const SignalSpec* signal = schema_.find_signal(expr.name);
    if (signal == nullptr) {
        std::vector<std::string_view> known;
        for (const auto& s : schema_.signals) known.push_back(s.name);
        return fail(ErrorCode::kUnknownName, expr, "unknown signal `" + expr.name + "`")
            .with_hint(suggestion(expr.name, "signals", known))
            .with_reason("unknown_signal");
    }
    if (!has_ledger(*signal))
        return fail(ErrorCode::kInvalidArgument, expr,
                    "there is no ledger of the signal `" + expr.name + "` for entities of kind " +
                        std::string(entity_kind_name(kind_)))
            .with_hint("its target is " + std::string(entity_kind_name(signal->target)));
    return signal;
}

Result<Window> Compiler::window_named(const Expr& expr) {
    if (expr.kind != ExprKind::kName && expr.kind != ExprKind::kWindow)
        return fail(ErrorCode::kInvalidArgument, expr, "expected a window").with_hint(kWindowHint);
    const auto window = schema::window_from_name(expr.name);
    if (!window)
        return fail(ErrorCode::kUnknownName, expr, "unknown window `" + expr.name + "`")
            .with_hint(kWindowHint)
            .with_reason("unknown_window");
    return *window;
}

}  // namespace

Result<Program> compile(const CompileInput& input, const schema::Schema& schema, EntityKind kind) {
    return Compiler(input, schema, kind).run();
}

}  // namespace tidal::ranking
