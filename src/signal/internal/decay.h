// signal/internal/decay.h: one signal's decay, in the form the ledger adds and reads.
//
// Exponential S(t) = sum w_i * 2^-((t - t_i) / h), stored forward as A = sum w_i * 2^((t_i - L) /
// h)
//             (Cormode, Shkapenyuk, Srivastava, Xu: "Forward Decay", ICDE 2009), so S(t) =
//             A * 2^-((t - L) / h). L is the pair's landmark: the multiple of 512 half-lives at or
//             below its newest event. It is never stored. As 2^((t_i - L) / h) is computed as an
//             exact power of two times 2^fraction with a fraction that does not depend on L,
//             raising L multiplies A by an exact power of two, and the bits of A depend on the
//             pair's own events alone: not on other pairs, on batches or on what was on disk
//             meanwhile. What falls below 2^-900 is 0.
// Linear      a weight falls to 0 over a lifetime, by buckets of max(1 s, lifetime / 64, rounded
// up)
//             numbered from the Unix epoch, each as old as its start: S(t) = sum over buckets of
//             sum_b * clamp(1 - (t - start_b) / lifetime, 0, 1).
// Permanent   S = the sum of all weights.
#pragma once

#include <bit>
#include <cstdint>

#include "base/detmath.h"
#include "record/record.h"
#include "schema/schema.h"
#include "signal/internal/time_cells.h"

namespace tidal::signal {

inline constexpr std::int64_t kHalfLivesPerLandmark = 512;
inline constexpr double kDecayedMin = 0x1p-900;
inline constexpr int kLinearBuckets = 64;
/// Buckets a pair keeps at most: its lifetime and the 60 s a query may be behind its newest event.
inline constexpr std::size_t kBucketsMax = 2 * kLinearBuckets;

inline double flush_decayed(double value) {
    return (value < kDecayedMin && value > -kDecayedMin) ? 0.0 : value;
}

/// 2^exponent for -1022 <= exponent <= 1023.
inline double power_of_two(std::int64_t exponent) {
    return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}
/// value * 2^exponent for any exponent.
double scale_by_power(double value, std::int64_t exponent);

struct DecayRule {
    schema::DecayKind kind = schema::DecayKind::kPermanent;
    std::int64_t half_life_ms = 1;                 ///< Exponential.
    std::int64_t span_ms = kHalfLivesPerLandmark;  ///< Between landmarks.
    double per_half_life = 1;                      ///< 1 / half_life_ms.
    std::int64_t lifetime_ms = 1;                  ///< Linear.
    std::int64_t bucket_ms = 1;

    explicit DecayRule(const schema::SignalSpec& spec);

    // Exponential.
    std::int64_t landmark_of(UnixMillis at) const { return floor_div(at, span_ms); }
    /// weight * 2^((at - landmark) / h), 0 below 2^-900. `at` < landmark + span.
    double contribution(record::FixedWeight weight, UnixMillis at, std::int64_t landmark) const {
        const Phase phase = phase_of(at - landmark * span_ms);
        if (phase.half_lives < -1000) return 0;
        const double factor = detmath::exp2(phase.fraction) * power_of_two(phase.half_lives);
        return flush_decayed(record::weight_to_double(weight) * factor);
    }
    /// A after the landmark rose.
    static double rescale(double a, std::int64_t landmarks_risen);

    // Linear.
    std::int64_t bucket_of(UnixMillis at) const { return floor_div(at, bucket_ms); }
    /// Whether no query at or after head - 60 s can see the bucket.
    bool bucket_spent(std::int64_t bucket, UnixMillis head) const {
        return bucket * bucket_ms + lifetime_ms <= head - 60'000;
    }
    double linear_value(record::FixedWeight sum, std::int64_t bucket, UnixMillis now) const;

    /// An offset in whole half-lives (rounded down) and the rest in [0, 1).
    struct Phase {
        std::int64_t half_lives;
        double fraction;
    };
    Phase phase_of(std::int64_t offset_ms) const {
        // A multiplication instead of a 64-bit division; the integers then put it right.
        auto whole = static_cast<std::int64_t>(static_cast<double>(offset_ms) * per_half_life);
        std::int64_t rest = offset_ms - whole * half_life_ms;
        for (; rest < 0; --whole) rest += half_life_ms;
        for (; rest >= half_life_ms; ++whole) rest -= half_life_ms;
        return {whole, static_cast<double>(rest) * per_half_life};
    }
};

/// Reads scores of one signal at one time: one exponential for all pairs.
class DecayReader {
public:
    DecayReader(const DecayRule& rule, UnixMillis now);
    /// S(now) of an exponential pair.
    double value(double a, UnixMillis head) const {
        const std::int64_t landmark = static_cast<std::uint64_t>(head - landmark_ms_) <
                                              static_cast<std::uint64_t>(rule_->span_ms)
                                          ? landmark_
                                          : rule_->landmark_of(head);
        return scale_by_power(a * factor_,
                              -half_lives_ - kHalfLivesPerLandmark * (landmark_ - landmark));
    }

private:
    const DecayRule* rule_;
    std::int64_t landmark_;  ///< Of `now`.
    std::int64_t landmark_ms_;
    std::int64_t half_lives_ = 0;  ///< Whole ones from the landmark to `now`.
    double factor_ = 1;            ///< 2^-(the rest).
};

}  // namespace tidal::signal
