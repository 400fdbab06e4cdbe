// api/internal/intervals.h: where a rate and a mean lie with 95 % confidence, as if every trial
// were independent of the others.
#pragma once

#include <cstdint>
#include <optional>

#include "api/types.h"

namespace tidal::api {

/// Of a rate: Wilson 1927, without correction for continuity. It stays within 0..1 and has a width
/// also where there is no success, or no failure.
/// @return nullopt without trials.
std::optional<Interval> wilson_interval(std::uint64_t successes, std::uint64_t trials);

/// Of a mean: normal approximation, with the variance of a sample.
/// @return nullopt for fewer than two values.
std::optional<Interval> mean_interval(std::uint64_t values, double sum, double sum_of_squares);

}  // namespace tidal::api
