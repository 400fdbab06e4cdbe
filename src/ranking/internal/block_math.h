// ranking/internal/block_math.h: the operators of score_math.h over blocks, with whatever vectors
// the machine has.
//
// Invariant: bit for bit what score_math.h gives, on every target: the same operations in the same
// order, no fused multiply-add. tests/block_math_test.cc holds every target of the machine to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ids.h"
#include "ranking/program.h"

namespace tidal::ranking::block_math {

/// Doubles that a block may be read and written past its end, up to the next whole vector.
inline constexpr std::size_t kPadding = 8;

/// What an operator reads, n + kPadding doubles.
struct Operand {
    const double* values = nullptr;
    bool uniform = false;  ///< All are the first: it is held in a vector instead of read again.
};

/// out[i] = op(a[i], b[i], c[i]) for i < n. Operands the operator does not read may be anything.
/// @param out  None of those that are read; n + kPadding doubles.
/// @pre   op computes (no constant, param, feature or model).
void compute(Op op, Operand a, Operand b, Operand c, double* out, std::size_t n);

/// An addend: weight * values[i], or weight * missing where that is NaN.
struct Addend {
    const double* values = nullptr;  ///< n numbers of any kind; no padding.
    double weight = 1;               ///< Finite, |x| <= kMagnitudeMax, like `missing`.
    double missing = 0;
};
/// out[i] = the sum of the addends from the first to the last, every number, product and sum of two
/// saturated on its own.
/// @param addends  2..kSumTermsMax.
/// @param out      None of those that are read; n + kPadding doubles.
void add_products(std::span<const Addend> addends, double* out, std::size_t n);

/// out[i] = values[i], or `missing` where that is NaN, saturated.
/// @param out  May have no padding.
void copy_numbers(std::span<const double> values, double missing, double* out);

/// Whether each is the one before plus 1.
bool are_consecutive(std::span<const Slot> slots);

/// Where sign * values[i] >= least, as rising indexes.
/// @param out  Room for all of them.
/// @return How many.
std::size_t find_at_least(std::span<const double> values, double sign, double least,
                          std::uint32_t* out);

}  // namespace tidal::ranking::block_math
