// ranking/program.h: score expressions compiled to straight-line programs over blocks of entities.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ranking/candidate_source.h"
#include "ranking/expression.h"
#include "ranking/feature.h"
#include "ranking/model.h"
#include "schema/schema.h"

namespace tidal::ranking {

/// Slots scored at once.
inline constexpr std::size_t kBlockSlots = 1024;
/// The most a program may cost for one entity, and what one run may cost: about a quarter of a
/// millisecond, after which a scan can let others have the shard.
inline constexpr std::uint32_t kCostMax = 16'384;
inline constexpr std::uint32_t kBlockNanoseconds = 262'144;

enum class Op : std::uint8_t {
    kConstant,
    kParam,
    kFeature,  // index
    kNegate,
    kLog,
    kLog10,
    kLog1p,
    kExp,
    kSqrt,
    kAbs,
    kSign,
    kSigmoid,  // a
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kPower,
    kLess,
    kLessEqual,
    kEqual,
    kNotEqual,
    kMin,
    kMax,
    kWilson,  // a, b
    kIf,      // a, b, c
    kModel,   // index: its call
    kSum,     // index: its terms
};

struct Instruction {
    Op op = Op::kConstant;
    std::uint16_t out = 0;              ///< Register written.
    std::uint16_t a = 0, b = 0, c = 0;  ///< Registers read.
    std::uint32_t index = 0;            ///< Into constants, params, features, model_calls or sums.
    /// Of a feature: only sums read it, so that its numbers may stay where the source has them.
    bool in_place = false;
};

/// One addend of a sum: (negated ? -1 : 1) * factor * value.
struct SumTerm {
    std::uint16_t value = 0;              ///< Register.
    std::optional<std::uint16_t> factor;  ///< Register of a constant or param; none = 1.
    bool negated = false;
    double missing = 0;  ///< For a NaN of a feature that is read in place.
};

/// Added from the first to the last, in one pass over a block instead of one for each operator.
/// Every product and every addition saturates as if it stood alone.
using Sum = std::vector<SumTerm>;
inline constexpr std::size_t kSumTermsMax = 8;

struct ModelCall {
    std::shared_ptr<const Model> model;
    std::vector<std::uint16_t> inputs;  ///< Registers, one for each of its inputs.
};

/// A value worth showing to a person, kept in a register to the end of a run.
struct NamedOutput {
    std::string text;  ///< The subexpression, as the printer writes it.
    std::uint16_t reg = 0;
    std::int32_t feature = -1;  ///< Its feature, when it is one fetched as such.
};

/// Straight-line code over registers of kBlockSlots doubles. Equal subexpressions are computed, and
/// equal features fetched, once per block. Immutable; shared by threads.
struct Program {
    std::vector<Instruction> uniform;  ///< Constants and params: run once per query.
    std::vector<Instruction> code;     ///< Run once per block, in order.
    std::vector<double> constants;
    std::vector<std::string> params;  ///< Names, in the order the evaluator wants their values.
    std::vector<Feature> features;
    std::vector<ModelCall> model_calls;
    std::vector<Sum> sums;  ///< Each of 2..kSumTermsMax terms.
    std::uint16_t register_count = 0;
    std::uint16_t score = 0;  ///< Register of the result, penalties included.
    /// Register that is 0 where a `require` does not hold; none when there is no such statement.
    std::optional<std::uint16_t> gate;
    /// What some gate refuses for this alone, as it says `require 1 - state(name)`: items of which
    /// the user's state holds.
    std::vector<audience::StateId> refused_states;
    std::vector<NamedOutput> terms;  ///< Only of compile with explain; see below.
    std::vector<NamedOutput> feature_values;
    std::vector<std::string> warnings;
    std::vector<Need> needs;  ///< Of the features, each once.
    /// About the nanoseconds one entity takes on one core, at most kCostMax; see cost.h.
    std::uint32_t cost = 1;
    /// Slots to score at once, 1..kBlockSlots, so that a run stays near kBlockNanoseconds.
    std::size_t block_slots = kBlockSlots;
};

/// Whether a feature reads the request's query.
bool needs_query(const Program& program);

/// A name for a subexpression; usable in what follows it.
struct Definition {
    std::string name;
    Expr value;
    bool operator==(const Definition&) const = default;
};

inline constexpr double kPenaltyMin = 1e-6;

/// Multiplies a positive score by `factor` and divides a negative one, where `when` is not 0.
struct Penalty {
    double factor = 1;  ///< [kPenaltyMin, 1].
    Expr when;
    bool operator==(const Penalty&) const = default;
};

struct CompileInput {
    const Expr& score;
    std::span<const Definition> definitions;
    std::string_view source;           ///< The text the offsets count in; "" when there is none.
    std::span<const Expr> gates = {};  ///< All must be other than 0.
    std::span<const Penalty> penalties = {};  ///< Applied to `score` in this order.
    const ModelSet* models = nullptr;         ///< What model(name) may name; nullptr = none.
    std::span<const Source> sources = {};     ///< What rank(source) may name.
    bool by_field = false;  ///< `score` names a field to order by, which may be a text.
    /// `score` is what the ranks of the sources give, whatever the profile defines as `fused`.
    bool fused = false;
    /// Also keep the terms of the outermost sum and what each penalty adds (added in order, they
    /// give the score exactly) and the value of every feature.
    bool explain = false;
};

/// Resolves names against `schema` for entities of `kind` and checks arguments.
/// @return kUnknownName     field, signal, function or window, with a hint;
///         kInvalidArgument an argument of the wrong kind or number; both with line, column,
///         offset. kTooLarge        more values than registers, or a cost above kCostMax.
Result<Program> compile(const CompileInput& input, const schema::Schema& schema, EntityKind kind);

/// Every function and feature the language has, as one line each: "sum(signal, window)".
std::vector<std::string_view> function_signatures();

}  // namespace tidal::ranking
