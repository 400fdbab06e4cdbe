// Compiled once per target of Highway, chosen at run time: one binary for all machines.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "text/posting_kernels.cc"
#include <hwy/foreach_target.h>  // NOLINT: first, it includes this file again
#include <hwy/highway.h>

#include <bit>
#include <cassert>
#include <cstring>

#include "text/internal/posting_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace tidal::text::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kPostings = 128;  // of a block, at most

#if HWY_HAVE_SCALABLE
using DistanceTag = hn::FixedTag<std::uint16_t, 8>;
using ScoreTag = hn::FixedTag<double, 2>;
using ByteTag = hn::FixedTag<std::uint8_t, 16>;
#else
using DistanceTag = hn::CappedTag<std::uint16_t, 32>;
using ScoreTag = hn::CappedTag<double, 8>;
using ByteTag = hn::CappedTag<std::uint8_t, 64>;
#endif

/// Slots rise as distances do: each is compared with one vector, the first that ends behind it.
std::size_t find_here(const char* distances, std::uint32_t count, std::uint32_t first,
                      const std::uint32_t* slots, std::size_t size, Met* met) {
    const DistanceTag d;
    constexpr std::size_t kLanes = hn::MaxLanes(DistanceTag());
    alignas(64) std::uint16_t some[kPostings];
    if (count < kPostings) {  // What follows is not the block's.
        std::memcpy(some, distances, count * sizeof(std::uint16_t));
        for (std::size_t at = count; at < kPostings; ++at) some[at] = 0xFFFF;
        distances = reinterpret_cast<const char*>(some);
    }
    const auto last_of = [&](std::size_t vector) {
        std::uint16_t out;
        std::memcpy(&out, distances + ((vector + 1) * kLanes - 1) * sizeof out, sizeof out);
        return out;
    };
    std::size_t vector = 0, found = 0;
    std::uint16_t last = last_of(0);
    for (std::size_t at = 0; at < size; ++at) {
        const auto distance = static_cast<std::uint16_t>(slots[at] - first);
        while (last < distance) last = last_of(++vector);
        const char* const from = distances + vector * kLanes * sizeof(std::uint16_t);
        const auto all = hn::LoadU(d, reinterpret_cast<const std::uint16_t*>(from));
        const std::intptr_t lane = hn::FindFirstTrue(d, hn::Eq(all, hn::Set(d, distance)));
        met[found] = {static_cast<std::uint8_t>(at),
                      static_cast<std::uint8_t>(vector * kLanes + static_cast<std::size_t>(lane))};
        found += lane >= 0 ? 1 : 0;
    }
    return found;
}

void score_here(const Bm25& scoring, const char* frequencies, const char* lengths, std::size_t size,
                double* out) {
    const ScoreTag d;
    const hn::Rebind<std::int32_t, ScoreTag> d32;
    const hn::Rebind<std::uint8_t, ScoreTag> d8;
    constexpr std::size_t kLanes = hn::MaxLanes(ScoreTag());
    const auto numbers = [&](const char* at) {
        const auto bytes = hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(at));
        return hn::PromoteTo(d, hn::PromoteTo(d32, bytes));
    };
    const auto weight = hn::Set(d, scoring.weight), base = hn::Set(d, scoring.base),
               by_length = hn::Set(d, scoring.by_length);
    for (std::size_t at = 0; at < size; at += kLanes) {
        const auto f = numbers(frequencies + at);
        const auto norm = hn::Add(hn::Add(f, base), hn::Mul(by_length, numbers(lengths + at)));
        hn::StoreU(hn::Div(hn::Mul(weight, f), norm), d, out + at);
    }
}

void passing_here(const char* frequencies, const char* lengths, std::size_t size,
                  const Steps& steps, std::uint64_t* bits) {
    const ByteTag d;
    constexpr std::size_t kLanes = hn::MaxLanes(ByteTag());
    const auto* const f = reinterpret_cast<const std::uint8_t*>(frequencies);
    const auto* const l = reinterpret_cast<const std::uint8_t*>(lengths);
    for (std::size_t begin = 0; begin < size; begin += 64) {
        std::uint64_t word = 0;
        for (std::size_t at = 0; at < 64; at += kLanes) {
            const auto frequency = hn::LoadU(d, f + begin + at);
            const auto length = hn::LoadU(d, l + begin + at);
            auto pass = hn::MaskFromVec(hn::Zero(d));
            for (std::size_t i = 0; i < steps.size; ++i) {
                const auto least = hn::Set(d, steps.frequencies_min[i]);
                const auto most = hn::Set(d, steps.lengths_max[i]);
                pass = hn::Or(pass, hn::And(hn::Eq(hn::Max(frequency, least), frequency),
                                            hn::Eq(hn::Min(length, most), length)));
            }
            std::uint64_t some = 0;
            hn::StoreMaskBits(d, pass, reinterpret_cast<std::uint8_t*>(&some));
            word |= some << at;
        }
        bits[begin / 64] = word;
    }
}

/// As whole numbers doubles that are not negative have the same order, and -0.0 is the least.
void at_least_here(const double* sums, std::size_t size, double least, std::uint64_t* bits) {
    const ScoreTag d;
    const hn::RebindToSigned<ScoreTag> d64;
    constexpr std::size_t kLanes = hn::MaxLanes(ScoreTag());
    const auto below = hn::Set(d64, std::bit_cast<std::int64_t>(least) - 1);
    for (std::size_t begin = 0; begin < size; begin += 64) {
        std::uint64_t word = 0;
        for (std::size_t at = 0; at < 64; at += kLanes) {
            const auto some = hn::BitCast(d64, hn::LoadU(d, sums + begin + at));
            std::uint64_t few = 0;  // Highway may write eight bytes.
            hn::StoreMaskBits(d64, hn::Gt(some, below), reinterpret_cast<std::uint8_t*>(&few));
            word |= few << at;
        }
        bits[begin / 64] = word;
    }
}

}  // namespace
}  // namespace tidal::text::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tidal::text::kernels {

HWY_EXPORT(find_here);
HWY_EXPORT(score_here);
HWY_EXPORT(passing_here);
HWY_EXPORT(at_least_here);

std::size_t find(const char* distances, std::uint32_t count, std::uint32_t first,
                 std::span<const std::uint32_t> slots, Met* met) {
    assert(count <= HWY_NAMESPACE::kPostings && slots.size() <= HWY_NAMESPACE::kPostings);
    return HWY_DYNAMIC_DISPATCH(find_here)(distances, count, first, slots.data(), slots.size(),
                                           met);
}

void score(const Bm25& scoring, const char* frequencies, const char* lengths, std::size_t size,
           double* out) {
    HWY_DYNAMIC_DISPATCH(score_here)(scoring, frequencies, lengths, size, out);
}

void passing(const char* frequencies, const char* lengths, std::size_t size, const Steps& steps,
             std::uint64_t* bits) {
    HWY_DYNAMIC_DISPATCH(passing_here)(frequencies, lengths, size, steps, bits);
}

void at_least(std::span<const double> sums, double least, std::uint64_t* bits) {
    assert(sums.size() % 64 == 0 && least >= 0);
    HWY_DYNAMIC_DISPATCH(at_least_here)(sums.data(), sums.size(), least, bits);
}

}  // namespace tidal::text::kernels
#endif  // HWY_ONCE
