// bench/vector_scan_bench.cc: the exact scan of vectors beside memory, a loop by hand and hnswlib's
// brute force; whole and under filters.
//
//     vector_scan_bench [vectors = 1000000] [dimensions = 128]
//     TIDAL_TEST_DATA=DIR vector_scan_bench     mnist-784, 60,000 vectors, as well
//
// One thread. Prints the median over queries taken in turn with the peers, nanoseconds a vector,
// the memory read a second, and recall@10 against sums in f64 over what is stored. Vectors are
// uniform in [-1, 1) by xorshift64 from a fixed seed. hnswlib (libhnswlib-dev) is left out where it
// is not installed.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/codec.h"
#include "vector/flat_vectors.h"
#include "vector_sets.h"
#if __has_include(<hnswlib/hnswlib.h>)
#include <hnswlib/hnswlib.h>
#define TIDAL_HAVE_HNSWLIB 1
#endif

namespace tidal {
namespace {

using schema::Metric;
using schema::VectorStorage;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kTop = 10, kAsked = 20;
constexpr std::size_t kBlock = 1024;

struct Random {
    std::uint64_t state = 88172645463325252ULL;  // xorshift64 (Marsaglia 2003)
    std::uint64_t next() {
        state ^= state << 13;
        state ^= state >> 7;
        return state ^= state << 17;
    }
    float unit() { return static_cast<float>(next() >> 40) * 0x1p-23F - 1; }
};

using Data = bench::VectorSet;

Data generated(std::size_t count, std::size_t dimensions) {
    Random random;
    Data out{.name = "uniform", .dimensions = dimensions, .base = {}, .queries = {}};
    out.base.resize(count * dimensions);
    for (float& v : out.base) v = random.unit();
    out.queries.resize(kAsked * dimensions);
    for (float& v : out.queries) v = random.unit();
    return out;
}

using Hit = std::pair<double, std::uint32_t>;  ///< Nearest first, then by number.

struct Best {
    std::vector<Hit> heap;
    void offer(double similarity, std::uint32_t slot) {
        const Hit hit{-similarity, slot};
        if (heap.size() == kTop && !(hit < heap.front())) return;
        if (heap.size() == kTop) {
            std::ranges::pop_heap(heap);
            heap.pop_back();
        }
        heap.push_back(hit);
        std::ranges::push_heap(heap);
    }
};

double similarity(Metric metric, std::span<const float> a, const std::vector<float>& b) {
    double dot = 0, distance = 0;
    for (std::size_t d = 0; d < a.size(); ++d) {
        const double x = a[d], y = b[d];
        dot += x * y;
        distance += (x - y) * (x - y);
    }
    if (metric == Metric::kL2) return 1 / (1 + distance);
    return metric == Metric::kDot ? dot : dot / (vector::norm_of(a) * vector::norm_of(b));
}

class Scan {
public:
    Scan(const Data& data, Metric metric, VectorStorage storage)
        : data_(data),
          vectors_({.id = EmbeddingSlotId(0),
                    .name = "bench",
                    .dimensions = static_cast<std::uint32_t>(data.dimensions),
                    .metric = metric,
                    .storage = storage}) {
        Encoder out;
        for (std::size_t i = 0; i < data.size(); ++i) {
            out.clear();
            entity::encode_vector(vectors_.spec(), HybridTime(), {data.row(i), data.dimensions},
                                  &out);
            vectors_.put(Slot(static_cast<std::uint32_t>(i)), *entity::view_vector(out.view()));
        }
        for (std::size_t i = 0; i < data.size(); ++i)
            all_.push_back(Slot(static_cast<std::uint32_t>(i)));
    }

    const std::vector<Slot>& all() const { return all_; }
    std::size_t bytes() const { return vectors_.bytes(); }

