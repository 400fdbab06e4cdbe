// ranking/internal/functions.h: the vocabulary of score expressions.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "ranking/program.h"

namespace tidal::ranking {

/// How the arguments of a function are read.
enum class Form : std::uint8_t {
    kPure,  ///< Numbers in, one operator.
    kClamp,
    kVariadic,     ///< Two or more numbers, folded from the left.
    kNoArguments,  ///< A feature written without parentheses.
    kDecay,
    kCount,
    kSum,
    kVelocity,
    kUnique,
    kRate,
    kPositive,
    kNegative,
    kEngagement,
    kField,
    kParam,
    kRandom,
    kRank,
    kDistance,
    kSimilarity,
    kNearestDisliked,
    kOfCreator,  ///< affinity(creator), follows(creator)
    kSinceLast,
    kState,
    kFriends,
    kCohort,
    kModel,
};

struct Function {
    std::string_view name;
    std::string_view signature;
    Form form;
    std::uint32_t arguments_min;
    std::uint32_t arguments_max;
    Op op = Op::kConstant;  ///< Of kPure and kVariadic.
};

std::span<const Function> functions();
const Function* find_function(std::string_view name);

}  // namespace tidal::ranking
