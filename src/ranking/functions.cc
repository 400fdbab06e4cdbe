#include "ranking/internal/functions.h"

#include <algorithm>

namespace tidal::ranking {
namespace {

constexpr std::uint32_t kAnyNumber = kExpressionNodesMax;

/// Sorted by name.
constexpr Function kFunctions[] = {
    {"abs", "abs(x)", Form::kPure, 1, 1, Op::kAbs},
    {"affinity", "affinity(creator)", Form::kOfCreator, 1, 1},
    {"age_hours", "age_hours", Form::kNoArguments, 0, 0},
    {"bm25", "bm25", Form::kNoArguments, 0, 0},
    {"clamp", "clamp(x, low, high)", Form::kClamp, 3, 3},
    {"co_engagement", "co_engagement", Form::kNoArguments, 0, 0},
    {"cohort", "cohort(feature)", Form::kCohort, 1, 1},
    {"count", "count(signal, window)", Form::kCount, 2, 2},
    {"created_at", "created_at", Form::kNoArguments, 0, 0},
    {"created_s", "created_s", Form::kNoArguments, 0, 0},
    {"days_since_last", "days_since_last(polarity)", Form::kSinceLast, 1, 1},
    {"decay", "decay(signal)", Form::kDecay, 1, 1},
    {"distance_km", "distance_km(field, lat, lon)", Form::kDistance, 3, 3},
    {"engagement", "engagement(signal, window)", Form::kEngagement, 2, 2},
    {"exp", "exp(x)", Form::kPure, 1, 1, Op::kExp},
    {"field", "field(name)", Form::kField, 1, 1},
    {"follows", "follows(creator)", Form::kOfCreator, 1, 1},
    {"friends", "friends(signal)", Form::kFriends, 1, 1},
    {"fused", "fused", Form::kNoArguments, 0, 0},
    {"if", "if(condition, then, else)", Form::kPure, 3, 3, Op::kIf},
    {"log", "log(x)", Form::kPure, 1, 1, Op::kLog},
    {"log10", "log10(x)", Form::kPure, 1, 1, Op::kLog10},
    {"log1p", "log1p(x)", Form::kPure, 1, 1, Op::kLog1p},
    {"max", "max(a, b, ...)", Form::kVariadic, 2, kAnyNumber, Op::kMax},
    {"min", "min(a, b, ...)", Form::kVariadic, 2, kAnyNumber, Op::kMin},
    {"model", "model(name)", Form::kModel, 1, 1},
    {"nearest_disliked", "nearest_disliked(slot)", Form::kNearestDisliked, 1, 1},
    {"negative", "negative(window)", Form::kNegative, 1, 1},
    {"param", "param(name)", Form::kParam, 1, 1},
    {"popularity", "popularity", Form::kNoArguments, 0, 0},
    {"positive", "positive(window)", Form::kPositive, 1, 1},
    {"pow", "pow(x, y)", Form::kPure, 2, 2, Op::kPower},
    {"random", "random(seed)", Form::kRandom, 1, 1},
    {"rank", "rank(source)", Form::kRank, 1, 1},
    {"rate", "rate(signal, per signal, window)", Form::kRate, 3, 3},
    {"sigmoid", "sigmoid(x)", Form::kPure, 1, 1, Op::kSigmoid},
    {"sign", "sign(x)", Form::kPure, 1, 1, Op::kSign},
    {"similarity", "similarity(slot)", Form::kSimilarity, 1, 1},
    {"sqrt", "sqrt(x)", Form::kPure, 1, 1, Op::kSqrt},
    {"state", "state(name)", Form::kState, 1, 1},
    {"sum", "sum(signal, window)", Form::kSum, 2, 2},
    {"unique", "unique(signal, window)", Form::kUnique, 2, 2},
    {"velocity", "velocity(signal, window)", Form::kVelocity, 2, 2},
    {"wilson", "wilson(positives, trials)", Form::kPure, 2, 2, Op::kWilson},
};
static_assert(std::ranges::is_sorted(kFunctions, {}, &Function::name));

}  // namespace

std::span<const Function> functions() {
    return kFunctions;
}

const Function* find_function(std::string_view name) {
    const auto* found = std::ranges::lower_bound(kFunctions, name, {}, &Function::name);
    return found != std::end(kFunctions) && found->name == name ? found : nullptr;
}

std::vector<std::string_view> function_signatures() {
    std::vector<std::string_view> out;
    for (const Function& function : kFunctions) out.push_back(function.signature);
    return out;
}

}  // namespace tidal::ranking
