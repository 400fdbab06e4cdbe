// Compiled once per target of Highway, chosen at run time: one binary for all machines.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "vector/codes.cc"
#include <hwy/foreach_target.h>  // NOLINT: first, it includes this file again
#include <hwy/highway.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

#include "vector/internal/codes.h"
#include "vector/probe.h"

HWY_BEFORE_NAMESPACE();
namespace tidal::vector::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kBlock = 16;   // width() is a multiple of it
constexpr float kStep = 1.0F / 254;  // of the second plane, in steps of the first
using D16 = hn::CappedTag<std::int16_t, kBlock>;
using D8 = hn::Rebind<std::int8_t, D16>;
using D32 = hn::RepartitionToWide<D16>;

HWY_INLINE hn::Vec<D16> load(const std::int16_t* at) {
    return hn::LoadU(D16(), at);
}
HWY_INLINE hn::Vec<D16> load(const std::int8_t* at) {
    return hn::PromoteTo(D16(), hn::LoadU(D8(), at));
}

/// Integers: in whatever order they are added up, the same sum.
template <typename Left>
HWY_INLINE std::int32_t product(const Left* a, const std::int8_t* b, std::size_t width) {
    const D32 d32;
    const std::size_t lanes = hn::Lanes(D16());
    auto sum0 = hn::Zero(d32), sum1 = hn::Zero(d32), sum2 = hn::Zero(d32), sum3 = hn::Zero(d32);
    std::size_t at = 0;
    for (; at + 2 * lanes <= width; at += 2 * lanes) {
        sum0 = hn::ReorderWidenMulAccumulate(d32, load(a + at), load(b + at), sum0, sum1);
        sum2 = hn::ReorderWidenMulAccumulate(d32, load(a + at + lanes), load(b + at + lanes), sum2,
                                             sum3);
    }
    for (; at < width; at += lanes)
        sum0 = hn::ReorderWidenMulAccumulate(d32, load(a + at), load(b + at), sum0, sum1);
    return hn::GetLane(hn::SumOfLanes(d32, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
}

HWY_INLINE void prefetch(const std::byte* row, std::size_t bytes) {
    constexpr std::size_t kLine = 64, kLinesMax = 16;
    for (std::size_t line = 0; line < kLinesMax && line * kLine < bytes; ++line)
        __builtin_prefetch(row + line * kLine);
}

void products_here(const std::int16_t* probe, std::size_t width, std::size_t planes,
                   std::span<const std::byte* const> rows, float* out) {
    // Rows lie anywhere, and a read of memory takes as long as several sums: all that the links of
    // a node lead to are asked for at once, as far as the first cache holds them.
    constexpr std::size_t kBytesAhead = 28 << 10, kAheadMin = 4, kAheadMax = 32;
    const std::size_t bytes = sizeof(CodeTerms) + planes * width;
    const std::size_t ahead = std::clamp(kBytesAhead / bytes, kAheadMin, kAheadMax);
    for (std::size_t i = 0; i < std::min(ahead, rows.size()); ++i) prefetch(rows[i], bytes);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (i + ahead < rows.size()) prefetch(rows[i + ahead], bytes);
        const auto* const codes = reinterpret_cast<const std::int8_t*>(rows[i] + sizeof(CodeTerms));
        out[i] = static_cast<float>(product(probe, codes, width));
        if (planes == 2) out[i] += kStep * static_cast<float>(product(probe, codes + width, width));
    }
}

float between_here(const std::byte* a, const std::byte* b, std::size_t width, std::size_t planes) {
    const auto* const left = reinterpret_cast<const std::int8_t*>(a + sizeof(CodeTerms));
    const auto* const right = reinterpret_cast<const std::int8_t*>(b + sizeof(CodeTerms));
    const auto sum = static_cast<float>(product(left, right, width));
    if (planes == 1) return sum;
    // What the second planes have in common is less than the codes tell.
    return sum + kStep * static_cast<float>(product(left, right + width, width) +
                                            product(left + width, right, width));
}

}  // namespace
}  // namespace tidal::vector::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tidal::vector {

HWY_EXPORT(products_here);
HWY_EXPORT(between_here);

namespace {

constexpr float kSteps = 254;
constexpr float kStepOfSecond = 1 / kSteps;
constexpr float kCodeMax = 127, kProbeMax = 16'383;

CodeTerms terms_of(const std::byte* row) {
    CodeTerms out;
    std::memcpy(&out, row, sizeof(out));
    return out;
}

float largest(std::span<const float> values) {
    float out = 0;
    for (const float v : values) out = std::max(out, std::abs(v));
    return out;
}

}  // namespace

Coder::Coder(const schema::EmbeddingSpec& spec, std::vector<float> mean)
    : metric_(spec.metric),
      width_(width_of(spec.dimensions)),
      planes_(planes_of(spec.dimensions)),
      mean_(std::move(mean)) {
    assert(mean_.size() == spec.dimensions);
}

