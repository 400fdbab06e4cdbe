// bench/vector_sets.h: the sets of vectors that graphs and scans are measured on.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "generated_vectors.h"

namespace tidal::bench {

struct VectorSet {
    std::string name;
    std::size_t dimensions = 0;
    std::vector<float> base, queries;
    std::size_t size() const { return base.size() / dimensions; }
    std::size_t asked() const { return queries.size() / dimensions; }
    const float* row(std::size_t i) const { return base.data() + i * dimensions; }
    std::span<const float> query(std::size_t i) const {
        return {queries.data() + i * dimensions, dimensions};
    }
};

inline VectorSet clusters(std::size_t count, std::size_t dimensions, std::size_t queries) {
    Clusters from(dimensions);
    VectorSet out{.name = "clusters-" + std::to_string(count) + "-" + std::to_string(dimensions),
                  .dimensions = dimensions,
                  .base = {},
                  .queries = {}};
    for (std::size_t i = 0; i < count; ++i) from.add(&out.base);
    for (std::size_t i = 0; i < queries; ++i) from.add(&out.queries);
    return out;
}

/// A grey PNG of 784 columns, whose rows are vectors: filters 0, 1 and 2 only (the set's README).
inline bool read_png(const std::string& path, std::vector<float>* out) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    std::string packed;
    for (std::size_t at = 8; at + 12 <= bytes.size();) {
        std::uint32_t size = 0;
        for (int i = 0; i < 4; ++i) size = (size << 8) | static_cast<unsigned char>(bytes[at + i]);
        if (bytes.compare(at + 4, 4, "IDAT") == 0) packed += bytes.substr(at + 8, size);
        at += 12 + size;
    }
    constexpr std::size_t kColumns = 784, kRows = 3000;
    std::vector<unsigned char> raw((kColumns + 1) * kRows);
    uLongf length = raw.size();
    if (uncompress(raw.data(), &length, reinterpret_cast<const Bytef*>(packed.data()),
                   packed.size()) != Z_OK)
        return false;
    for (std::size_t r = 0; r < kRows; ++r) {
        unsigned char* const line = raw.data() + r * (kColumns + 1);
        const unsigned char* const above = line - (kColumns + 1);
        for (std::size_t c = 1; c <= kColumns; ++c) {
            if (line[0] == 1 && c > 1) line[c] = static_cast<unsigned char>(line[c] + line[c - 1]);
            if (line[0] == 2 && r > 0) line[c] = static_cast<unsigned char>(line[c] + above[c]);
            out->push_back(line[c]);
        }
    }
    return true;
}

/// The 60,000 digits of TIDAL_TEST_DATA, 784 dimensions. False = they are not there.
inline bool mnist(std::size_t queries, VectorSet* out) {
    const char* const folder = std::getenv("TIDAL_TEST_DATA");
    if (folder == nullptr) return false;
    *out = {.name = "mnist-784", .dimensions = 784, .base = {}, .queries = {}};
    for (int batch = 0; batch <= 20; ++batch)
        if (!read_png(
                std::string(folder) + "/mnist-784/mnist_batch_" + std::to_string(batch) + ".png",
                batch < 20 ? &out->base : &out->queries))
            return false;
    out->queries.resize(queries * out->dimensions);
    return true;
}

}  // namespace tidal::bench
