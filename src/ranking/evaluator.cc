#include "ranking/evaluator.h"

#include <algorithm>
#include <cassert>

#include "ranking/internal/block_math.h"
#include "ranking/internal/score_math.h"

namespace tidal::ranking {
static_assert(kRegisterStride >= kBlockSlots + block_math::kPadding);

double Explanation::sum() const {
    double out = 0;
    for (const ExplainedValue& term : terms) out = score_math::add(out, term.value);
    return out;
}

Evaluator::Evaluator(const Program& program, FeatureSource& source,
                     const EvaluationContext& context)
    : program_(program),
      source_(source),
      context_(context),
      registers_(std::make_unique<double[]>(std::size_t{program.register_count} * kRegisterStride)),
      is_uniform_(program.register_count),
      in_place_(program.register_count) {
    assert(context.params.size() == program.params.size());
    for (const Instruction& in : program_.uniform) {
        const double value = in.op == Op::kConstant
                                 ? program_.constants[in.index]
                                 : score_math::sanitize(context_.params[in.index]);
        std::fill_n(reg(in.out), kRegisterStride, value);
        is_uniform_[in.out] = true;
    }
}

Result<std::span<const double>> Evaluator::run(std::span<const Slot> slots) {
    assert(!slots.empty() && slots.size() <= kBlockSlots);
    context_.neighbours = block_math::are_consecutive(slots);
    ran_ = slots.size();
    const auto operand = [&](std::uint16_t index) {
        return block_math::Operand{reg(index), is_uniform_[index] != 0};
    };
    for (const Instruction& in : program_.code) {
        in_place_[in.out] = nullptr;
        if (in.op == Op::kFeature) {
            const Feature& feature = program_.features[in.index];
            const auto numbers = in.in_place && context_.neighbours
                                     ? source_.numbers(feature, slots)
                                     : std::span<const double>();
            if (!numbers.empty()) {
                in_place_[in.out] = numbers.data();
                continue;
            }
            TIDAL_TRY(source_.fill(feature, slots, context_, {reg(in.out), slots.size()}));
        } else if (in.op == Op::kSum) {
            add(program_.sums[in.index], reg(in.out));
        } else if (in.op == Op::kModel) {
            const ModelCall& call = program_.model_calls[in.index];
            columns_.clear();
            for (const std::uint16_t input : call.inputs) columns_.push_back(reg(input));
            call.model->score(columns_, slots.size(), reg(in.out));
        } else {
            // A register is given back only after the instruction that reads it last has its own.
            block_math::compute(in.op, operand(in.a), operand(in.b), operand(in.c), reg(in.out),
                                slots.size());
        }
    }
    return std::span<const double>(reg(program_.score), slots.size());
}

void Evaluator::add(const Sum& sum, double* out) {
    block_math::Addend addends[kSumTermsMax];
    for (std::size_t k = 0; k < sum.size(); ++k) {
        const SumTerm& term = sum[k];
        const double* const there = in_place_[term.value];
        const double factor = term.factor ? *reg(*term.factor) : 1;
        addends[k] = {there != nullptr ? there : reg(term.value), term.negated ? -factor : factor,
                      score_math::sanitize(term.missing)};
    }
    block_math::add_products({addends, sum.size()}, out, ran_);
}

std::span<const std::uint32_t> Evaluator::at_least(double sign, double least) {
    found_.resize(kBlockSlots);
    return {found_.data(),
            block_math::find_at_least({reg(program_.score), ran_}, sign, least, found_.data())};
}

Result<Explanation> Evaluator::explain(Slot slot) {
    TIDAL_TRY(run({&slot, 1}));
    Explanation out;
    const auto copy = [&](const std::vector<NamedOutput>& from, std::vector<ExplainedValue>* to) {
        for (const NamedOutput& output : from) {
            const bool missing =
                output.feature >= 0 && source_.is_missing(program_.features[output.feature], slot);
            to->push_back({output.text, *reg(output.reg), missing});
        }
    };
    copy(program_.terms, &out.terms);
    copy(program_.feature_values, &out.features);
    return out;
}

}  // namespace tidal::ranking
