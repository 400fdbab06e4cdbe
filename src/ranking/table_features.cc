#include "ranking/table_features.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "audience/cohort_ledgers.h"
#include "base/hash.h"
#include "ranking/anchor_vectors.h"
#include "ranking/internal/block_math.h"
#include "ranking/internal/score_math.h"
#include "ranking/program.h"

namespace tidal::ranking {
namespace {

constexpr double kMillisPerHour = 3'600'000;

double cell(std::span<const double> column, Slot slot) {
    return slot.value() < column.size() ? column[slot.value()]
                                        : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

double random_of(const EntityId& id, std::uint64_t seed) {
    std::uint64_t hash = 0;
    if (id.is_text()) {
        hash = hash64(id.text(), seed);
    } else {
        const std::uint64_t number = id.number();
        char bytes[sizeof(number)];
        std::memcpy(bytes, &number, sizeof(number));
        hash = hash64({bytes, sizeof(bytes)}, seed);
    }
    return static_cast<double>(hash >> 11) * 0x1p-53;
}

/// Haversine formula: Sinnott 1984, "Virtues of the haversine".
double distance_km(const record::GeoPoint& a, const record::GeoPoint& b) {
    constexpr double kRadians = std::numbers::pi / 180;
    const auto half_sine_squared = [](double degrees) {
        const double sine = std::sin(degrees * kRadians / 2);
        return sine * sine;
    };
    const double h = half_sine_squared(b.latitude - a.latitude) +
                     std::cos(a.latitude * kRadians) * std::cos(b.latitude * kRadians) *
                         half_sine_squared(b.longitude - a.longitude);
    return 2 * kEarthRadiusKm * std::asin(std::sqrt(std::clamp(h, 0.0, 1.0)));
}

TableFeatureSource::TableFeatureSource(const ShardView& view) : view_(view) {}

Result<void> TableFeatureSource::fill(const Feature& feature, std::span<const Slot> slots,
                                      const EvaluationContext& context, std::span<double> out) {
    assert(slots.size() == out.size() && slots.size() <= kBlockSlots);
    const auto created_at = view_.entities.created_at_column();
    switch (feature.kind) {
        case FeatureKind::kDecay:
            return fill_decay(feature, slots, context.now_ms, out);
        case FeatureKind::kCount:
        case FeatureKind::kSum:
            if (feature.of_cohort && context.cohort) {
                fill_cohort(feature, *context.cohort, slots, context.now_ms, out);
                return {};
            }
            return fill_window(feature, slots, context.now_ms, out);
        case FeatureKind::kUnique:
            if (feature.of_cohort && context.cohort) {
                fill_cohort_unique(feature, *context.cohort, slots, context.now_ms, out);
                return {};
            }
            return fill_unique(feature, slots, context.now_ms, out);
        case FeatureKind::kField:
        case FeatureKind::kText:
            fill_field(feature, slots, context.neighbours, out);
            return {};
        case FeatureKind::kAgeHours:
            for (std::size_t i = 0; i < slots.size(); ++i) {
                const auto age_ms =
                    static_cast<double>(context.now_ms - created_at[slots[i].value()]);
                out[i] = std::max(age_ms, 0.0) / kMillisPerHour;
            }
            return {};
        case FeatureKind::kCreatedAt:
            for (std::size_t i = 0; i < slots.size(); ++i)
                out[i] = static_cast<double>(created_at[slots[i].value()]);
            return {};
        case FeatureKind::kRandom: {
            const std::uint64_t seed = feature.seed_of_request ? context.seed : feature.seed;
            for (std::size_t i = 0; i < slots.size(); ++i)
                out[i] = random_of(view_.entities.id_of(slots[i]), seed);
            return {};
        }
        case FeatureKind::kDistance:
            fill_distance(feature, slots, context.params, out);
            return {};
        case FeatureKind::kSimilarity:
            fill_similarity(feature, slots, context.anchors, out);
            return {};
        case FeatureKind::kNearestDisliked:
            fill_nearest_disliked(feature, slots, context.anchors, out);
            return {};
        default:
            break;
    }
    assert(false && "a profile that needs it is not available");
    return {};
}

Result<void> TableFeatureSource::fill_decay(const Feature& feature, std::span<const Slot> slots,
                                            UnixMillis now_ms, std::span<double> out) {
    std::ranges::fill(out, 0.0);
    decayed_.resize(std::max(decayed_.size(), slots.size()));
    const std::span part(decayed_.data(), slots.size());
    for (signal::LedgerTable* ledger : view_.ledgers) {
        TIDAL_TRY(ledger->read_decayed(feature.signal, slots, now_ms, part));
        for (std::size_t i = 0; i < slots.size(); ++i) out[i] += part[i];
    }
    for (double& value : out) value = score_math::sanitize(value);
    return {};
}

/// Regions are added as integers: exact, whatever their number.
Result<void> TableFeatureSource::fill_window(const Feature& feature, std::span<const Slot> slots,
                                             UnixMillis now_ms, std::span<double> out) {
    window_.resize(std::max(window_.size(), slots.size()));
    const std::span part(window_.data(), slots.size());
    std::int64_t totals[kBlockSlots];
    std::fill_n(totals, slots.size(), 0);
    const bool counts = feature.kind == FeatureKind::kCount;
    for (signal::LedgerTable* ledger : view_.ledgers) {
        TIDAL_TRY(ledger->read_window(feature.signal, feature.window, slots, now_ms, part));
        for (std::size_t i = 0; i < slots.size(); ++i)
            totals[i] += counts ? part[i].count : part[i].sum;
    }
    const double scale = counts ? 1.0 : 1.0 / record::kWeightOne;
    for (std::size_t i = 0; i < slots.size(); ++i) out[i] = static_cast<double>(totals[i]) * scale;
    return {};
}

void TableFeatureSource::fill_cohort(const Feature& feature, CohortId cohort,
                                     std::span<const Slot> slots, UnixMillis now_ms,
                                     std::span<double> out) const {
    if (view_.cohorts == nullptr) {
        std::ranges::fill(out, 0.0);
        return;
    }
    audience::CohortLedgers::Sum sums[kBlockSlots];
    view_.cohorts->read(cohort, feature.signal, feature.window, slots, now_ms,
                        std::span(sums, slots.size()));
    const bool counts = feature.kind == FeatureKind::kCount;
    for (std::size_t i = 0; i < slots.size(); ++i)
        out[i] = counts ? static_cast<double>(sums[i].count)
                        : static_cast<double>(sums[i].sum) / record::kWeightOne;
}

void TableFeatureSource::fill_cohort_unique(const Feature& feature, CohortId cohort,
                                            std::span<const Slot> slots, UnixMillis now_ms,
                                            std::span<double> out) const {
    std::ranges::fill(out, 0.0);
    if (view_.cohort_uniques == nullptr) return;
    for (std::size_t i = 0; i < slots.size(); ++i)
        out[i] = score_math::sanitize(view_.cohort_uniques->estimate(
            slots[i], cohort, feature.signal, feature.window, now_ms));
}

Result<void> TableFeatureSource::fill_unique(const Feature& feature, std::span<const Slot> slots,
                                             UnixMillis now_ms, std::span<double> out) {
    std::ranges::fill(out, 0.0);
    if (view_.uniques == nullptr) return {};
    for (std::size_t i = 0; i < slots.size(); ++i) {
        TIDAL_ASSIGN(const double users, view_.uniques->estimate(slots[i], feature.signal, now_ms));
        out[i] = score_math::sanitize(users);
    }
    return {};
}

void TableFeatureSource::fill_field(const Feature& feature, std::span<const Slot> slots,
                                    bool neighbours, std::span<double> out) const {
    const auto together = neighbours ? numbers(feature, slots) : std::span<const double>();
    if (!together.empty()) return block_math::copy_numbers(together, feature.missing, out.data());
    const auto column = view_.entities.number_column(feature.field);
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const double value = cell(column, slots[i]);
        out[i] = score_math::saturate(value == value ? value : feature.missing);
    }
}

std::span<const double> TableFeatureSource::numbers(const Feature& feature,
                                                    std::span<const Slot> slots) const {
    if (feature.kind != FeatureKind::kField && feature.kind != FeatureKind::kText) return {};
    const auto column = view_.entities.number_column(feature.field);
    if (slots.back().value() >= column.size()) return {};
    return column.subspan(slots[0].value(), slots.size());
}

void TableFeatureSource::fill_distance(const Feature& feature, std::span<const Slot> slots,
                                       std::span<const double> params, std::span<double> out) {
    const auto degrees = [&](const Coordinate& c) {
        return score_math::sanitize(c.param ? params[*c.param] : c.number);
    };
    const record::GeoPoint from{degrees(feature.latitude), degrees(feature.longitude)};
    const auto column = view_.entities.geo_column(feature.field);
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const auto& place = column[slots[i].value()];
        out[i] = place.latitude == place.latitude ? distance_km(from, place) : 0.0;
    }
}

void TableFeatureSource::fill_similarity(const Feature& feature, std::span<const Slot> slots,
                                         const AnchorVectors* anchors, std::span<double> out) {
    const vector::Probe* const probe =
        anchors == nullptr ? nullptr : anchors->find(feature.slot, feature.anchor);
    const auto* const vectors =
        view_.vectors == nullptr ? nullptr : view_.vectors->find(feature.slot);
    if (probe == nullptr || vectors == nullptr) {
        std::ranges::fill(out, 0.0);
        return;
    }
    vectors->similarities(*probe, slots, out);
    for (double& value : out) value = score_math::sanitize(value);
}

void TableFeatureSource::fill_nearest_disliked(const Feature& feature, std::span<const Slot> slots,
                                               const AnchorVectors* anchors,
                                               std::span<double> out) {
    std::ranges::fill(out, 0.0);
    const auto* const vectors =
        view_.vectors == nullptr ? nullptr : view_.vectors->find(feature.slot);
    if (anchors == nullptr || vectors == nullptr) return;
    std::array<double, kBlockSlots> one;
    const std::span<double> each(one.data(), slots.size());
    bool first = true;
    for (const vector::Probe& probe : anchors->disliked(feature.slot)) {
        vectors->similarities(probe, slots, each);
        for (std::size_t i = 0; i < slots.size(); ++i) {
            const double near = score_math::sanitize(each[i]);
            out[i] = first ? near : std::max(out[i], near);
        }
        first = false;
    }
}

bool TableFeatureSource::is_missing(const Feature& feature, Slot slot) const {
    if (feature.kind == FeatureKind::kDistance)
        return std::isnan(view_.entities.geo_column(feature.field)[slot.value()].latitude);
    if (feature.kind == FeatureKind::kSimilarity || feature.kind == FeatureKind::kNearestDisliked) {
        const auto* const vectors =
            view_.vectors == nullptr ? nullptr : view_.vectors->find(feature.slot);
        return vectors == nullptr || !vectors->has(slot);
    }
    if (feature.kind != FeatureKind::kField && feature.kind != FeatureKind::kText) return false;
    const double value = cell(view_.entities.number_column(feature.field), slot);
    return value != value;
}

}  // namespace tidal::ranking
