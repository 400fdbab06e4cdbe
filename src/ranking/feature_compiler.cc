#include <algorithm>
#include <cassert>
#include <cmath>
#include <optional>
#include <utility>

#include "ranking/internal/compiler.h"

namespace tidal::ranking {

using schema::Polarity;
using schema::SignalSpec;
using schema::Window;
using Value = ValueGraph::Value;

namespace {

constexpr std::string_view kWindowHint = "windows: 1h 24h 7d 30d 365d all";

/// Length of a window in seconds, by schema::Window; 0 = without end.
constexpr double kWindowSeconds[schema::kWindowCount] = {
    3600, 24 * 3600, 7 * 24 * 3600, 30 * 24 * 3600, 365.0 * 24 * 3600, 0};

}  // namespace

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
                function.form == Form::kPositive ? Polarity::kPositive : Polarity::kNegative,
                window);
        }
        case Form::kRate:
            return lower_rate(expr);
        case Form::kField:
            return lower_field(expr.args[0]);
        case Form::kParam:
            if (expr.args[0].kind != ExprKind::kName)
                return fail(ErrorCode::kInvalidArgument, expr.args[0],
                            "expected the name of a parameter");
            return graph_.param(expr.args[0].name);
        case Form::kRandom:
            return lower_random(expr);
        case Form::kDistance:
            return lower_distance(expr);
        case Form::kRank:
            return lower_rank(expr);
        case Form::kCohort:
            return lower_cohort(expr);
        case Form::kModel:
            return lower_model(expr);
        case Form::kSimilarity:
        case Form::kNearestDisliked:
        case Form::kOfCreator:
        case Form::kSinceLast:
        case Form::kFriends:
        case Form::kState:
            return lower_request_feature(function, expr);
        default:
            return lower_windowed(function.form, expr);
    }
}

Result<Value> Compiler::lower_windowed(Form form, const Expr& expr) {
    TIDAL_ASSIGN(const SignalSpec* signal, signal_named(expr.args[0]));
    TIDAL_ASSIGN(const Window window, window_named(expr.args[1]));
    switch (form) {
        case Form::kCount:
            return windowed(FeatureKind::kCount, *signal, window);
        case Form::kSum:
            return windowed(FeatureKind::kSum, *signal, window);
        case Form::kUnique:
            return lower_unique(*signal, window);
        case Form::kEngagement:
            return engagement(*signal, window);
        default:
            break;
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
    std::string warning =
        "unique(" + signal.name + ", " + std::string(schema::window_name(window)) + ") is 0: ";
    warning += signal.unique.has_value()
                   ? "the schema keeps distinct users of this signal over " +
                         std::string(schema::window_name(signal.unique->window))
                   : "the schema does not keep distinct users of this signal";
    return zero(std::move(warning));
}

Value Compiler::zero(std::string warning) {
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
    const Value above =
        graph_.apply(Op::kAdd, windowed(FeatureKind::kCount, *of, window), graph_.constant(1));
    const Value below =
        graph_.apply(Op::kAdd, windowed(FeatureKind::kCount, *per, window), graph_.constant(20));
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
    if (!is_score_number(field->type))
        return fail(ErrorCode::kInvalidArgument, name,
                    "field `" + name.name + "` is not a number but " +
                        std::string(schema::field_type_name(field->type)))
            .with_hint("scores read int, float, bool, timestamp and duration");
    return graph_.feature({.kind = FeatureKind::kField,
                           .field = field->id,
                           .missing = field->default_value.value_or(0)});
}

Result<Value> Compiler::lower_bare_feature(const Expr& expr) {
    const std::string_view name = expr.name;
    if (name == "age_hours") return graph_.feature({.kind = FeatureKind::kAgeHours});
    if (name == "fused") return lower_fused(expr);
    if (name == "popularity")
        return total(FeatureKind::kDecay, Window::kAll, [](const SignalSpec& signal) {
            return signal.polarity == Polarity::kPositive;
        });
    if (name == "bm25") return needing(Input::kQuery, expr, {.kind = FeatureKind::kBm25});
    if (name == "co_engagement")
        return needing(Input::kUserOrItem, expr, {.kind = FeatureKind::kCoEngagement});
    const Value created_at = graph_.feature({.kind = FeatureKind::kCreatedAt});
    if (name == "created_at") return created_at;
    assert(name == "created_s");
    return graph_.apply(Op::kDivide, created_at, graph_.constant(1000));
}

Value Compiler::windowed(FeatureKind kind, const SignalSpec& signal, Window window) {
    return graph_.feature(
        {.kind = kind, .signal = signal.id, .window = window, .of_cohort = in_cohort_});
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

}  // namespace tidal::ranking
