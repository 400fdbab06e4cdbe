// The vectors of TIDAL_TEST_DATA, read without the code under test.
#pragma once

#include <zlib.h>
#include <zstd.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace tidal::vector {

/// A file of the data sets; nullopt = it is not there.
inline std::optional<std::string> read_data(const std::string& name) {
    const char* root = std::getenv("TIDAL_TEST_DATA");
    if (root == nullptr) return std::nullopt;
    std::ifstream file(std::string(root) + "/" + name, std::ios::binary);
    if (!file) return std::nullopt;
    return std::string{std::istreambuf_iterator<char>(file), {}};
}

inline std::string unpack_zst(const std::string& packed) {
    std::string text;
    std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    std::vector<char> piece(1 << 17);
    while (in.pos < in.size) {
        ZSTD_outBuffer out{piece.data(), piece.size(), 0};
        EXPECT_EQ(ZSTD_isError(ZSTD_decompressStream(context.get(), &out, &in)), 0U);
        text.append(piece.data(), out.pos);
    }
    return text;
}

/// Of zlib (window 15) or gzip (window 31).
inline std::string inflate_all(const std::string& packed, int window) {
    z_stream stream = {};
    EXPECT_EQ(inflateInit2(&stream, window), Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    std::string out;
    std::vector<char> piece(1 << 17);
    int state = Z_OK;
    while (state == Z_OK) {
        stream.next_out = reinterpret_cast<Bytef*>(piece.data());
        stream.avail_out = static_cast<uInt>(piece.size());
        state = inflate(&stream, Z_NO_FLUSH);
        out.append(piece.data(), piece.size() - stream.avail_out);
    }
    EXPECT_EQ(state, Z_STREAM_END);
    inflateEnd(&stream);
    return out;
}

struct Vectors {
    std::vector<std::vector<float>> base, queries;
};

/// A grey PNG of 784 columns, whose rows are vectors: filters 0, 1 and 2 only (the set's README).
inline std::vector<std::vector<float>> read_png(const std::string& bytes) {
    std::string packed;
    for (std::size_t at = 8; at + 12 <= bytes.size();) {
        std::uint32_t size = 0;
        for (int i = 0; i < 4; ++i) size = (size << 8) | static_cast<unsigned char>(bytes[at + i]);
        if (bytes.compare(at + 4, 4, "IDAT") == 0) packed += bytes.substr(at + 8, size);
        at += 12 + size;
    }
    constexpr std::size_t kColumns = 784;
    std::string raw = inflate_all(packed, 15);
    std::vector<std::vector<float>> out;
    for (std::size_t r = 0; (r + 1) * (kColumns + 1) <= raw.size(); ++r) {
        char* const line = raw.data() + r * (kColumns + 1);
        out.emplace_back();
        for (std::size_t c = 1; c <= kColumns; ++c) {
            if (line[0] == 1 && c > 1) line[c] = static_cast<char>(line[c] + line[c - 1]);
            if (line[0] == 2 && r > 0)
                line[c] = static_cast<char>(line[c] + *(line + c - (kColumns + 1)));
            out.back().push_back(static_cast<unsigned char>(line[c]));
        }
    }
    return out;
}

inline std::optional<Vectors> read_mnist(int batches, std::size_t queries) {
    Vectors out;
    for (int batch = 0; batch <= batches; ++batch) {
        const auto png = read_data("mnist-784/mnist_batch_" +
                                   std::to_string(batch < batches ? batch : 20) + ".png");
        if (!png) return std::nullopt;
        for (auto& row : read_png(*png))
            (batch < batches ? out.base : out.queries).push_back(std::move(row));
    }
    out.queries.resize(queries);
    return out;
}

inline std::optional<Vectors> read_sift() {
    const auto base = read_data("sift-5k/sift-dataset-5k.tsv.zst");
    const auto queries = read_data("sift-5k/siftsmall_query.fvecs.zst");
    if (!base || !queries) return std::nullopt;
    Vectors out;
    std::istringstream lines(unpack_zst(*base));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream numbers(line);
        out.base.emplace_back(128);
        for (float& v : out.base.back()) numbers >> v;
    }
    const std::string packed = unpack_zst(*queries);
    constexpr std::size_t kBytes = 4 + 128 * sizeof(float);
    for (std::size_t at = 0; at + kBytes <= packed.size(); at += kBytes) {
        out.queries.emplace_back(128);
        std::memcpy(out.queries.back().data(), packed.data() + at + 4, kBytes - 4);
    }
    return out;
}

/// Every fiftieth is a query. What is left over of `one_in` of the base is not read.
/// @param base_classes, query_classes  Get the forum of each.
inline std::optional<Vectors> read_titles(std::size_t one_in,
                                          std::vector<std::size_t>* base_classes,
                                          std::vector<std::size_t>* query_classes) {
    constexpr const char* kForums[] = {"android", "gis",  "mathematica", "physics",  "programmers",
                                       "stats",   "unix", "webmasters",  "wordpress"};
    Vectors out;
    std::size_t forum = 0, seen = 0;
    for (const char* const name : kForums) {
        const auto packed = read_data("cqadupstack-bge768/topics.beir-v1.0.0-cqadupstack-" +
                                      std::string(name) + ".test.bge-base-en-v1.5.jsonl.gz");
        if (!packed) return std::nullopt;
        std::istringstream lines(inflate_all(*packed, 31));
        for (std::string line; std::getline(lines, line); ++seen) {
            const bool query = seen % 50 == 0;
            if (!query && seen % one_in != 0) continue;
            std::vector<float> values;
            const char* at = line.c_str() + line.find('[') + 1;
            for (char* end = nullptr; values.size() < 768; at = end + 1)
                values.push_back(std::strtof(at, &end));
            (query ? out.queries : out.base).push_back(std::move(values));
            (query ? query_classes : base_classes)->push_back(forum);
        }
        ++forum;
    }
    return out;
}

}  // namespace tidal::vector
