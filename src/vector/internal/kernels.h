// vector/internal/kernels.h: sums of products over many vectors, chosen for the machine at run
// time.
//
// Sixteen partial sums in every build of it, whatever the machine's registers hold, added up in one
// fixed order, and no fused multiply-add: the bits are the same everywhere, and those of one vector
// do not depend on the others of a call.
#pragma once

#include <cstddef>
#include <span>

#include "schema/schema.h"

namespace tidal::vector::kernels {

/// out[i] = sum over d of probe[d] * row_i[d], in f32. Components of int8 are taken as they are
/// stored, without the vector's scale.
/// @param rows  Each float, half or int8 [probe.size()], of any alignment.
/// @param out   rows.size() of them.
void dot(schema::VectorStorage storage, std::span<const float> probe,
         std::span<const void* const> rows, float* out);

/// out[i] = sum over d of (probe[d] - scale_i * row_i[d])^2.
/// @param scales  rows.size() of them with int8, else not read.
void squared_distance(schema::VectorStorage storage, std::span<const float> probe,
                      std::span<const void* const> rows, const float* scales, float* out);

}  // namespace tidal::vector::kernels
