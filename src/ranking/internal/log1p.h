// ranking/internal/log1p.h: log(1 + x) of scores, with the same bits on every machine; of blocks in
// block_math.cc, which does the same operations in the same order.
//
// The C library's takes ten times as long as a vector's lane, and its bits depend on the
// processor: with fused multiply-add or without.
//
// Source    FDLIBM 5.3, s_log1p.c; the polynomial is grouped as in glibc.
//           Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Developed at SunPro,
//           a Sun Microsystems, Inc. business. Permission to use, copy, modify, and distribute
//           this software is freely granted, provided that this notice is preserved.
// Accuracy  below 1 unit in the last place; exact in 0.
#pragma once

#include <bit>
#include <cstdint>

namespace tidal::ranking::log1p {

// log(1 + x) = k * ln(2) + log(1 + f), where 1 + x = 2^k * (1 + f) and f is near 0;
// log(1 + f) = f - (f^2/2 - s * (f^2/2 + R)), where s = f / (2 + f) and R is a polynomial of s^2.
inline constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
inline constexpr double kTwoThirds = 0x1.5555555555555p-1;
inline constexpr double kP1 = 0x1.5555555555593p-1, kP2 = 0x1.999999997fa04p-2,
                        kP3 = 0x1.2492494229359p-2, kP4 = 0x1.c71c51d8e78afp-3,
                        kP5 = 0x1.7466496cb03dep-3, kP6 = 0x1.39a09d078c69fp-3,
                        kP7 = 0x1.2f112df3e5244p-3;

/// Below this in magnitude: x - x^2/2.
inline constexpr double kTiny = 0x1p-29;
/// Strictly between these, f is x and k is 0.
inline constexpr double kNearMin = -0x1.2bec4p-2, kNearMax = 0x1.a827ap-2;
/// From here on 1 + x is x.
inline constexpr double kHuge = 0x1p53;
/// Of 1 + f: from here on half of it is taken, and 1 more of k.
inline constexpr double kHalved = 0x1.6a09ep0;
/// From the first to below the second, but for x = f: R is no longer needed.
inline constexpr double kFlatMin = -0x1.8p-20, kFlatMax = 0x1p-20;

inline constexpr std::uint64_t kMantissa = 0xfffffffffffff;
inline constexpr std::uint64_t kOne = 0x3ff0000000000000;
/// An exponent as a number: the low bits of this one, which is taken away with the bias.
inline constexpr std::uint64_t kShifter = 0x4330000000000000;
inline constexpr double kShifterAndBias = 0x1p52 + 1023;

/// @param x  Greater than -1, finite.
inline double of(double x) {
    if (x > -kTiny && x < kTiny) return x - x * x * 0.5;
    double k = 0, f = x, correction = 0;
    const bool near = x > kNearMin && x < kNearMax;
    if (!near) {
        const double u = x < kHuge ? 1 + x : x;
        const auto bits = std::bit_cast<std::uint64_t>(u);
        k = std::bit_cast<double>(bits >> 52 | kShifter) - kShifterAndBias;
        // What 1 + x lost.
        const double lost = x < kHuge ? (k > 0 ? 1 - (u - x) : x - (u - 1)) : 0;
        correction = lost / u;
        double m = std::bit_cast<double>((bits & kMantissa) | kOne);
        if (m >= kHalved) {
            m *= 0.5;
            k += 1;
        }
        f = m - 1;
    }
    const double half_square = 0.5 * f * f;
    const double k_low = k * kLn2Low + correction;
    double inner = 0;
    if (!near && f >= kFlatMin && f < kFlatMax) {
        inner = half_square * (1 - kTwoThirds * f) - k_low;
    } else {
        const double s = f / (2 + f);
        const double z = s * s, z2 = z * z, z4 = z2 * z2, z6 = z4 * z2;
        const double r =
            z * kP1 + z2 * (kP2 + z * kP3) + z4 * (kP4 + z * kP5) + z6 * (kP6 + z * kP7);
        inner = half_square - (s * (half_square + r) + k_low);
    }
    return k * kLn2High - (inner - f);
}

}  // namespace tidal::ranking::log1p
