// bench/vector_graph_bench.cc: graphs of vectors beside hnswlib 0.6.2 (M 16, ef of construction
// 200); whole and under filters, random ones and such that leave only what is far from the query.
//
//     vector_graph_bench [vectors = 200000] [dimensions = 128]    generated clusters
//     TIDAL_TEST_DATA=DIR vector_graph_bench mnist                 mnist-784, 60,000 vectors
//     VECTOR_GRAPH_DIR=DIR vector_graph_bench ...                  keeps the graphs for the next
//     run
//     VECTOR_GRAPH_MEMORY=1 vector_graph_bench ...                 maps no file
//
// Graphs are built at the same time, each by one thread, which is the only use of threads. In
// each of five rounds one contender after the other is asked all queries; the time of a query is
// the least of the five, of the processor, so that other work on the machine counts as little as
// can be. Printed are means over the queries beside recall@10 against the exact scan, for rising
// ef; then, under filters, ours against the better of hnswlib with a filter, at the least ef with
// recall >= 0.98, and the exact scan. The generator: generated_vectors.h. Classes are
// those of ten of the vectors taken as centres after three rounds of k-means. Ours includes the
// exact comparison of what is found; the bitmap of a filter is made before, as is hnswlib's. Ours
// are searched as a server does once a file has a graph: links, codes and vectors where the file is
// mapped. What of that is memory and what is pages of the file is printed as we count it, and as
// the kernel counts it for the process (RssAnon, RssFile) before and after the file takes the place
// of memory.
#include <malloc.h>
#include <sys/mman.h>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/codec.h"
#include "filtered_hnsw.h"
#include "vector/graph_file.h"
#include "vector/planned_search.h"
#include "vector_sets.h"

namespace tidal {
namespace {

using vector::Effort;

constexpr std::uint32_t kWidth = 160;
constexpr std::size_t kTop = 10, kQueries = 100, kFilteredQueries = 20, kRounds = 5;

/// Of this thread's processor time.
double now_s() {
    timespec now = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}
double seconds_since(double begin) {
    return now_s() - begin;
}

/// Of this process, in bytes.
double resident(std::string_view what) {
    std::ifstream status("/proc/self/status");
    std::string word;
    double kilobytes = 0;
    while (status >> word)
        if (word == what) status >> kilobytes;
    return kilobytes * 1024;
}

using Data = bench::VectorSet;

class Bench {
public:
    explicit Bench(const Data& data)
        : data_(data),
          flat_({.id = EmbeddingSlotId(0),
                 .name = "bench",
                 .dimensions = static_cast<std::uint32_t>(data.dimensions),
                 .metric = schema::Metric::kL2,
                 .storage = schema::VectorStorage::kF32}),
          space_(data.dimensions) {
        Encoder out;
        for (std::size_t i = 0; i < data.size(); ++i) {
            out.clear();
            entity::encode_vector(flat_.spec(), HybridTime(), {data.row(i), data.dimensions}, &out);
            flat_.put(Slot(static_cast<std::uint32_t>(i)), *entity::view_vector(out.view()));
        }
    }

    /// Both at once, each by one thread. @param folder  Where they are kept for the next run, if
    /// any.
    void build(const std::string& folder) {
        const std::string at = folder.empty() ? "" : folder + "/" + data_.name;
        std::thread peer([&] { build_peer(at); });
        build_ours(at);
        peer.join();
        memory("in memory");
        if (std::getenv("VECTOR_GRAPH_MEMORY") == nullptr) {
            map_ours();
            memory("once a file has it");
        }
        std::printf("\n");
    }

