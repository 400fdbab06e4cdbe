#include "vector/flat_vectors.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "base/hash.h"
#include "vector/internal/kernels.h"

namespace tidal::vector {
namespace {

using schema::Metric;
using schema::VectorStorage;

std::size_t component_bytes(VectorStorage storage) {
    switch (storage) {
        case VectorStorage::kF32:
            return 4;
        case VectorStorage::kF16:
            return 2;
        case VectorStorage::kInt8:
            return 1;
    }
    return 0;
}

/// Components as numbers, without a scale.
std::vector<float> plain_values(const void* row, VectorStorage storage, std::size_t dimensions) {
    std::vector<float> out(dimensions);
    const auto* const at = static_cast<const char*>(row);
    for (std::size_t d = 0; d < dimensions; ++d) {
        switch (storage) {
            case VectorStorage::kF32:
                std::memcpy(&out[d], at + d * sizeof(float), sizeof(float));
                break;
            case VectorStorage::kF16: {
                std::uint16_t half = 0;
                std::memcpy(&half, at + d * sizeof(half), sizeof(half));
                out[d] = entity::half_to_float(half);
                break;
            }
            case VectorStorage::kInt8:
                out[d] = static_cast<float>(static_cast<std::int8_t>(at[d]));
                break;
        }
    }
    return out;
}

}  // namespace

std::size_t FlatVectors::row_bytes(std::uint32_t dimensions, VectorStorage storage) {
    return dimensions * component_bytes(storage);
}

FlatVectors::FlatVectors(const schema::EmbeddingSpec& spec)
    : spec_(spec), row_bytes_(row_bytes(spec.dimensions, spec.storage)), rows_(row_bytes_) {}

bool FlatVectors::put(Slot slot, const entity::VectorBytes& vector) {
    assert(vector.storage == spec_.storage && vector.components.size() == row_bytes_);
    const char* const row = vector.components.data();
    float factor = spec_.storage == VectorStorage::kInt8 ? vector.scale : 1.0F;
    if (spec_.metric == Metric::kCosine)
        factor = static_cast<float>(norm_of(plain_values(row, spec_.storage, spec_.dimensions)));
    float before = 0;
    const std::byte* const there = rows_.find(slot, &before);
    if (there != nullptr && before == factor && std::memcmp(there, row, row_bytes_) == 0)
        return false;
    rows_.put(slot, vector.components, factor);
    if (there != nullptr) return true;
    ++size_;
    present_.add(slot.value());
    return true;
}

bool FlatVectors::erase(Slot slot) {
    if (!has(slot)) return false;
    rows_.erase(slot);
    present_.remove(slot.value());
    --size_;
    return true;
}

bool FlatVectors::has(Slot slot) const {
    float factor = 0;
    return rows_.find(slot, &factor) != nullptr;
}

std::vector<float> FlatVectors::values(Slot slot) const {
    float factor = 0;
    const std::byte* const at = rows_.find(slot, &factor);
    assert(at != nullptr);
    auto out = plain_values(at, spec_.storage, spec_.dimensions);
    if (spec_.storage != VectorStorage::kInt8) return out;
    for (float& v : out) v = spec_.metric == Metric::kCosine ? v / factor : v * factor;
    return out;
}

std::string_view FlatVectors::stored(Slot slot) const {
    float factor = 0;
    const std::byte* const at = rows_.find(slot, &factor);
    assert(at != nullptr);
    return {reinterpret_cast<const char*>(at), row_bytes_};
}

std::uint64_t FlatVectors::hash(Slot slot, std::uint64_t seed) const {
    float factor = 0;
    const std::byte* const at = rows_.find(slot, &factor);
    assert(at != nullptr);
    return hash64({reinterpret_cast<const char*>(at), row_bytes_},
                  seed ^ std::bit_cast<std::uint32_t>(factor));
}

double FlatVectors::similarity(float sum, float factor) const {
    switch (spec_.metric) {
        case Metric::kCosine:
            return std::clamp(static_cast<double>(sum) / static_cast<double>(factor), -1.0, 1.0);
        case Metric::kDot:
            return static_cast<double>(sum) * static_cast<double>(factor);
        case Metric::kL2:
            return 1 / (1 + static_cast<double>(sum));
    }
    return 0;
}

void FlatVectors::similarities(const Probe& probe, std::span<const Slot> slots,
                               std::span<double> out) const {
    assert(slots.size() == out.size() && probe.values.size() == spec_.dimensions);
    constexpr std::size_t kAtOnce = 64;
    const void* rows[kAtOnce];
    float factors[kAtOnce], sums[kAtOnce];
    std::size_t places[kAtOnce];
    for (std::size_t begin = 0; begin < slots.size();) {
        std::size_t count = 0;
        for (; begin < slots.size() && count < kAtOnce; ++begin) {
            out[begin] = 0;
            rows[count] = rows_.find(slots[begin], &factors[count]);
            places[count] = begin;
            count += rows[count] != nullptr ? 1 : 0;
        }
        if (spec_.metric == Metric::kL2) {
            kernels::squared_distance(spec_.storage, probe.values, {rows, count}, factors, sums);
        } else {
            kernels::dot(spec_.storage, probe.values, {rows, count}, sums);
        }
        for (std::size_t i = 0; i < count; ++i) out[places[i]] = similarity(sums[i], factors[i]);
    }
}

double FlatVectors::cost(const schema::EmbeddingSpec& spec) {
    constexpr double kBase = 12, kBytesPerNanosecond = 12;
    return kBase + static_cast<double>(spec.dimensions) *
                       static_cast<double>(component_bytes(spec.storage)) / kBytesPerNanosecond;
}

}  // namespace tidal::vector
