#include "vector/probe.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "entity/vector_codec.h"
#include "vector/internal/kernels.h"

namespace tidal::vector {

double norm_of(std::span<const float> values) {
    double sum = 0;
    for (const float v : values) sum += static_cast<double>(v) * static_cast<double>(v);
    return std::sqrt(sum);
}

std::vector<float> comparable(schema::Metric metric, std::vector<float> values) {
    if (metric == schema::Metric::kL2) return values;
    const double norm = norm_of(values);
    if (norm == 0) return {};
    for (float& v : values) v = static_cast<float>(v / norm);
    return values;
}

double likeness(schema::Metric metric, std::span<const float> a, std::span<const float> b) {
    assert(a.size() == b.size());
    const void* const row = b.data();
    float sum = 0;
    if (metric == schema::Metric::kL2) {
        kernels::squared_distance(schema::VectorStorage::kF32, a, {&row, 1}, nullptr, &sum);
        return 1 / (1 + static_cast<double>(sum));
    }
    kernels::dot(schema::VectorStorage::kF32, a, {&row, 1}, &sum);
    return std::clamp(static_cast<double>(sum), -1.0, 1.0);
}

Result<Probe> make_probe(const schema::EmbeddingSpec& spec, std::span<const float> values) {
    TIDAL_TRY(entity::check_vector(spec, values));
    Probe probe{.values = {values.begin(), values.end()}};
    if (spec.metric != schema::Metric::kCosine) return probe;
    const double norm = norm_of(values);
    for (float& v : probe.values) v = static_cast<float>(v / norm);
    return probe;
}

}  // namespace tidal::vector