    void memory(const char* when) const {
        malloc_trim(0);
        const auto each = [&](std::size_t bytes) { return static_cast<double>(bytes) / count(); };
        const double peer = static_cast<double>(peer_->size_data_per_element_);
        const double vectors = each(flat_.bytes()), graph = each(graphs_.bytes());
        const double vectors_mapped = each(flat_.mapped_bytes()),
                     graph_mapped = each(graphs_.mapped_bytes());
        const double memory = vectors + graph, mapped = vectors_mapped + graph_mapped;
        std::printf(
            "bytes a vector %s: hnswlib %.0f; ours %.0f of memory, %.2fx (f32 %.0f, graph and "
            "codes %.0f), %.0f of mapped pages (f32 %.0f, graph and codes %.0f);\n"
            "    together %.2fx, without the mapped f32 %.2fx; the process, with hnswlib and what "
            "both were made of: RssAnon %.0f, RssFile %.0f\n",
            when, peer, memory, memory / peer, vectors, graph, mapped, vectors_mapped, graph_mapped,
            (memory + mapped) / peer, (memory + graph_mapped) / peer,
            resident("RssAnon:") / count(), resident("RssFile:") / count());
    }

    void whole() {
        const std::vector<bool> all(data_.size(), true);
        std::vector<Contender> contenders;
        for (const std::size_t ef : {10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512}) {
            contenders.push_back(
                {"hnswlib ef " + std::to_string(ef), [this, ef, &all](std::size_t query) {
                     return peer_->search(data_.query(query).data(), ef, all, kTop);
                 }});
            const vector::Beam beam{static_cast<std::uint32_t>(ef)};
            contenders.push_back({"ours ef " + std::to_string(ef), [this, beam](std::size_t query) {
                                      return by_graph(query, beam);
                                  }});
        }
        for (const int percent : {0, 2, 5, 7, 10, 15, 20}) {
            const vector::Beam beam{kWidth, kTop, 1 + static_cast<float>(percent) / 100};
            contenders.push_back(
                {"ours reach " + std::to_string(percent) + " %",
                 [this, beam](std::size_t query) { return by_graph(query, beam); }});
        }
        for (const Effort effort : {Effort::kLow, Effort::kDefault, Effort::kHigh})
            contenders.push_back({"ours effort=" + std::string(effort_name(effort)),
                                  [this, effort](std::size_t query) {
                                      return planned(query, effort, flat_.present());
                                  }});
        contenders.push_back(
            {"exact scan", [this](std::size_t query) { return exact(query, flat_.present()); }});
        std::vector<const Roaring*> accepted(kQueries, &flat_.present());
        in_turn(&contenders, accepted);
        std::printf("%-22s %10s %10s\n", "whole", "us", "recall@10");
        for (const Contender& each : contenders)
            std::printf("%-22s %10.1f %10.4f\n", each.name.c_str(), each.us(), each.recall());
        costs();
        for (const double bar : {0.95, 0.99}) {
            const Contender* const peer = fastest(contenders, "hnswlib", bar);
            for (const char* const way : {"ours ef", "ours reach", "ours effort"}) {
                const Contender* const ours = fastest(contenders, way, bar);
                if (peer != nullptr && ours != nullptr)
                    std::printf("recall >= %.2f: %s %.1f us, %s %.1f us: %.2fx its speed\n", bar,
                                peer->name.c_str(), peer->us(), ours->name.c_str(), ours->us(),
                                peer->us() / ours->us());
            }
        }
    }

    /// What the planner takes for constants (graph_search.cc, flat_vectors.cc).
    void costs() {
        std::vector<std::uint32_t> slots(data_.size());
        flat_.present().toUint32Array(slots.data());
        const auto& graph = graphs_.segments().front().graph;
        std::vector<double> visits, codes, exacts;
        for (std::size_t query = 0; query < kFilteredQueries; ++query) {
            const vector::Probe probe = this->probe(query);
            double begin = now_s();
            vector::GraphSearch search(graph, probe, vector::Beam{200}, UINT64_MAX);
            search.run([](Slot) { return true; }, [](double) { return true; });
            visits.push_back(seconds_since(begin) * 1e9 / static_cast<double>(search.visits()));
            begin = now_s();
            vector::CodeScan scan(graph, probe, 40);
            scan.offer(slots);
            codes.push_back(seconds_since(begin) * 1e9 / count());
            begin = now_s();
            (void)exact(probe, flat_.present());
            exacts.push_back(seconds_since(begin) * 1e9 / count());
        }
        for (auto* each : {&visits, &codes, &exacts}) std::ranges::sort(*each);
        std::printf("ns a comparison: in the graph %.1f, of codes in a list %.1f, exact %.1f\n",
                    visits[visits.size() / 2], codes[codes.size() / 2], exacts[exacts.size() / 2]);
    }

