// Vectors around a few centres, and graphs of them, for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "vector/graph_build.h"
#include "vector/tests/vector_rows.h"

namespace tidal::vector {

inline BuiltGraph finished(GraphBuild* build, const FlatVectors& vectors) {
    while (!build->copy(vectors, 100)) {
    }
    for (;;) {
        const auto done = build->link(50);
        EXPECT_TRUE(done.ok());
        if (!done || *done) break;
    }
    return build->take();
}
inline std::shared_ptr<const Graph> built(GraphBuild* build, const FlatVectors& vectors) {
    return finished(build, vectors).graph;
}

/// Vectors around a few centres far from the origin: the mean is what codes have to take away.
struct Set {
    Set(schema::Metric metric, schema::VectorStorage storage, std::uint32_t dimensions,
        std::uint32_t count, std::uint64_t seed)
        : vectors(spec_of(dimensions, metric, storage)), random(seed), centres(8) {
        for (auto& centre : centres)
            for (std::uint32_t d = 0; d < dimensions; ++d) centre.push_back(3 + normal(random));
        for (std::uint32_t slot = 0; slot < count; ++slot) put(slot);
    }
    std::vector<float> any() {
        std::vector<float> out = centres[random() % centres.size()];
        for (float& v : out) v += 0.5F * normal(random);
        return out;
    }
    void put(std::uint32_t slot) {
        vectors.put(Slot(slot), *entity::view_vector(row_of(vectors.spec(), any())));
    }
    /// The nearest of those, by what similarities() says.
    std::set<std::uint32_t> nearest(const Probe& probe, const Roaring& among, std::size_t k) const {
        std::vector<std::pair<double, std::uint32_t>> all;
        for (const std::uint32_t slot : among) {
            const Slot one(slot);
            double value = 0;
            vectors.similarities(probe, {&one, 1}, {&value, 1});
            all.emplace_back(-value, slot);
        }
        std::ranges::sort(all);
        std::set<std::uint32_t> out;
        for (std::size_t i = 0; i < std::min(k, all.size()); ++i) out.insert(all[i].second);
        return out;
    }

    FlatVectors vectors;
    std::mt19937_64 random;
    std::normal_distribution<float> normal;
    std::vector<std::vector<float>> centres;
};

}  // namespace tidal::vector
