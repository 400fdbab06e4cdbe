#include <cmath>

#include "record/record.h"

namespace tidal::record {

Result<FixedWeight> fixed_weight(double weight) {
    const auto invalid = [&](std::string_view why) {
        return Error(ErrorCode::kInvalidArgument, "weight: " + std::string(why))
            .with_field("weight")
            .with("given", std::to_string(weight));
    };
    if (!std::isfinite(weight)) return invalid("must be a number");
    constexpr double kMax = weight_to_double(kWeightMax);
    if (std::fabs(weight) > kMax) return invalid("must be between -1048576 and 1048576");
    const double scaled = weight * static_cast<double>(kWeightOne);  // exact: a power of two
    const double nearest = std::nearbyint(scaled);
    if (nearest != scaled)
        return invalid("must be a multiple of 2^-20, so that sums are exact")
            .with_hint("the nearest is " + std::to_string(nearest) + " / 1048576");
    return static_cast<FixedWeight>(nearest);
}

}  // namespace tidal::record