    void filtered(bool adversarial) {
        std::printf("\n%-8s %8s %12s %9s %11s %10s %8s %7s  %s\n", adversarial ? "far" : "random",
                    "matches", "hnswlib us", "recall", "exact us", "ours us", "recall", "ratio",
                    "way");
        for (const double percent : {50.0, 10.0, 1.0, 0.1, 0.01}) {
            std::vector<Roaring> sets;
            for (std::size_t query = 0; query < kFilteredQueries; ++query)
                sets.push_back(accepted(query, percent / 100, adversarial));
            filtered_by(percent, sets);
        }
    }

    /// Ten centres and, by vector and query, which is nearest.
    void classify() {
        std::vector<float> centres;
        for (std::size_t c = 0; c < kClasses; ++c)
            centres.insert(centres.end(), data_.row(c * 97), data_.row(c * 97) + data_.dimensions);
        for (int round = 0; round < 3; ++round) {
            std::vector<float> sums(centres.size());
            std::vector<float> counts(kClasses);
            for (std::size_t i = 0; i < data_.size(); i += 20) {
                const std::size_t c = nearest_centre(centres, data_.row(i));
                counts[c] += 1;
                for (std::size_t d = 0; d < data_.dimensions; ++d)
                    sums[c * data_.dimensions + d] += data_.row(i)[d];
            }
            for (std::size_t at = 0; at < sums.size(); ++at)
                if (counts[at / data_.dimensions] > 0)
                    centres[at] = sums[at] / counts[at / data_.dimensions];
        }
        for (std::size_t i = 0; i < data_.size(); ++i)
            classes_.push_back(nearest_centre(centres, data_.row(i)));
        for (std::size_t query = 0; query < kQueries; ++query)
            query_classes_.push_back(nearest_centre(centres, data_.query(query).data()));
    }

private:
    using Found = std::vector<std::uint32_t>;
    struct Contender {
        std::string name;
        std::function<Found(std::size_t query)> run;
        std::vector<double> seconds = {};
        double recalls = 0;
        double us() const {
            double sum = 0;
            for (const double each : seconds) sum += each;
            return sum * 1e6 / static_cast<double>(seconds.size());
        }
        double recall() const { return recalls / static_cast<double>(seconds.size()); }
    };
    static constexpr std::size_t kClasses = 10;

    double count() const { return static_cast<double>(data_.size()); }

    void build_peer(const std::string& at) {
        const std::string file = at + ".hnswlib";
        if (!at.empty() && std::filesystem::exists(file)) {
            peer_ = std::make_unique<bench::FilteredHnsw>(&space_, file);
            return;
        }
        const double begin = now_s();
        peer_ = std::make_unique<bench::FilteredHnsw>(&space_, data_.size(), 16, 200);
        for (std::size_t i = 0; i < data_.size(); ++i) peer_->addPoint(data_.row(i), i);
        std::printf("build: hnswlib %.1f s\n", seconds_since(begin));
        if (!at.empty()) peer_->saveIndex(file);
    }