    Best search(std::size_t query, std::span<const Slot> slots) const {
        const auto probe = *vector::make_probe(vectors_.spec(), data_.query(query));
        Best best;
        double found[kBlock];
        for (std::size_t at = 0; at < slots.size(); at += kBlock) {
            const auto block = slots.subspan(at, std::min(kBlock, slots.size() - at));
            vectors_.similarities(probe, block, {found, block.size()});
            for (std::size_t i = 0; i < block.size(); ++i)
                if (best.heap.size() < kTop || -found[i] <= best.heap.front().first)
                    best.offer(found[i], block[i].value());
        }
        return best;
    }

    double recall(std::size_t query, std::span<const Slot> slots) const {
        Best wanted;
        for (const Slot slot : slots)
            wanted.offer(
                similarity(vectors_.spec().metric, data_.query(query), vectors_.values(slot)),
                slot.value());
        const Best found = search(query, slots);
        std::size_t common = 0;
        for (const Hit& a : wanted.heap)
            for (const Hit& b : found.heap) common += a.second == b.second ? 1 : 0;
        return wanted.heap.empty()
                   ? 1
                   : static_cast<double>(common) / static_cast<double>(wanted.heap.size());
    }

private:
    const Data& data_;
    vector::FlatVectors vectors_;
    std::vector<Slot> all_;
};

/// A loop as somebody would write it: sixteen sums, so that the compiler may use its vectors.
Best by_hand(const Data& data, std::size_t query) {
    const float* const q = data.query(query).data();
    const std::size_t n = data.dimensions;
    Best best;
    for (std::size_t i = 0; i < data.size(); ++i) {
        const float* const row = data.row(i);
        float sums[16] = {};
        std::size_t d = 0;
        for (; d + 16 <= n; d += 16)
            for (std::size_t k = 0; k < 16; ++k) {
                const float difference = q[d + k] - row[d + k];
                sums[k] += difference * difference;
            }
        for (std::size_t k = 0; d + k < n; ++k) {
            const float difference = q[d + k] - row[d + k];
            sums[k] += difference * difference;
        }
        float sum = 0;
        for (const float s : sums) sum += s;
        best.offer(-sum, static_cast<std::uint32_t>(i));
    }
    return best;
}

/// All that a scan must read at least.
float read_memory(const Data& data) {
    float sums[64] = {};
    const std::size_t whole = data.base.size() / 64 * 64;
    for (std::size_t i = 0; i < whole; i += 64)
        for (std::size_t k = 0; k < 64; ++k) sums[k] += data.base[i + k];
    float sum = 0;
    for (const float s : sums) sum += s;
    return sum;
}

struct Contender {
    std::string name;
    double bytes = 0;  ///< Of one pass.
    std::function<void(std::size_t query)> run;
    std::vector<double> nanoseconds = {};
};

double median(std::vector<double> values) {
    std::ranges::nth_element(values,
                             values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
    return values[values.size() / 2];
}

void in_turn(std::vector<Contender>* all, std::size_t queries) {
    for (std::size_t query = 0; query < queries; ++query)
        for (Contender& each : *all) {
            const auto begin = Clock::now();
            each.run(query);
            each.nanoseconds.push_back(
                std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
        }
}

void whole_scans(const Data& data) {
    const auto count = static_cast<double>(data.size());
    std::vector<Contender> all;
    volatile float kept = 0;
    const double f32_bytes = static_cast<double>(data.base.size()) * 4;
    all.push_back(
        {"memory, read and added up", f32_bytes, [&](std::size_t) { kept = read_memory(data); }});
    all.push_back(
        {"l2 by hand, -O3", f32_bytes, [&](std::size_t query) { (void)by_hand(data, query); }});
#ifdef TIDAL_HAVE_HNSWLIB
    hnswlib::L2Space space(data.dimensions);
    hnswlib::BruteforceSearch<float> peer(&space, data.size());
    for (std::size_t i = 0; i < data.size(); ++i) peer.addPoint(data.row(i), i);
    all.push_back({"l2, hnswlib brute force", f32_bytes,
                   [&](std::size_t query) { peer.searchKnn(data.query(query).data(), kTop); }});
#endif
    const struct {
        const char* name;
        Metric metric;
        VectorStorage storage;
    } kinds[] = {{"l2 f32", Metric::kL2, VectorStorage::kF32},
                 {"cosine f32", Metric::kCosine, VectorStorage::kF32},
                 {"dot f16", Metric::kDot, VectorStorage::kF16},
                 {"l2 int8", Metric::kL2, VectorStorage::kInt8}};
    std::vector<std::unique_ptr<Scan>> scans;
    for (const auto& kind : kinds) {
        scans.push_back(std::make_unique<Scan>(data, kind.metric, kind.storage));
        all.push_back({kind.name, static_cast<double>(scans.back()->bytes()),
                       [scan = scans.back().get()](std::size_t query) {
                           (void)scan->search(query, scan->all());
                       }});
    }
    in_turn(&all, data.asked());
    std::printf("%-28s %10s %12s %8s %10s\n", "whole scan", "ms", "ns a vector", "GB/s",
                "recall@10");
    for (std::size_t i = 0; i < all.size(); ++i) {
        const double ns = median(all[i].nanoseconds);
        std::printf("%-28s %10.2f %12.1f %8.1f", all[i].name.c_str(), ns / 1e6, ns / count,
                    all[i].bytes / ns);
        if (i + scans.size() >= all.size()) {
            const Scan& scan = *scans[i + scans.size() - all.size()];
            double recall = 0;
            for (std::size_t query = 0; query < 5; ++query)
                recall += scan.recall(query, scan.all()) / 5;
            std::printf(" %10.4f", recall);
        }
        std::printf("\n");
    }
}

void filtered_scans(const Data& data) {
    const Scan scan(data, Metric::kL2, VectorStorage::kF32);
    std::printf("\n%-28s %10s %12s %10s %10s\n", "l2 f32 under a random filter", "matches", "us",
                "ns a match", "recall@10");
    Random random;
    for (const double percent : {50.0, 10.0, 1.0, 0.1, 0.01}) {
        std::vector<Slot> slots;
        for (const Slot slot : scan.all())
            if (static_cast<double>(random.next() >> 11) * 0x1p-53 < percent / 100)
                slots.push_back(slot);
        std::vector<double> nanoseconds;
        double recall = 0;
        for (std::size_t query = 0; query < data.asked(); ++query) {
            const auto begin = Clock::now();
            (void)scan.search(query, slots);
            nanoseconds.push_back(
                std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
            if (query < 5) recall += scan.recall(query, slots) / 5;
        }
        const double ns = median(nanoseconds);
        std::printf("%26.2f %% %10zu %12.1f %10.1f %10.4f\n", percent, slots.size(), ns / 1e3,
                    ns / static_cast<double>(std::max<std::size_t>(1, slots.size())), recall);
    }
}

int run(std::size_t count, std::size_t dimensions) {
    std::printf("%zu vectors of %zu dimensions, generated\n", count, dimensions);
    {
        const Data data = generated(count, dimensions);
        whole_scans(data);
        filtered_scans(data);
    }
    Data digits;
    if (!bench::mnist(kAsked, &digits)) {
        std::printf("\nmnist-784: left out, not in TIDAL_TEST_DATA\n");
        return 0;
    }
    std::printf("\nmnist-784: %zu vectors of %zu dimensions\n", digits.size(), digits.dimensions);
    whole_scans(digits);
    filtered_scans(digits);
    return 0;
}

}  // namespace
}  // namespace tidal

int main(int argc, char** argv) {
    const auto argument = [&](int at, std::size_t otherwise) {
        return argc > at ? static_cast<std::size_t>(std::strtoull(argv[at], nullptr, 10))
                         : otherwise;
    };
    return tidal::run(argument(1, 1'000'000), argument(2, 128));
}
