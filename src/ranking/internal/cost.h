// ranking/internal/cost.h: what a program may cost, known before it runs.
//
// Straight-line code has no loops, so its cost is the sum of its instructions. The unit is about
// the nanosecond that bench/ranking_bench.cc measures for one entity on one core, rounded up.
#pragma once

#include "ranking/program.h"

namespace tidal::ranking {

std::uint32_t cost_of(Op op);
std::uint32_t cost_of(const Feature& feature);

/// Fills in `cost` and `block_slots`. kTooLarge above kCostMax.
Result<void> meter(Program* program);

}  // namespace tidal::ranking
