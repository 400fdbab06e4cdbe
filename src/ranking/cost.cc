#include "ranking/internal/cost.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace tidal::ranking {

std::uint32_t cost_of(Op op) {
    switch (op) {
        case Op::kConstant:
        case Op::kParam:
        case Op::kFeature:
            return 0;
        case Op::kDivide:
        case Op::kSqrt:
            return 2;
        case Op::kLog1p:  // Of vectors of two; others take a third of it.
            return 6;
        case Op::kExp:
        case Op::kLog:
        case Op::kLog10:
        case Op::kSigmoid:
        case Op::kWilson:
            return 20;
        case Op::kPower:
            return 80;
        default:
            return 1;
    }
}

/// A pair of an entity and a signal may lie on disk; the figure is of one in memory.
std::uint32_t cost_of(const Feature& feature) {
    switch (feature.kind) {
        case FeatureKind::kAgeHours:
        case FeatureKind::kCreatedAt:
        case FeatureKind::kField:
        case FeatureKind::kText:
        case FeatureKind::kDaysSinceLast:
            return 2;
        case FeatureKind::kRandom:
            return 10;
        case FeatureKind::kUnique:
            return 200;
        case FeatureKind::kDistance:
            return 80;
        case FeatureKind::kSimilarity:
        case FeatureKind::kNearestDisliked:
            return feature.nanoseconds;
        default:
            return 40;
    }
}

namespace {

/// As its operators one by one.
std::uint32_t cost_of(const Sum& sum) {
    const auto products =
        std::ranges::count_if(sum, [](const SumTerm& term) { return term.factor.has_value(); });
    return static_cast<std::uint32_t>(sum.size() - 1 + static_cast<std::size_t>(products));
}

std::uint32_t cost_of(const Program& program, const Instruction& in) {
    if (in.op == Op::kFeature) return cost_of(program.features[in.index]);
    constexpr std::uint32_t kStep = 3;
    if (in.op == Op::kSum) return cost_of(program.sums[in.index]);
    if (in.op == Op::kModel) return kStep * program.model_calls[in.index].model->steps();
    return cost_of(in.op);
}

/// Registers that a block writes: what is read in place needs none.
std::size_t registers_written(const Program& program) {
    std::vector<bool> written(program.register_count);
    for (const Instruction& in : program.code)
        if (!in.in_place) written[in.out] = true;
    return static_cast<std::size_t>(std::ranges::count(written, true));
}

/// So that what a block writes is still in the first cache when it is read: half of a small one.
std::size_t slots_in_cache(const Program& program) {
    constexpr std::size_t kBytes = 16 * 1024, kSlotsMin = 128;
    const std::size_t fit =
        kBytes / sizeof(double) / std::max<std::size_t>(registers_written(program), 1);
    return std::clamp(std::bit_floor(fit), kSlotsMin, kBlockSlots);
}

}  // namespace

Result<void> meter(Program* program) {
    std::uint64_t cost = 1;
    for (const Instruction& in : program->code) cost += cost_of(*program, in);
    if (cost > kCostMax)
        return Error(ErrorCode::kTooLarge, "the expression costs too much for each entity")
            .with("cost", cost)
            .with_hint("at most " + std::to_string(kCostMax) +
                       "; a feature counts 2 to 200, a power 80, a logarithm 20, a sum 1, a step "
                       "in a tree 3")
            .with_reason("expression_too_costly");
    program->cost = static_cast<std::uint32_t>(cost);
    program->block_slots =
        std::min<std::size_t>(slots_in_cache(*program), kBlockNanoseconds / cost);
    return {};
}

}  // namespace tidal::ranking
