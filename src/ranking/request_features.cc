// Features that need more of a request than a profile: its candidates, a place, a user, a query, a
// vector or a cohort.
#include <algorithm>
#include <cmath>
#include <utility>

#include "audience/cohort_ledgers.h"
#include "ranking/anchor_vectors.h"
#include "ranking/embedding_name.h"
#include "ranking/internal/compiler.h"
#include "vector/flat_vectors.h"

namespace tidal::ranking {

using Value = ValueGraph::Value;

namespace {

bool names_source(const Expr& expr, const Source& source) {
    if (expr.kind == ExprKind::kName) return expr.name == source_kind_name(source.kind);
    const std::string text = print_expression(expr);
    if (text == print_source(source)) return true;
    return source.kind == SourceKind::kAnn && source.anchor == Anchor::kVector &&
           text == "ann(" + source.name + ")";
}

/// Its candidates have an order, hence ranks.
bool is_ranked(const Source& source) {
    return source.kind != SourceKind::kScan;
}

}  // namespace

std::string_view input_name(Input input) {
    switch (input) {
        case Input::kUser:
            return "a user (`user_id`)";
        case Input::kItem:
            return "an item (`similar_to`)";
        case Input::kVector:
            return "a vector (`vector`)";
        case Input::kAnchor:
            return "a vector, an item or a user (`vector`, `similar_to` or `user_id`)";
        case Input::kUserOrItem:
            return "a user or an item (`user_id` or `similar_to`)";
        case Input::kQuery:
            return "a query (`query`)";
        case Input::kCohort:
            return "a cohort (`cohort`)";
    }
    return "";
}

bool needs_query(const Program& program) {
    return std::ranges::any_of(program.needs,
                               [](const Need& need) { return need.input == Input::kQuery; });
}

void Compiler::need(Input input, const Expr& expr) {
    const Need need{input, print_expression(expr)};
    if (std::ranges::find(needs_, need) == needs_.end()) needs_.push_back(need);
}

Value Compiler::needing(Input input, const Expr& expr, const Feature& feature) {
    need(input, expr);
    return graph_.feature(feature);
}

Error Compiler::unknown_source(const Expr& at) const {
    std::vector<std::string> texts;
    for (const Source& source : input_.sources)
        if (is_ranked(source)) texts.push_back(print_source(source));
    const std::vector<std::string_view> known(texts.begin(), texts.end());
    return fail(ErrorCode::kUnknownName, at,
                "the profile has no source `" + print_expression(at) + "` with ranks")
        .with_hint(suggestion(print_expression(at), "sources with ranks", known))
        .with_reason("unknown_source");
}

Result<Value> Compiler::lower_rank(const Expr& expr) {
    const Expr& wanted = expr.args[0];
    std::optional<std::uint32_t> found;
    for (std::uint32_t i = 0; i < input_.sources.size(); ++i) {
        if (!is_ranked(input_.sources[i]) || !names_source(wanted, input_.sources[i])) continue;
        if (found)
            return fail(ErrorCode::kInvalidArgument, wanted,
                        "the profile has several sources `" + wanted.name + "`")
                .with_hint("write it as in `candidates`: rank(" + print_source(input_.sources[i]) +
                           ")");
        found = i;
    }
    if (!found) return unknown_source(wanted);
    return graph_.feature({.kind = FeatureKind::kSourceRank, .source = *found});
}

/// Reciprocal rank fusion: Cormack, Clarke & Buettcher, SIGIR 2009, with a weight for each list.
Result<Value> Compiler::lower_fused(const Expr& expr) {
    std::optional<Value> out;
    for (std::uint32_t i = 0; i < input_.sources.size(); ++i) {
        if (!is_ranked(input_.sources[i])) continue;
        const Value rank = graph_.feature({.kind = FeatureKind::kSourceRank, .source = i});
        const Value part =
            graph_.apply(Op::kMultiply, graph_.constant(input_.sources[i].weight), rank);
        out = out ? graph_.apply(Op::kAdd, *out, part) : part;
    }
    if (out) return *out;
    return fail(ErrorCode::kInvalidArgument, expr, "no source of the profile has ranks to fuse")
        .with_hint("for example `candidates union(recent, window_top(view, 24h));`");
}

Result<Coordinate> Compiler::coordinate(const Expr& expr, double most) {
    const bool minus = expr.kind == ExprKind::kNegate;
    const Expr& number = minus ? expr.args[0] : expr;
    if (number.kind == ExprKind::kNumber && number.number <= most)
        return Coordinate{std::nullopt, minus ? -number.number : number.number};
    const bool param = expr.kind == ExprKind::kCall && expr.name == "param" &&
                       expr.args.size() == 1 && expr.args[0].kind == ExprKind::kName;
    if (param) return Coordinate{graph_.param_index(expr.args[0].name), 0};
    return fail(ErrorCode::kInvalidArgument, expr, "expected degrees or a parameter")
        .with_hint("a number from -" + print_number(most) + " to " + print_number(most) +
                   ", or param(name)");
}

Result<Value> Compiler::lower_distance(const Expr& expr) {
    const Expr& name = expr.args[0];
    const auto* field =
        name.kind == ExprKind::kName ? schema_.find_field(kind_, name.name) : nullptr;
    if (field == nullptr || field->type != schema::FieldType::kGeo) {
        std::vector<std::string_view> known;
        for (const auto& f : schema_.kind(kind_).fields)
            if (f.type == schema::FieldType::kGeo) known.push_back(f.name);
        const auto code = field == nullptr ? ErrorCode::kUnknownName : ErrorCode::kInvalidArgument;
        return fail(code, name, "`" + print_expression(name) + "` is no field of type geo")
            .with_hint(suggestion(print_expression(name), "geo fields", known))
            .with_reason(field == nullptr ? "unknown_field" : "");
    }
    TIDAL_ASSIGN(const Coordinate latitude, coordinate(expr.args[1], 90));
    TIDAL_ASSIGN(const Coordinate longitude, coordinate(expr.args[2], 180));
    return graph_.feature({.kind = FeatureKind::kDistance,
                           .field = field->id,
                           .latitude = latitude,
                           .longitude = longitude});
}

Result<Value> Compiler::lower_cohort(const Expr& expr) {
    const Expr& inner = expr.args[0];
    const Function* function = inner.kind == ExprKind::kCall ? find_function(inner.name) : nullptr;
    const auto reads_ledgers = [](Form form) {
        switch (form) {
            case Form::kDecay:
            case Form::kCount:
            case Form::kSum:
            case Form::kVelocity:
            case Form::kUnique:
            case Form::kRate:
            case Form::kPositive:
            case Form::kNegative:
            case Form::kEngagement:
                return true;
            default:
                return false;
        }
    };
    if (function == nullptr || !reads_ledgers(function->form))
        return fail(ErrorCode::kInvalidArgument, inner, "a cohort has its own signals only")
            .with_hint("for example cohort(sum(view, 24h))");
    if (kind_ != EntityKind::kItem)
        return fail(ErrorCode::kInvalidArgument, expr, "cohorts have ledgers of items only");
    TIDAL_TRY(check_cohort_window(*function, inner));
    need(Input::kCohort, expr);
    in_cohort_ = true;
    auto value = lower_call(inner);
    in_cohort_ = false;
    return value;
}

/// The window is the last argument, which the function itself looks at.
Result<void> Compiler::check_cohort_window(const Function& function, const Expr& expr) {
    constexpr std::string_view kHint = "the windows of cohorts: 24h 7d";
    if (function.form == Form::kDecay)
        return fail(ErrorCode::kInvalidArgument, expr, "a cohort has no decayed scores")
            .with_hint(kHint);
    const auto window = schema::window_from_name(expr.args.back().name);
    if (!window || audience::CohortLedgers::keeps(*window)) return {};
    return fail(ErrorCode::kInvalidArgument, expr.args.back(),
                "a cohort has no window `" + expr.args.back().name + "`")
        .with_hint(kHint);
}

/// Its inputs are names, looked up where the call stands.
Result<Value> Compiler::lower_model(const Expr& expr) {
    const Expr& name = expr.args[0];
    auto model = name.kind == ExprKind::kName && input_.models != nullptr
                     ? input_.models->find(name.name)
                     : nullptr;
    if (model == nullptr) {
        std::vector<std::string_view> known;
        if (input_.models != nullptr) known = input_.models->names();
        return fail(ErrorCode::kUnknownName, name, "unknown model `" + print_expression(name) + "`")
            .with_hint(suggestion(print_expression(name), "models", known))
            .with_reason("unknown_model");
    }
    std::vector<Value> inputs;
    for (const std::string& input : model->inputs()) {
        Expr read;
        read.kind = ExprKind::kName;
        read.name = input;
        read.offset = name.offset;
        auto value = lower_name(read);
        if (!value) return value.take_error().with("model", name.name);
        inputs.push_back(*value);
    }
    return graph_.model(std::move(model), std::move(inputs));
}

Result<Value> Compiler::lower_request_feature(const Function& function, const Expr& expr) {
    const Expr& argument = expr.args[0];
    if (function.form == Form::kFriends) {
        TIDAL_ASSIGN(const auto* signal, signal_named(argument));
        if (kind_ != EntityKind::kItem)
            return fail(ErrorCode::kInvalidArgument, expr, "users have states of items only");
        const audience::StateNames names(schema_);
        const auto states = names.of_engagement(schema_, signal->id);
        if (states.empty())
            return fail(ErrorCode::kInvalidArgument, argument,
                        "no state tells who gave `" + signal->name + "`")
                .with_hint(names.lacks_for_engagement(schema_, signal->id))
                .with_reason("no_state_of_signal");
        return needing(Input::kUser, expr,
                       {.kind = FeatureKind::kFriends, .state = states.front()});
    }
    if (function.form == Form::kOfCreator) {
        if (argument.kind != ExprKind::kName || argument.name != "creator")
            return fail(ErrorCode::kInvalidArgument, argument, "expected `creator`")
                .with_hint(function.signature);
        if (kind_ != EntityKind::kItem)
            return fail(ErrorCode::kInvalidArgument, expr, "only items have a creator");
        const bool follows = function.name == "follows";
        return needing(Input::kUser, expr,
                       {.kind = follows ? FeatureKind::kFollows : FeatureKind::kAffinity});
    }
    if (function.form == Form::kState) return lower_state(expr);
    if (function.form == Form::kSinceLast) return lower_since_last(expr);
    return lower_similarity(function, expr, &argument);
}

Result<Value> Compiler::lower_state(const Expr& expr) {
    const Expr& name = expr.args[0];
    const audience::StateNames states(schema_);
    const auto state = name.kind == ExprKind::kName ? states.find(name.name) : std::nullopt;
    if (kind_ != EntityKind::kItem)
        return fail(ErrorCode::kInvalidArgument, expr, "users have states of items only");
    if (state) return needing(Input::kUser, expr, {.kind = FeatureKind::kState, .state = *state});
    // Built-in profiles read these under every schema.
    if (name.kind == ExprKind::kName && (name.name == "seen" || name.name == "liked"))
        return zero(print_expression(expr) + " is 0: no signal of the schema sets it");
    std::vector<std::string_view> known;
    for (std::uint16_t i = 0; i < states.size(); ++i)
        known.push_back(states.name(audience::StateId(i)));
    return fail(ErrorCode::kUnknownName, name,
                "unknown user state `" + print_expression(name) + "`")
        .with_hint(suggestion(print_expression(name), "states", known))
        .with_reason("unknown_state");
}

/// Tastes tell signals of the two polarities apart, not types of signals, and know no neutral ones.
Result<Value> Compiler::lower_since_last(const Expr& expr) {
    using schema::Polarity;
    const Expr& argument = expr.args[0];
    const std::string name = argument.kind == ExprKind::kName ? argument.name : "";
    if (name == "positive" || name == "negative")
        return needing(
            Input::kUser, expr,
            {.kind = FeatureKind::kDaysSinceLast,
             .polarity = name == "positive" ? Polarity::kPositive : Polarity::kNegative});
    std::string hint = "days_since_last(positive) or days_since_last(negative)";
    if (const auto* const signal = schema_.find_signal(name))
        hint = "`" + name + "` is a signal of " +
               std::string(schema::polarity_name(signal->polarity)) + " polarity; " + hint;
    return fail(ErrorCode::kInvalidArgument, argument, "expected `positive` or `negative`")
        .with_hint(std::move(hint));
}

/// @param argument  nullptr = the function's name alone.
Result<Value> Compiler::lower_similarity(const Function& function, const Expr& expr,
                                         const Expr* argument) {
    const std::string name = argument == nullptr ? "" : print_expression(*argument);
    const auto* slot = argument == nullptr || argument->kind == ExprKind::kName
                           ? find_embedding(schema_, kind_, name)
                           : nullptr;
    if (slot == nullptr && argument == nullptr && function.form == Form::kNearestDisliked &&
        kind_ == EntityKind::kItem && schema_.kind(kind_).embeddings.empty())
        return zero(print_expression(expr) + " is 0: there is no embedding slot");
    if (slot == nullptr) {
        auto [message, hint] = no_embedding(schema_, kind_, name);
        return fail(ErrorCode::kUnknownName, argument == nullptr ? expr : *argument,
                    std::move(message))
            .with_hint(hint)
            .with_reason("unknown_slot");
    }
    const auto nanoseconds = static_cast<std::uint32_t>(vector::FlatVectors::cost(*slot));
    if (function.form == Form::kNearestDisliked && kind_ != EntityKind::kItem)
        return fail(ErrorCode::kInvalidArgument, expr, "users like and dislike items only");
    if (function.form == Form::kNearestDisliked)
        return needing(Input::kUser, expr,
                       {.kind = FeatureKind::kNearestDisliked,
                        .slot = slot->id,
                        .nanoseconds = nanoseconds * AnchorVectors::kDislikedMax});
    return needing(
        Input::kAnchor, expr,
        {.kind = FeatureKind::kSimilarity, .slot = slot->id, .nanoseconds = nanoseconds});
}

}  // namespace tidal::ranking
