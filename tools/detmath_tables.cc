// Prints src/base/internal/detmath_tables.h. Not part of the build:
//     g++ -std=gnu++20 -O1 tools/detmath_tables.cc -lquadmath -o /tmp/detmath_tables
//     /tmp/detmath_tables > src/base/internal/detmath_tables.h
// Computes in 113-bit arithmetic and rounds once, so the output does not depend on the machine.
#include <quadmath.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace {

constexpr int kTableSize = 128;

// invc for the mantissas whose leading bits are those of 0.6875 * 2^(i / 128), see detmath.cc: the
// reciprocal of the middle of the cell, rounded to 10 bits. 1 exactly beside 1, where log2 is 0.
double inverse_of_cell(int i) {
    const std::uint64_t begin = 0x3fe6000000000000ULL + (static_cast<std::uint64_t>(i) << 45);
    const std::uint64_t middle_bits = begin + (1ULL << 44);
    double middle;
    std::memcpy(&middle, &middle_bits, sizeof(middle));
    if (i == 79 || i == 80) return 1.0;
    int exponent;
    const double fraction = std::frexp(1.0 / middle, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(fraction, 10)), exponent - 10);
}

}  // namespace

int main() {
    std::printf(
        "// Written by tools/detmath_tables.cc; proven by tests/detmath_test.cc.\n"
        "#pragma once\n\n"
        "namespace tidal::internal {\n\n"
        "/// 2^(i/128) = value * (1 + tail).\n"
        "struct Exp2Entry {\n    double value;\n    double tail;\n};\n\n"
        "// clang-format off\n"
        "inline constexpr Exp2Entry kExp2Table[%d] = {\n",
        kTableSize);
    for (int i = 0; i < kTableSize; ++i) {
        const __float128 exact = exp2q(static_cast<__float128>(i) / kTableSize);
        const double value = static_cast<double>(exact);
        const double tail = static_cast<double>(exact / value - 1);
        std::printf("    {%a, %a},\n", value, tail);
    }
    std::printf(
        "};\n// clang-format on\n\n"
        "/// log2(1 / inverse) = high + low; `inverse` has at most 10 bits.\n"
        "struct Log2Entry {\n    double inverse;\n    double high;\n    double low;\n};\n\n"
        "// clang-format off\n"
        "inline constexpr Log2Entry kLog2Table[%d] = {\n",
        kTableSize);
    for (int i = 0; i < kTableSize; ++i) {
        const double inverse = inverse_of_cell(i);
        const __float128 exact = -log2q(inverse);
        const double high = static_cast<double>(exact);
        const double low = static_cast<double>(exact - high);
        std::printf("    {%a, %a, %a},\n", inverse, high == 0 ? 0.0 : high, low == 0 ? 0.0 : low);
    }
    std::printf("};\n// clang-format on\n\n}  // namespace tidal::internal\n");
    const struct {
        const char* name;
        __float128 value;
    } constants[] = {{"log2(e)", 1 / M_LN2q}, {"ln(2)", M_LN2q}, {"log10(2)", log10q(2)}};
    for (const auto& constant : constants) {
        const double high = static_cast<double>(constant.value);
        std::fprintf(stderr, "%s = {%a, %a}\n", constant.name, high,
                     static_cast<double>(constant.value - high));
    }
    __float128 term = 1;
    for (int n = 1; n <= 6; ++n) {
        term = term * M_LN2q / n;
        std::fprintf(stderr, "ln(2)^%d/%d! = %a\n", n, n, static_cast<double>(term));
    }
}
