#include "ranking/evaluator.h"

#include <algorithm>
#include <cassert>

#include "ranking/internal/score_math.h"

namespace tidal::ranking {
namespace {

template <double (*F)(double)>
void map1(const double* __restrict a, double* __restrict out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = F(a[i]);
}

template <double (*F)(double, double)>
void map2(const double* a, const double* b, double* __restrict out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = F(a[i], b[i]);
}

}  // namespace

Evaluator::Evaluator(const Program& program, FeatureSource& source,
                     const EvaluationContext& context)
    : program_(program),
      source_(source),
      context_(context),
      registers_(std::make_unique<double[]>(std::size_t{program.register_count} * kBlockSlots)) {
    assert(context.params.size() == program.params.size());
    for (const Instruction& in : program_.uniform) {
        const double value = in.op == Op::kConstant
                                 ? program_.constants[in.index]
                                 : score_math::sanitize(context_.params[in.index]);
        std::fill_n(reg(in.out), kBlockSlots, value);
    }
}

Result<std::span<const double>> Evaluator::run(std::span<const Slot> slots) {
    assert(!slots.empty() && slots.size() <= kBlockSlots);
    for (const Instruction& in : program_.code) {
        if (in.op == Op::kFeature) {
            TIDAL_TRY(source_.fill(program_.features[in.index], slots, context_,
                                   {reg(in.out), slots.size()}));
        } else {
            compute(in, slots.size());
        }
    }
    return std::span<const double>(reg(program_.score), slots.size());
}

void Evaluator::compute(const Instruction& in, std::size_t n) {
    using namespace score_math;
    const double* a = reg(in.a);
    const double* b = reg(in.b);
    double* out = reg(in.out);
    // A register is given back only after the instruction that reads it last has its own.
    assert(out != a);
    switch (in.op) {
        case Op::kNegate:
            return map1<negate>(a, out, n);
        case Op::kLog:
            return map1<natural_log>(a, out, n);
        case Op::kLog10:
            return map1<decimal_log>(a, out, n);
        case Op::kLog1p:
            return map1<log_plus_one>(a, out, n);
        case Op::kExp:
            return map1<exponential>(a, out, n);
        case Op::kSqrt:
            return map1<square_root>(a, out, n);
        case Op::kAbs:
            return map1<absolute>(a, out, n);
        case Op::kSign:
            return map1<sign>(a, out, n);
        case Op::kSigmoid:
            return map1<sigmoid>(a, out, n);
        case Op::kAdd:
            return map2<add>(a, b, out, n);
        case Op::kSubtract:
            return map2<subtract>(a, b, out, n);
        case Op::kMultiply:
            return map2<multiply>(a, b, out, n);
        case Op::kDivide:
            return map2<divide>(a, b, out, n);
        case Op::kPower:
            return map2<power>(a, b, out, n);
        case Op::kLess:
            return map2<less>(a, b, out, n);
        case Op::kLessEqual:
            return map2<less_equal>(a, b, out, n);
        case Op::kEqual:
            return map2<equal>(a, b, out, n);
        case Op::kNotEqual:
            return map2<not_equal>(a, b, out, n);
        case Op::kMin:
            return map2<minimum>(a, b, out, n);
        case Op::kMax:
            return map2<maximum>(a, b, out, n);
        case Op::kWilson:
            return map2<wilson>(a, b, out, n);
        case Op::kIf: {
            const double* c = reg(in.c);
            for (std::size_t i = 0; i < n; ++i) out[i] = select(a[i], b[i], c[i]);
            return;
        }
        case Op::kConstant:
        case Op::kParam:
        case Op::kFeature:
            assert(false && "not a computation");
    }
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
