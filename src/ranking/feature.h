// ranking/feature.h: the columns a score program reads, and who fills them.
#pragma once

#include <compare>
#include <cstdint>
#include <span>

#include "base/hlc.h"
#include "base/ids.h"
#include "base/result.h"
#include "schema/schema.h"

namespace tidal::ranking {

enum class FeatureKind : std::uint8_t {
    kDecay,      ///< Decayed score of `signal`.
    kCount,      ///< Events of `signal` in `window`.
    kSum,        ///< Weights of `signal` in `window`.
    kUnique,     ///< Distinct users of `signal` in its declared window.
    kAgeHours,   ///< max(0, now - created_at), in hours.
    kCreatedAt,  ///< Unix milliseconds.
    kField,      ///< `field`; `missing` where the entity lacks it.
    kRandom,     ///< Uniform in [0, 1) by (entity id, seed): the same on every shard.
};

/// One column. Members a kind does not use keep their defaults, so that equality is identity.
struct Feature {
    FeatureKind kind = FeatureKind::kAgeHours;
    SignalTypeId signal;
    schema::Window window = schema::Window::kAll;
    FieldId field;
    double missing = 0;
    bool seed_of_request = false;
    std::uint64_t seed = 0;
    auto operator<=>(const Feature&) const = default;
};

/// What a whole query has in common.
struct EvaluationContext {
    UnixMillis now_ms = 0;
    std::uint64_t seed = 0;          ///< What `seed` stands for.
    std::span<const double> params;  ///< By Program::params.
};

/// Threads: as the state behind it (the shard's).
class FeatureSource {
public:
    virtual ~FeatureSource() = default;
    /// @param slots  1..kBlockSlots slots of live entities.
    /// @param out    Same length; finite values, |x| <= kMagnitudeMax.
    /// @return kIo   state on disk cannot be read; `out` is unspecified.
    virtual Result<void> fill(const Feature& feature, std::span<const Slot> slots,
                              const EvaluationContext& context, std::span<double> out) = 0;
    /// Whether `fill` gave the default because the entity lacks the value.
    virtual bool is_missing(const Feature& feature, Slot slot) const = 0;
};

}  // namespace tidal::ranking
