// Compiled once per target of Highway, chosen at run time: one binary for all machines.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vector/kernels.cc"
#include <hwy/foreach_target.h>  // NOLINT: first, it includes this file again
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "entity/vector_codec.h"
#include "vector/internal/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tidal::vector::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kSums = 16;
#if HWY_HAVE_SCALABLE
using D = hn::FixedTag<float, 4>;
#else
using D = hn::CappedTag<float, kSums>;
#endif
using V = hn::Vec<D>;
constexpr std::size_t kLanes = hn::MaxLanes(D());
static_assert(kSums % kLanes == 0);

struct F32 {
    using Component = float;
    static V load(const float* at) { return hn::LoadU(D(), at); }
    static float one(const float* at) { return *at; }
};
struct F16 {
    using Component = std::uint16_t;
    static V load(const Component* at) {
        const auto* const halves = reinterpret_cast<const hwy::float16_t*>(at);
        return hn::PromoteTo(D(), hn::LoadU(hn::Rebind<hwy::float16_t, D>(), halves));
    }
    static float one(const Component* at) { return entity::half_to_float(*at); }
};
struct Int8 {
    using Component = std::int8_t;
    static V load(const Component* at) {
        const auto narrow = hn::LoadU(hn::Rebind<std::int8_t, D>(), at);
        return hn::ConvertTo(D(), hn::PromoteTo(hn::Rebind<std::int32_t, D>(), narrow));
    }
    static float one(const Component* at) { return static_cast<float>(*at); }
};

struct Product {
    V operator()(V probe, V row) const { return hn::Mul(probe, row); }
    float one(float probe, float row) const { return probe * row; }
};
struct SquaredDifference {
    V operator()(V probe, V row) const {
        const V difference = hn::Sub(probe, hn::Mul(row, hn::Set(D(), scale)));
        return hn::Mul(difference, difference);
    }
    float one(float probe, float row) const {
        const float difference = probe - row * scale;
        return difference * difference;
    }
    float scale = 1;
};

/// Pairs half the width apart, so that every width of register adds the same pairs.
float added_up(float* sums) {
    for (std::size_t half = kSums / 2; half > 0; half /= 2)
        for (std::size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
    return sums[0];
}

template <typename Storage, typename Term>
HWY_INLINE float sum_of(const float* probe, std::size_t dimensions,
                        const typename Storage::Component* row, const Term& term) {
    V sum[kSums / kLanes];
    for (V& each : sum) each = hn::Zero(D());
    std::size_t d = 0;
    for (; d + kSums <= dimensions; d += kSums)
        for (std::size_t k = 0; k < kSums / kLanes; ++k)
            sum[k] = hn::Add(sum[k], term(hn::LoadU(D(), probe + d + k * kLanes),
                                          Storage::load(row + d + k * kLanes)));
    HWY_ALIGN float sums[kSums];
    for (std::size_t k = 0; k < kSums / kLanes; ++k) hn::Store(sum[k], D(), sums + k * kLanes);
    for (std::size_t k = 0; d + k < dimensions; ++k)
        sums[k] += term.one(probe[d + k], Storage::one(row + d + k));
    return added_up(sums);
}

/// Rows that lie apart are asked for ahead: a read of memory takes as long as several sums.
HWY_INLINE void prefetch(const void* row, std::size_t bytes) {
    constexpr std::size_t kLine = 64, kLinesMax = 64;
    const auto* at = static_cast<const char*>(row);
    for (std::size_t line = 0; line < kLinesMax && line * kLine < bytes; ++line)
        __builtin_prefetch(at + line * kLine);
}

template <typename Storage, typename Term>
void over_rows(std::span<const float> probe, std::span<const void* const> rows, Term term,
               const float* scales, float* out) {
    using Component = typename Storage::Component;
    constexpr std::size_t kBytesAhead = 6 << 10, kAheadMin = 2, kAheadMax = 16;
    const std::size_t bytes = probe.size() * sizeof(Component);
    const std::size_t ahead = std::clamp(kBytesAhead / bytes, kAheadMin, kAheadMax);
    for (std::size_t i = 0; i < std::min(ahead, rows.size()); ++i) prefetch(rows[i], bytes);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (i + ahead < rows.size()) prefetch(rows[i + ahead], bytes);
        if constexpr (requires { term.scale; }) {
            if (scales != nullptr) term.scale = scales[i];
        }
        out[i] = sum_of<Storage>(probe.data(), probe.size(), static_cast<const Component*>(rows[i]),
                                 term);
    }
}

template <typename Term>
void over_storage(schema::VectorStorage storage, std::span<const float> probe,
                  std::span<const void* const> rows, const float* scales, float* out) {
    switch (storage) {
        case schema::VectorStorage::kF32:
            return over_rows<F32>(probe, rows, Term(), nullptr, out);
        case schema::VectorStorage::kF16:
            return over_rows<F16>(probe, rows, Term(), nullptr, out);
        case schema::VectorStorage::kInt8:
            return over_rows<Int8>(probe, rows, Term(), scales, out);
    }
}

void dot_here(schema::VectorStorage storage, std::span<const float> probe,
              std::span<const void* const> rows, float* out) {
    over_storage<Product>(storage, probe, rows, nullptr, out);
}

void distance_here(schema::VectorStorage storage, std::span<const float> probe,
                   std::span<const void* const> rows, const float* scales, float* out) {
    over_storage<SquaredDifference>(storage, probe, rows, scales, out);
}

}  // namespace

}  // namespace tidal::vector::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tidal::vector::kernels {

HWY_EXPORT(dot_here);
HWY_EXPORT(distance_here);

void dot(schema::VectorStorage storage, std::span<const float> probe,
         std::span<const void* const> rows, float* out) {
    HWY_DYNAMIC_DISPATCH(dot_here)(storage, probe, rows, out);
}

void squared_distance(schema::VectorStorage storage, std::span<const float> probe,
                      std::span<const void* const> rows, const float* scales, float* out) {
    HWY_DYNAMIC_DISPATCH(distance_here)(storage, probe, rows, scales, out);
}

}  // namespace tidal::vector::kernels
#endif  // HWY_ONCE
