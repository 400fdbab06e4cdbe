// ranking/internal/block_math.h: the operators of score_math.h over blocks, with whatever vectors
// the machine has.
//
// Invariant: bit for bit what score_math.h gives, on every target: the same operations in the same
// order, no fused multiply-add. tests/block_math_test.cc holds every target of the machine to it.
#pragma once

#include <cstddef>
#include <span>

#include "ranking/program.h"

namespace tidal::ranking::block_math {

/// Doubles that a block may be read and written past its end, up to the next whole vector.
inline constexpr std::size_t kPadding = 8;

/// out[i] = op(a[i], b[i], c[i]) for i < n. Operands the operator does not read may be anything.
/// @param out  None of those that are read.
/// @pre   All have n + kPadding doubles; op computes (no constant, param, feature or model).
void compute(Op op, const double* a, const double* b, const double* c, double* out, std::size_t n);

/// out[i] = values[i], or `missing` where that is NaN, saturated.
/// @param out  May have no padding.
void copy_numbers(std::span<const double> values, double missing, double* out);

}  // namespace tidal::ranking::block_math