    void build_ours(const std::string& at) {
        const std::string file = at + ".graph";
        if (!at.empty() && open_ours(file)) return;
        const double begin = now_s();
        auto build = graphs_.begin_build(flat_, 1);
        while (!build->copy(flat_, 10'000)) {
        }
        const double copy_s = seconds_since(begin);
        while (!*build->link(10'000)) {
        }
        graphs_.finish_build(build->take(), LogIndex(1));
        std::printf("build: ours %.1f s, of which copied in %.2f s\n", seconds_since(begin),
                    copy_s);
        if (at.empty()) return;
        const auto& parts = graphs_.segments().front().graph->parts();
        std::ofstream out(file, std::ios::binary);
        out << vector::encode_graph_head({.shape = parts.shape, .seed = parts.seed});
        out.write(parts.bytes.get(),
                  static_cast<std::streamsize>(vector::GraphLayout(parts.shape).bytes));
    }

    /// As a shard does (shard/internal/graph_files.h).
    void map_ours() {
        const std::shared_ptr<const vector::Graph> graph = graphs_.segments().front().graph;
        const vector::GraphLayout layout(graph->shape());
        const std::size_t row_bytes = data_.dimensions * sizeof(float);
        constexpr std::uintptr_t kPage = 4096;
        std::FILE* const file = std::tmpfile();
        std::fwrite(graph->parts().bytes.get(), layout.bytes, 1, file);
        for (std::uint32_t node = 0; node < graph->size(); ++node)
            std::fwrite(flat_.stored(graph->slot_of(node)).data(), row_bytes, 1, file);
        std::fflush(file);
        const std::size_t size = layout.bytes + graph->size() * row_bytes;
        void* const at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fileno(file), 0);
        if (at == MAP_FAILED) std::abort();
        const std::shared_ptr<const char> bytes(
            static_cast<const char*>(at),
            [size](const char* mapped) { ::munmap(const_cast<char*>(mapped), size); });
        std::fclose(file);
        graphs_.filed(*graph, 1, graph->in_file(bytes));
        const vector::RowBlocks::File rows{
            {bytes, bytes.get() + layout.bytes},
            size - layout.bytes,
            [](const char* from, std::size_t count) {
                const auto begin = reinterpret_cast<std::uintptr_t>(from) / kPage * kPage;
                const auto end = reinterpret_cast<std::uintptr_t>(from) + count;
                ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
            }};
        for (std::size_t block = 0; block < flat_.blocks(); ++block)
            flat_.map(block, rows, [&](Slot slot) {
                return rows.bytes.get() + graph->node_of(slot) * row_bytes;
            });
    }

    /// False = there is none, or it is of other vectors.
    bool open_ours(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        std::string head(vector::kGraphHeadBytes, '\0');
        if (!file.read(head.data(), static_cast<std::streamsize>(head.size()))) return false;
        const auto decoded = vector::decode_graph_head(head);
        if (!decoded.ok()) return false;
        const std::size_t size = vector::GraphLayout(decoded->shape).bytes;
        constexpr std::align_val_t kAlignment{64};
        const std::shared_ptr<char> bytes(
            static_cast<char*>(::operator new(size, kAlignment)),
            [](char* memory) { ::operator delete(memory, kAlignment); });
        if (!file.read(bytes.get(), static_cast<std::streamsize>(size))) return false;
        auto graph =
            vector::Graph::open(flat_.spec(), {decoded->shape, decoded->seed, bytes, false},
                                static_cast<std::uint32_t>(data_.size()));
        return graph.ok() && graphs_.open({*graph, {}, LogIndex(1), 1}, flat_) &&
               graphs_.fresh().cardinality() == data_.size();
    }

    vector::Probe probe(std::size_t query) const {
        return *vector::make_probe(flat_.spec(), data_.query(query));
    }
    Found exact(const vector::Probe& probe, const Roaring& slots) const {
        constexpr std::size_t kBlock = 1024;
        vector::Nearest best(kTop);
        std::uint32_t block[kBlock];
        Slot asked[kBlock];
        double values[kBlock];
        roaring_uint32_iterator_t at;
        roaring_init_iterator(&slots.roaring, &at);
        while (const std::uint32_t n = roaring_read_uint32_iterator(&at, block, kBlock)) {
            for (std::uint32_t i = 0; i < n; ++i) asked[i] = Slot(block[i]);
            flat_.similarities(probe, {asked, n}, {values, n});
            for (std::uint32_t i = 0; i < n; ++i)
                best.offer({static_cast<float>(-values[i]), block[i]});
        }
        Found out;
        for (const auto& one : best.take()) out.push_back(one.node());
        return out;
    }
    Found exact(std::size_t query, const Roaring& slots) const {
        return exact(probe(query), slots);
    }
    Found by_graph(std::size_t query, const vector::Beam& beam) const {
        const vector::Probe probe = this->probe(query);
        const auto& graph = graphs_.segments().front().graph;
        vector::GraphSearch search(graph, probe, beam, UINT64_MAX);
        search.run([](Slot) { return true; }, [](double) { return true; });
        const auto nearest = search.results();
        std::vector<Slot> found;
        for (std::size_t i = 0; i < std::min<std::size_t>(nearest.size(), 3 * kTop); ++i)
            found.push_back(graph->slot_of(nearest[i].node()));
        std::vector<double> values(found.size());
        flat_.similarities(probe, found, values);
        vector::Nearest best(kTop);
        for (std::size_t i = 0; i < found.size(); ++i)
            best.offer({static_cast<float>(-values[i]), found[i].value()});
        Found out;
        for (const auto& one : best.take()) out.push_back(one.node());
        return out;
    }
    Found planned(std::size_t query, Effort effort, const Roaring& accepted) {
        const vector::Probe probe = this->probe(query);
        vector::PlannedSearch search(flat_, graphs_, probe, effort, kTop, &accepted);
        while (!search.run([](double) { return true; })) {
        }
        trace_ = search.trace();
        return exact(probe, search.found());
    }

    /// One after the other goes through all queries: who is asked the same again at once finds in
    /// the cache what it has just read, and who comes first would pay for that.
    void in_turn(std::vector<Contender>* all, const std::vector<const Roaring*>& accepted) {
        std::vector<Found> wanted;
        for (std::size_t query = 0; query < accepted.size(); ++query)
            wanted.push_back(exact(query, *accepted[query]));
        for (std::size_t round = 0; round < kRounds; ++round)
            for (Contender& each : *all)
                for (std::size_t query = 0; query < accepted.size(); ++query) {
                    const double begin = now_s();
                    const Found found = each.run(query);
                    const double took = seconds_since(begin);
                    if (round == 0) {
                        each.seconds.push_back(took);
                        each.recalls += recall(wanted[query], found);
                    }
                    each.seconds[query] = std::min(each.seconds[query], took);
                }
    }
    static double recall(const Found& wanted, const Found& found) {
        if (wanted.empty()) return 1;
        std::size_t common = 0;
        for (const std::uint32_t id : wanted)
            common += std::ranges::find(found, id) != found.end() ? 1 : 0;
        return static_cast<double>(common) / static_cast<double>(wanted.size());
    }
    static const Contender* fastest(const std::vector<Contender>& all, std::string_view name,
                                    double recall) {
        const Contender* best = nullptr;
        for (const Contender& each : all)
            if (each.name.starts_with(name) && each.recall() >= recall &&
                (best == nullptr || each.us() < best->us()))
                best = &each;
        return best;
    }

    void filtered_by(double percent, const std::vector<Roaring>& sets) {
        std::vector<std::vector<bool>> bits(sets.size(), std::vector<bool>(data_.size()));
        std::vector<const Roaring*> accepted;
        double matches = 0;
        for (std::size_t query = 0; query < sets.size(); ++query) {
            for (const std::uint32_t slot : sets[query]) bits[query][slot] = true;
            accepted.push_back(&sets[query]);
            matches +=
                static_cast<double>(sets[query].cardinality()) / static_cast<double>(sets.size());
        }
        std::vector<Contender> contenders;
        // Below one in a hundred it goes through all there is, whatever its ef.
        for (const std::size_t ef : {16, 32, 64, 128, 256})
            if (percent >= 1 || ef == 16)
                contenders.push_back(
                    {"hnswlib ef " + std::to_string(ef), [&, ef](std::size_t query) {
                         return peer_->search(data_.query(query).data(), ef, bits[query], kTop);
                     }});
        contenders.push_back(
            {"exact", [&](std::size_t query) { return exact(query, sets[query]); }});
        contenders.push_back({"ours", [&](std::size_t query) {
                                  return planned(query, Effort::kDefault, sets[query]);
                              }});
        in_turn(&contenders, accepted);
        const Contender* const peer = fastest(contenders, "hnswlib", 0.98);
        const Contender& ours = contenders.back();
        const Contender& scan = contenders[contenders.size() - 2];
        const double better = std::min(peer == nullptr ? scan.us() : peer->us(), scan.us());
        std::printf("%6.2f %% %8.0f %12.1f %9.4f %11.1f %10.1f %8.4f %6.2fx  %s\n", percent,
                    matches, peer == nullptr ? 0 : peer->us(), peer == nullptr ? 0 : peer->recall(),
                    scan.us(), ours.us(), ours.recall(), better / ours.us(),
                    trace_.given_up > 0 ? "graph, then codes"
                    : trace_.graphs > 0 ? "graph"
                    : trace_.listed > 0 ? "codes"
                                        : "exact");
    }

    Roaring accepted(std::size_t query, double share, bool adversarial) {
        Roaring out;
        if (!adversarial) {
            for (std::uint32_t i = 0; i < data_.size(); ++i)
                if (random_.unit() < share) out.add(i);
            return out;
        }
        // Of one other class where that is enough, else of all others.
        const std::size_t other = (query_classes_[query] + 1 + query % (kClasses - 1)) % kClasses;
        std::vector<std::uint32_t> ids;
        const auto wanted = static_cast<std::size_t>(std::ceil(share * count()));
        for (std::uint32_t i = 0; i < data_.size(); ++i)
            if (classes_[i] == other) ids.push_back(i);
        for (std::uint32_t i = 0; i < data_.size() && ids.size() < wanted; ++i)
            if (classes_[i] != other && classes_[i] != query_classes_[query]) ids.push_back(i);
        for (std::size_t i = 0; i < std::min(wanted, ids.size()); ++i) {
            std::swap(ids[i], ids[i + random_.next() % (ids.size() - i)]);
            out.add(ids[i]);
        }
        return out;
    }

    std::size_t nearest_centre(const std::vector<float>& centres, const float* row) const {
        std::size_t best = 0;
        float least = 0;
        for (std::size_t c = 0; c < kClasses; ++c) {
            float sum = 0;
            for (std::size_t d = 0; d < data_.dimensions; ++d) {
                const float difference = row[d] - centres[c * data_.dimensions + d];
                sum += difference * difference;
            }
            if (c > 0 && sum >= least) continue;
            best = c;
            least = sum;
        }
        return best;
    }

    const Data& data_;
    vector::FlatVectors flat_;
    vector::GraphIndex graphs_;
    hnswlib::L2Space space_;
    std::unique_ptr<bench::FilteredHnsw> peer_;
    std::vector<std::size_t> classes_, query_classes_;
    vector::SearchTrace trace_;  ///< Of the newest search.
    bench::Random random_;
};

void run(const Data& data, const std::string& folder) {
    std::printf("%s: %zu vectors of %zu dimensions, l2, top %zu\n", data.name.c_str(), data.size(),
                data.dimensions, kTop);
    Bench bench(data);
    bench.build(folder);
    bench.whole();
    bench.classify();
    bench.filtered(false);
    bench.filtered(true);
    std::printf("\n");
}

}  // namespace
}  // namespace tidal

int main(int argc, char** argv) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    const char* const folder = std::getenv("VECTOR_GRAPH_DIR");
    const std::string kept = folder == nullptr ? "" : folder;
    const auto number = [&](int at, std::size_t otherwise) {
        return argc > at ? static_cast<std::size_t>(std::strtoull(argv[at], nullptr, 10))
                         : otherwise;
    };
    if (argc > 1 && std::string_view(argv[1]) == "mnist") {
        tidal::Data digits;
        if (!tidal::bench::mnist(tidal::kQueries, &digits)) {
            std::fprintf(stderr, "mnist-784 is not in TIDAL_TEST_DATA\n");
            return 1;
        }
        tidal::run(digits, kept);
        return 0;
    }
    tidal::run(tidal::bench::clusters(number(1, 200'000), number(2, 128), tidal::kQueries), kept);
}
