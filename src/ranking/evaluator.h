// ranking/evaluator.h: runs a program over blocks of entities.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ranking/program.h"

namespace tidal::ranking {

/// One term or feature of an explanation.
struct ExplainedValue {
    std::string text;
    double value = 0;
    bool missing = false;  ///< The entity lacks the field; `value` is the declared default.
};

struct Explanation {
    /// Added from the first to the last (saturating), they give the score to the last bit.
    std::vector<ExplainedValue> terms;
    std::vector<ExplainedValue> features;

    /// Of the terms: the score.
    double sum() const;
};

/// Room for whole vectors behind a block, which also keeps registers out of each other's place in
/// the cache.
inline constexpr std::size_t kRegisterStride = kBlockSlots + 8;

/// Scratch registers for one program and one query. Memory: register_count * 8 KiB.
/// Threads: one at a time. Lifetime: borrows program, source and the context's params.
class Evaluator {
public:
    /// Precondition: context.params.size() == program.params.size().
    Evaluator(const Program& program, FeatureSource& source, const EvaluationContext& context);

    /// @param slots  1..kBlockSlots, best 1..Program::block_slots; consecutive ones are read
    /// faster.
    /// @return The score of each slot, valid until the next call; an error of the source.
    Result<std::span<const double>> run(std::span<const Slot> slots);
    /// Of the last run: 0 for a slot that a `require` leaves out. Precondition: program.gate.
    std::span<const double> gates(std::size_t slots) const { return {reg(*program_.gate), slots}; }
    /// Of the last run: where sign * score >= least, as rising indexes into its slots. Valid until
    /// the next call.
    std::span<const std::uint32_t> at_least(double sign, double least);
    /// Of a program compiled with `explain`.
    Result<Explanation> explain(Slot slot);

private:
    double* reg(std::uint16_t index) const {
        return registers_.get() + std::size_t{index} * kRegisterStride;
    }

    void add(const Sum& sum, double* out);

    const Program& program_;
    FeatureSource& source_;
    EvaluationContext context_;
    std::unique_ptr<double[]> registers_;
    std::vector<char> is_uniform_;         ///< By register: constants and params.
    std::vector<const double*> in_place_;  ///< By register: where a feature lies, if not here.
    std::vector<const double*> columns_;   ///< Of a model.
    std::vector<std::uint32_t> found_;
    std::size_t ran_ = 0;  ///< Slots of the last run.
};

}  // namespace tidal::ranking
