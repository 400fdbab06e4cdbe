#include "signal/internal/decay.h"

#include <algorithm>

namespace tidal::signal {

double scale_by_power(double value, std::int64_t exponent) {
    if (exponent >= -1022 && exponent <= 1023) [[likely]]
        return value * power_of_two(exponent);
    // Two further steps reach from the greatest double to below the smallest, and back.
    for (int step = 0; step < 2 && exponent < -1022; ++step) {
        value *= power_of_two(-1022);
        exponent += 1022;
    }
    for (int step = 0; step < 2 && exponent > 1023; ++step) {
        value *= power_of_two(1023);
        exponent -= 1023;
    }
    return value * power_of_two(std::clamp<std::int64_t>(exponent, -1022, 1023));
}

DecayRule::DecayRule(const schema::SignalSpec& spec) : kind(spec.decay) {
    const auto life = std::clamp<std::int64_t>(spec.half_life_ms, 1, std::int64_t{1} << 52);
    half_life_ms = life;
    span_ms = life * kHalfLivesPerLandmark;
    per_half_life = 1.0 / static_cast<double>(life);
    lifetime_ms = life;
    bucket_ms = std::max<std::int64_t>(1'000, (life + kLinearBuckets - 1) / kLinearBuckets);
}

double DecayRule::rescale(double a, std::int64_t landmarks_risen) {
    // |A| < 2^512 * 2^20 * events: three landmarks later it is below 2^-900 whatever it was.
    if (landmarks_risen >= 3) return 0;
    for (; landmarks_risen > 0; --landmarks_risen) a *= power_of_two(-kHalfLivesPerLandmark);
    return flush_decayed(a);
}

double DecayRule::linear_value(record::FixedWeight sum, std::int64_t bucket, UnixMillis now) const {
    const double age = static_cast<double>(now - bucket * bucket_ms);
    const double left = 1.0 - age / static_cast<double>(lifetime_ms);
    return record::weight_to_double(sum) * std::clamp(left, 0.0, 1.0);
}

DecayReader::DecayReader(const DecayRule& rule, UnixMillis now)
    : rule_(&rule), landmark_(rule.landmark_of(now)), landmark_ms_(landmark_ * rule.span_ms) {
    const DecayRule::Phase phase = rule.phase_of(now - landmark_ms_);
    half_lives_ = phase.half_lives;
    factor_ = detmath::exp2(-phase.fraction);
}

}  // namespace tidal::signal
