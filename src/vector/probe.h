// vector/probe.h: what the vectors of one slot are compared with.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "schema/schema.h"

namespace tidal::vector {

/// Immutable; shared by threads.
struct Probe {
    std::vector<float> values;  ///< Of length 1 under cosine, else as given.
};

/// @return kInvalidArgument as entity::check_vector(): wrong length, NaN, zero norm under cosine.
Result<Probe> make_probe(const schema::EmbeddingSpec& spec, std::span<const float> values);

/// What likeness() compares: of length 1, but under l2 as it is; empty where there is no direction.
std::vector<float> comparable(schema::Metric metric, std::vector<float> values);
/// How alike two vectors of one slot are: the cosine, under l2 1 / (1 + squared distance).
/// @param a, b  Of comparable(), of the same length.
double likeness(schema::Metric metric, std::span<const float> a, std::span<const float> b);

/// Length, in f64.
double norm_of(std::span<const float> values);

}  // namespace tidal::vector
