#include "entity/vector_codec.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace tidal::entity {
namespace vector_codec_test {

schema::EmbeddingSpec spec_of(schema::VectorStorage storage, schema::Metric metric,
                              std::uint32_t dimensions) {
    return {EmbeddingSlotId(0), "face", dimensions, metric, storage};
}

std::vector<float> stored(schema::VectorStorage storage, std::vector<float> values) {
    const auto spec = spec_of(storage, schema::Metric::kL2, values.size());
    Encoder out;
    encode_vector(spec, HybridTime::from_bits(77), values, &out);
    EXPECT_EQ(decode_vector_stamp(out.view())->bits(), 77U);
    auto read = decode_vector(out.view());
    EXPECT_TRUE(read.ok());
    EXPECT_EQ(read->stamp.bits(), 77U);
    return read->values;
}

TEST(VectorCodec, KeepsFloatsExactly) {
    const std::vector<float> values = {0.1F, -1e30F, 1e-40F, 0.0F};
    EXPECT_EQ(stored(schema::VectorStorage::kF32, values), values);
}

TEST(VectorCodec, KeepsHalvesWithinHalfAStep) {
    const auto read = stored(schema::VectorStorage::kF16, {0.1F, -65504.0F, 1.0F, 0.0F});
    EXPECT_NEAR(read[0], 0.1F, 0.1F / 2048);
    EXPECT_EQ(read[1], -65504.0F);
    EXPECT_EQ(read[2], 1.0F);
}

TEST(VectorCodec, KeepsBytesWithinHalfAStepOfTheLargest) {
    const std::vector<float> values = {0.5F, -2.54F, 0.01F, 0.0F};
    const auto read = stored(schema::VectorStorage::kInt8, values);
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(read[i], values[i], 0.0101F);
    EXPECT_EQ(stored(schema::VectorStorage::kInt8, {0.0F, 0.0F}), (std::vector<float>{0, 0}));
}

TEST(VectorCodec, EveryHalfSurvivesTheWayThroughFloat) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = half_to_float(half);
        if (std::isnan(value)) continue;
        ASSERT_EQ(float_to_half(value), half);
    }
}

RC_GTEST_PROP(VectorCodecProperty, HalvesRoundToTheNearestAndTiesToEven, (std::uint16_t bits)) {
    const std::uint16_t low = bits & 0x7bff;
    const std::uint16_t high = low + 1;
    if (high >= 0x7c00) return;
    const double a = half_to_float(low), b = half_to_float(high);
    const auto middle = static_cast<float>((a + b) / 2);
    RC_ASSERT(float_to_half(middle) == ((low & 1) == 0 ? low : high));
    RC_ASSERT(float_to_half(std::nextafterf(middle, 0.0F)) == low);
    RC_ASSERT(float_to_half(std::nextafterf(middle, 1e9F)) == high);
}

TEST(VectorCheck, NamesTheEmbeddingAndWhatWouldBeRight) {
    const auto spec = spec_of(schema::VectorStorage::kF32, schema::Metric::kCosine, 2);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(check_vector(spec, std::vector<float>{0.0F, 1e-45F}).ok());
    for (const std::vector<float>& bad : std::vector<std::vector<float>>{
             {}, {1}, {1, 2, 3}, {1, nan}, {infinity, 0}, {0, 0}, {-0.0F, 0}}) {
        const auto outcome = check_vector(spec, bad);
        ASSERT_FALSE(outcome.ok());
        EXPECT_EQ(outcome.error().code(), ErrorCode::kInvalidArgument);
        EXPECT_EQ(outcome.error().field(), "face");
    }
}

TEST(VectorCheck, LooksAtTheVectorAsItIsStored) {
    const std::vector<float> tiny = {1e-9F, 0};
    EXPECT_TRUE(
        check_vector(spec_of(schema::VectorStorage::kF32, schema::Metric::kCosine, 2), tiny).ok());
    EXPECT_TRUE(
        check_vector(spec_of(schema::VectorStorage::kInt8, schema::Metric::kCosine, 2), tiny).ok());
    EXPECT_TRUE(
        check_vector(spec_of(schema::VectorStorage::kF16, schema::Metric::kL2, 2), tiny).ok());
    EXPECT_FALSE(
        check_vector(spec_of(schema::VectorStorage::kF16, schema::Metric::kCosine, 2), tiny).ok());
    EXPECT_FALSE(check_vector(spec_of(schema::VectorStorage::kF16, schema::Metric::kL2, 2),
                              std::vector<float>{70000.0F, 0})
                     .ok());
}

TEST(VectorCodec, RefusesDamagedRows) {
    Encoder out;
    const auto spec = spec_of(schema::VectorStorage::kInt8, schema::Metric::kL2, 3);
    encode_vector(spec, HybridTime::from_bits(1), std::vector<float>{1, 2, 3}, &out);
    const std::string bytes = out.take();
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(decode_vector(std::string_view(bytes).substr(0, size)).ok()) << size;
    EXPECT_FALSE(decode_vector(bytes + "x").ok());
    std::string other = bytes;
    other[1] = 3;
    EXPECT_FALSE(decode_vector(other).ok());
}

}  // namespace vector_codec_test
}  // namespace tidal::entity
