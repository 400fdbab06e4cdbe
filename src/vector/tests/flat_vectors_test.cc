#include "vector/flat_vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <map>
#include <random>

#include "vector/internal/kernels.h"
#include "vector/tests/vector_rows.h"

namespace tidal::vector {
namespace flat_vectors_test {

using schema::Metric;
using schema::VectorStorage;

constexpr Metric kMetrics[] = {Metric::kCosine, Metric::kL2, Metric::kDot};
constexpr VectorStorage kStorages[] = {VectorStorage::kF32, VectorStorage::kF16,
                                       VectorStorage::kInt8};

std::vector<float> random_vector(std::mt19937_64& random, std::uint32_t dimensions) {
    std::normal_distribution<float> normal;
    std::vector<float> out(dimensions);
    for (float& v : out) v = normal(random);
    return out;
}

void put(FlatVectors& vectors, Slot slot, std::span<const float> values) {
    const std::string row = row_of(vectors.spec(), values);
    vectors.put(slot, *entity::view_vector(row));
}

/// The definition, over what is stored, in f64.
double brute_force(Metric metric, std::span<const float> a, std::span<const float> b) {
    double dot = 0, distance = 0;
    for (std::size_t d = 0; d < a.size(); ++d) {
        const double x = a[d], y = b[d];
        dot += x * y;
        distance += (x - y) * (x - y);
    }
    if (metric == Metric::kDot) return dot;
    if (metric == Metric::kL2) return 1 / (1 + distance);
    return dot / (norm_of(a) * norm_of(b));
}

/// How far f32 sums may be off: relative to the lengths.
double tolerance(Metric metric, std::span<const float> a, std::span<const float> b) {
    return metric == Metric::kDot ? 1e-5 * (1 + norm_of(a) * norm_of(b)) : 1e-5;
}

TEST(FlatVectors, SimilaritiesAreThoseOfBruteForce) {
    EXPECT_TRUE(rc::check([] {
        std::mt19937_64 random(*rc::gen::arbitrary<std::uint64_t>());
        const auto dimensions = *rc::gen::inRange<std::uint32_t>(1, 200);
        const auto spec = spec_of(
            dimensions, *rc::gen::elementOf(std::vector(std::begin(kMetrics), std::end(kMetrics))),
            *rc::gen::elementOf(std::vector(std::begin(kStorages), std::end(kStorages))));
        FlatVectors vectors(spec);
        std::map<std::uint32_t, std::vector<float>> stored;
        const auto writes = *rc::gen::inRange(0, 60);
        for (int i = 0; i < writes; ++i) {
            const auto slot = static_cast<std::uint32_t>(random() % 5000);
            if (random() % 4 == 0 && !stored.empty()) {
                vectors.erase(Slot(stored.begin()->first));
                stored.erase(stored.begin());
                continue;
            }
            const auto values = random_vector(random, dimensions);
            put(vectors, Slot(slot), values);
            stored[slot] = entity::decode_vector(row_of(spec, values))->values;
        }
        RC_ASSERT(vectors.size() == stored.size());
        RC_ASSERT(vectors.present().cardinality() == stored.size());
        const auto probe_values = random_vector(random, dimensions);
        const Probe probe = *make_probe(spec, probe_values);
        std::vector<Slot> slots;
        for (std::uint32_t slot = 0; slot < 5100; slot += 1 + random() % 3)
            slots.push_back(Slot(slot));
        std::vector<double> found(slots.size(), -7);
        vectors.similarities(probe, slots, found);
        for (std::size_t i = 0; i < slots.size(); ++i) {
            const auto at = stored.find(slots[i].value());
            RC_ASSERT(vectors.has(slots[i]) == (at != stored.end()));
            if (at == stored.end()) {
                RC_ASSERT(found[i] == 0.0);
                continue;
            }
            const double wanted = brute_force(spec.metric, probe_values, at->second);
            RC_ASSERT(std::abs(found[i] - wanted) <=
                      tolerance(spec.metric, probe_values, at->second));
        }
    }));
}

TEST(FlatVectors, AValueDependsOnNothingElseOfTheCall) {
    std::mt19937_64 random(7);
    for (const auto storage : kStorages)
        for (const auto metric : kMetrics) {
            const auto spec = spec_of(37, metric, storage);
            FlatVectors vectors(spec);
            std::vector<Slot> slots;
            for (std::uint32_t slot = 0; slot < 300; ++slot) {
                put(vectors, Slot(slot), random_vector(random, 37));
                slots.push_back(Slot(slot));
            }
            const Probe probe = *make_probe(spec, random_vector(random, 37));
            std::vector<double> together(slots.size());
            vectors.similarities(probe, slots, together);
            FlatVectors elsewhere(spec);  // As another shard would hold one of them.
            put(elsewhere, Slot(123'456), vectors.values(Slot(17)));
            for (std::size_t i = 0; i < slots.size(); ++i) {
                double alone = 0;
                vectors.similarities(probe, {&slots[i], 1}, {&alone, 1});
                ASSERT_EQ(alone, together[i]);
            }
            if (storage == VectorStorage::kInt8) continue;  // Their values() are scaled.
            double alone = 0;
            const Slot there(123'456);
            elsewhere.similarities(probe, {&there, 1}, {&alone, 1});
            EXPECT_EQ(alone, together[17]);
        }
}

TEST(FlatVectors, WritesThatComeAgainReplaceAndMemoryIsGivenBack) {
    const auto spec = spec_of(8, Metric::kL2, VectorStorage::kF32);
    FlatVectors vectors(spec);
    const std::size_t empty = vectors.bytes();
    put(vectors, Slot(5), std::vector<float>(8, 1));
    put(vectors, Slot(5), std::vector<float>(8, 2));
    EXPECT_EQ(vectors.size(), 1U);
    EXPECT_THAT(vectors.values(Slot(5)), testing::Each(2.0F));
    EXPECT_GT(vectors.bytes(), empty + 8 * sizeof(float));
    put(vectors, Slot(70'000), std::vector<float>(8, 3));
    vectors.erase(Slot(70'000));
    vectors.erase(Slot(70'000));
    vectors.erase(Slot(5));
    EXPECT_EQ(vectors.size(), 0U);
    EXPECT_FALSE(vectors.has(Slot(5)));
    EXPECT_LT(vectors.bytes(), 4096U);
}

TEST(FlatVectors, ExtremeNumbersGiveNumbers) {
    const auto spec = spec_of(3, Metric::kCosine, VectorStorage::kF32);
    FlatVectors vectors(spec);
    put(vectors, Slot(0), std::vector<float>{2e38F, 2e38F, 0});
    put(vectors, Slot(1), std::vector<float>{0, -1e-37F, 0});
    const Probe probe = *make_probe(spec, std::vector<float>{1e30F, 1e30F, 0});
    const Slot slots[] = {Slot(0), Slot(1)};
    double out[2];
    vectors.similarities(probe, slots, out);
    EXPECT_NEAR(out[0], 1, 1e-6);
    EXPECT_NEAR(out[1], -std::sqrt(0.5), 1e-6);
}

TEST(Probes, WhatAWriteRefusesIsRefused) {
    const auto spec = spec_of(2, Metric::kCosine, VectorStorage::kF32);
    EXPECT_FALSE(make_probe(spec, std::vector<float>{1}).ok());
    EXPECT_FALSE(make_probe(spec, std::vector<float>{0, 0}).ok());
    EXPECT_FALSE(make_probe(spec, std::vector<float>{NAN, 1}).ok());
    EXPECT_THAT(make_probe(spec, std::vector<float>{3, 4})->values,
                testing::ElementsAre(0.6F, 0.8F));
}

/// Sums on one target of Highway.
class Kernels : public testing::TestWithParam<std::int64_t> {
protected:
    void SetUp() override {
        hwy::SetSupportedTargetsForTest(GetParam());
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
    void TearDown() override {
        hwy::SetSupportedTargetsForTest(0);
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
};

/// Sixteen sums, added as internal/kernels.h says.
float written_out(std::span<const float> a, std::span<const float> b, bool distance, float scale) {
    float sums[16] = {};
    for (std::size_t d = 0; d < a.size(); ++d) {
        const float difference = a[d] - b[d] * scale;
        sums[d % 16] += distance ? difference * difference : a[d] * b[d];
    }
    for (std::size_t half = 8; half > 0; half /= 2)
        for (std::size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
    return sums[0];
}

TEST_P(Kernels, HaveTheSameBitsOnEveryMachine) {
    std::mt19937_64 random(11);
    for (const std::size_t dimensions : {1U, 4U, 15U, 16U, 17U, 100U, 768U}) {
        const auto n = static_cast<std::uint32_t>(dimensions);
        const auto probe = random_vector(random, n);
        const auto f32 = random_vector(random, n);
        std::vector<std::uint16_t> f16;
        std::vector<std::int8_t> int8;
        std::vector<float> of_f16, of_int8;
        for (const float v : f32) {
            // Now and then a subnormal, which not every machine converts by itself.
            f16.push_back(entity::float_to_half(random() % 8 == 0 ? v * 1e-6F : v));
            of_f16.push_back(entity::half_to_float(f16.back()));
            int8.push_back(static_cast<std::int8_t>(random() % 255 - 127));
            of_int8.push_back(int8.back());
        }
        const float scale = 0.0173F;
        const struct {
            VectorStorage storage;
            const void* row;
            const std::vector<float>& values;
            float scale;
        } rows[] = {{VectorStorage::kF32, f32.data(), f32, 1},
                    {VectorStorage::kF16, f16.data(), of_f16, 1},
                    {VectorStorage::kInt8, int8.data(), of_int8, scale}};
        for (const auto& each : rows) {
            float dot = 0, distance = 0;
            kernels::dot(each.storage, probe, {&each.row, 1}, &dot);
            kernels::squared_distance(each.storage, probe, {&each.row, 1}, &scale, &distance);
            EXPECT_EQ(std::bit_cast<std::uint32_t>(dot),
                      std::bit_cast<std::uint32_t>(written_out(probe, each.values, false, 1)));
            EXPECT_EQ(
                std::bit_cast<std::uint32_t>(distance),
                std::bit_cast<std::uint32_t>(written_out(probe, each.values, true, each.scale)));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, Kernels, testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& target) { return hwy::TargetName(target.param); });

}  // namespace flat_vectors_test
}  // namespace tidal::vector