std::vector<float> Coder::centred(std::span<const float> values) const {
    assert(values.size() == mean_.size());
    std::vector<float> out(values.begin(), values.end());
    if (metric_ == schema::Metric::kCosine) out = comparable(metric_, std::move(out));
    out.resize(mean_.size());
    for (std::size_t d = 0; d < out.size(); ++d) out[d] -= mean_[d];
    return out;
}

void Coder::encode(std::span<const float> values, std::byte* row) const {
    const std::vector<float> from = centred(values);
    const float scale = largest(from) / kCodeMax;
    auto* const codes = reinterpret_cast<std::int8_t*>(row + sizeof(CodeTerms));
    std::memset(codes, 0, planes_ * width_);
    double squares = 0, along_mean = 0;
    for (std::size_t d = 0; d < from.size(); ++d) {
        const double v = from[d];
        squares += v * v;
        along_mean += v * static_cast<double>(mean_[d]);
        if (scale == 0 || !std::isfinite(scale)) continue;
        const float code = std::clamp(std::nearbyint(from[d] / scale), -kCodeMax, kCodeMax);
        codes[d] = static_cast<std::int8_t>(code);
        if (planes_ == 2)
            codes[width_ + d] = static_cast<std::int8_t>(
                std::clamp(std::nearbyint((from[d] / scale - code) * kSteps), -kCodeMax, kCodeMax));
    }
    CodeTerms terms{.base = static_cast<float>(-along_mean), .factor = -scale};
    if (metric_ == schema::Metric::kL2)
        terms = {.base = static_cast<float>(squares), .factor = -2 * scale};
    std::memcpy(row, &terms, sizeof(terms));
}

float Coder::offset(std::span<const float> centred) const {
    double squares = 0, along_mean = 0, mean_squares = 0;
    for (std::size_t d = 0; d < centred.size(); ++d) {
        const double v = centred[d], mean = mean_[d];
        squares += v * v;
        along_mean += v * mean;
        mean_squares += mean * mean;
    }
    switch (metric_) {
        case schema::Metric::kL2:
            return static_cast<float>(squares);
        case schema::Metric::kCosine:
            return static_cast<float>(1 - along_mean - mean_squares);
        case schema::Metric::kDot:
            break;
    }
    return std::numeric_limits<float>::infinity();
}

float Coder::deviation(const Probe& probe, const std::byte* row) const {
    constexpr float kOfOneStep = 0.2886751F;  // 1 / sqrt(12): uniform within a step
    const float step = std::abs(terms_of(row).factor) * (planes_ == 2 ? kStepOfSecond : 1);
    return step * kOfOneStep * probe.length;
}

Coder::Probe Coder::probe(std::span<const float> values) const {
    const std::vector<float> from = centred(values);
    // So that no sum of products is beyond an int32.
    const float most = std::min(
        kProbeMax, std::floor(static_cast<float>(std::numeric_limits<std::int32_t>::max()) /
                              (kCodeMax * static_cast<float>(width_ + kWidthStep))));
    Probe out{.codes = std::vector<std::int16_t>(width_),
              .scale = largest(from) / most,
              .length = static_cast<float>(norm_of(from)),
              .offset = offset(from),
              .planes = planes_};
    if (out.scale == 0 || !std::isfinite(out.scale)) return out;
    for (std::size_t d = 0; d < from.size(); ++d)
        out.codes[d] =
            static_cast<std::int16_t>(std::clamp(std::nearbyint(from[d] / out.scale), -most, most));
    return out;
}

float Coder::between(const std::byte* a, const std::byte* b) const {
    const float sum = HWY_DYNAMIC_DISPATCH(between_here)(a, b, width_, planes_);
    const CodeTerms left = terms_of(a), right = terms_of(b);
    const float share = metric_ == schema::Metric::kL2 ? 0.5F : 1.0F;
    return left.base + right.base - share * left.factor * right.factor * sum;
}

void code_distances(const Coder::Probe& probe, std::span<const std::byte* const> rows, float* out) {
    constexpr std::size_t kAtOnce = 64;
    float sums[kAtOnce];
    for (std::size_t begin = 0; begin < rows.size(); begin += kAtOnce) {
        const auto some = rows.subspan(begin, std::min(kAtOnce, rows.size() - begin));
        HWY_DYNAMIC_DISPATCH(products_here)
        (probe.codes.data(), probe.codes.size(), probe.planes, some, sums);
        for (std::size_t i = 0; i < some.size(); ++i) {
            const CodeTerms terms = terms_of(some[i]);
            out[begin + i] = terms.base + terms.factor * probe.scale * sums[i];
        }
    }
}

}  // namespace tidal::vector
#endif  // HWY_ONCE
