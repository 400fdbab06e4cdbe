// ranking/table_features.h: features read from the tables of one shard.
#pragma once

#include <vector>

#include "ranking/feature.h"
#include "ranking/shard_view.h"
#include "record/value.h"

namespace tidal::ranking {

/// Threads and lifetime: those of the view.
class TableFeatureSource final : public FeatureSource {
public:
    explicit TableFeatureSource(const ShardView& view);

    Result<void> fill(const Feature& feature, std::span<const Slot> slots,
                      const EvaluationContext& context, std::span<double> out) override;
    std::span<const double> numbers(const Feature& feature,
                                    std::span<const Slot> slots) const override;
    bool is_missing(const Feature& feature, Slot slot) const override;

private:
    Result<void> fill_decay(const Feature& feature, std::span<const Slot> slots, UnixMillis now_ms,
                            std::span<double> out);
    Result<void> fill_window(const Feature& feature, std::span<const Slot> slots, UnixMillis now_ms,
                             std::span<double> out);
    void fill_cohort(const Feature& feature, CohortId cohort, std::span<const Slot> slots,
                     UnixMillis now_ms, std::span<double> out) const;
    void fill_cohort_unique(const Feature& feature, CohortId cohort, std::span<const Slot> slots,
                            UnixMillis now_ms, std::span<double> out) const;
    Result<void> fill_unique(const Feature& feature, std::span<const Slot> slots, UnixMillis now_ms,
                             std::span<double> out);
    void fill_nearest_disliked(const Feature& feature, std::span<const Slot> slots,
                               const AnchorVectors* anchors, std::span<double> out);
    void fill_similarity(const Feature& feature, std::span<const Slot> slots,
                         const AnchorVectors* anchors, std::span<double> out);
    void fill_distance(const Feature& feature, std::span<const Slot> slots,
                       std::span<const double> params, std::span<double> out);
    void fill_field(const Feature& feature, std::span<const Slot> slots, bool neighbours,
                    std::span<double> out) const;

    const ShardView& view_;
    std::vector<double> decayed_;              ///< One region's part of a block.
    std::vector<signal::WindowValue> window_;  ///< Likewise.
};

/// The value of random(seed) for one entity: uniform in [0, 1), by its id alone.
double random_of(const EntityId& id, std::uint64_t seed);

/// Mean radius (IUGG): within 0.6 % of the distance on the ellipsoid.
inline constexpr double kEarthRadiusKm = 6371.0088;
/// Along the great circle. Any finite degrees.
double distance_km(const record::GeoPoint& a, const record::GeoPoint& b);

}  // namespace tidal::ranking
