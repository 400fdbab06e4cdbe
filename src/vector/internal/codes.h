// vector/internal/codes.h: vectors as bytes, for going through graphs and lists before anything is
// compared exactly.
//
// What is coded is the difference x - m from the mean m of the vectors at hand, of length-1 vectors
// under cosine: one int8 a component, with one scale a vector (its largest component is 127). For
// any two vectors a, b of one slot, with I = sum of the products of their codes,
//
//   l2           |a-b|^2 = A + B - 2 sA sB I         base = |x-m|^2      factor = -2 s
//   dot, cosine  -a.b    = A + B - sA sB I - |m|^2   base = -m.(x-m)     factor = -s
//
// so that base + factor * s * I orders rows by how near they are, whatever the metric: a probe's
// own base and constants are the same for all rows. Of few dimensions, where many vectors lie
// closer together than such codes tell, a second plane of codes says what the first left over, in
// steps of 1/254. A probe is coded to 12 to 15 bits a component: its error is nothing beside that
// of the rows, and the sums are the same instructions. Sums are of integers: the same bits on every
// machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "schema/schema.h"

namespace tidal::vector {

/// What is known of a row beside its codes.
struct CodeTerms {
    float base = 0, factor = 0;
};

/// How vectors of one slot become codes. Immutable.
class Coder {
public:
    /// @param mean  spec.dimensions of them, of what comparable() makes of the vectors.
    Coder(const schema::EmbeddingSpec& spec, std::vector<float> mean);

    /// Of a row of so many dimensions.
    static std::size_t row_bytes(std::uint32_t dimensions) {
        return sizeof(CodeTerms) + planes_of(dimensions) * width_of(dimensions);
    }

    /// Dimensions, and zeros up to a multiple of 16.
    std::size_t width() const { return width_; }
    /// Of codes in a row: 1 or 2.
    std::size_t planes() const { return planes_; }
    /// Of a row: its terms, then planes() times width() codes; a multiple of 8.
    std::size_t row_bytes() const { return sizeof(CodeTerms) + planes_ * width_; }
    /// @param values  As FlatVectors::values() gives them.
    /// @param row     row_bytes() of them.
    void encode(std::span<const float> values, std::byte* row) const;

    struct Probe {
        std::vector<std::int16_t> codes;  ///< width() of them.
        float scale = 0;
        float length = 0;  ///< Of its difference from the mean.
        /// What makes squared distances of code_distances(): whole ones under l2, half ones under
        /// cosine. Infinite of dot products, which are none.
        float offset = 0;
        std::size_t planes = 1;  ///< Of the rows.
    };
    /// @param values  Of a vector::Probe of the slot.
    Probe probe(std::span<const float> values) const;
    /// By how much code_distances() of a row err, for rounding to codes: a standard deviation.
    float deviation(const Probe& probe, const std::byte* row) const;
    /// How far apart two coded rows are, up to a constant; what a graph is built by.
    float between(const std::byte* a, const std::byte* b) const;

private:
    static constexpr std::size_t kWidthStep = 16;
    static constexpr std::uint32_t kTwoPlanesMax = 64;  ///< Dimensions.

    static std::size_t width_of(std::uint32_t dimensions) {
        return (dimensions + kWidthStep - 1) / kWidthStep * kWidthStep;
    }
    static std::size_t planes_of(std::uint32_t dimensions) {
        return dimensions <= kTwoPlanesMax ? 2 : 1;
    }
    std::vector<float> centred(std::span<const float> values) const;
    float offset(std::span<const float> centred) const;

    schema::Metric metric_;
    std::size_t width_, planes_;
    std::vector<float> mean_;
};

/// How far each row is from the probe, the smallest nearest, up to a constant.
/// @param rows  Of one Coder; nearest memory first is fastest. @param out  rows.size() of them.
void code_distances(const Coder::Probe& probe, std::span<const std::byte* const> rows, float* out);

}  // namespace tidal::vector
