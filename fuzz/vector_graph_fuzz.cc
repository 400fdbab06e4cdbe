// Any bytes as a graph of vectors whose checksums fit: opened, vouched for, and searched.
#include <cstdlib>
#include <cstring>
#include <new>

#include "entity/vector_codec.h"
#include "vector/graph_file.h"
#include "vector/planned_search.h"

namespace {

using namespace tidal;
using namespace tidal::vector;

constexpr std::uint32_t kSlots = 48;
constexpr std::uint64_t kSeed = 42;  // of the golden file

schema::EmbeddingSpec spec() {
    schema::EmbeddingSpec out;
    out.name = "default";
    out.dimensions = 2;
    out.metric = schema::Metric::kL2;
    out.storage = schema::VectorStorage::kF32;
    return out;
}

/// Those of the golden file.
const FlatVectors& vectors() {
    static const FlatVectors kVectors = [] {
        FlatVectors out(spec());
        for (std::uint32_t n = 0; 2 * n < kSlots; ++n) {
            const float values[] = {static_cast<float>(n * 7 % 24), static_cast<float>(n) / 4};
            Encoder row;
            entity::encode_vector(out.spec(), HybridTime::from_bits(1), values, &row);
            out.put(Slot(2 * n), *entity::view_vector(row.view()));
        }
        return out;
    }();
    return kVectors;
}

/// Exactly as many bytes as the shape says, so that reading past them is seen.
std::shared_ptr<const char> memory_of(std::string_view bytes, std::size_t size) {
    constexpr std::align_val_t kAlignment{64};
    auto* const memory = static_cast<char*>(::operator new(size, kAlignment));
    std::memset(memory, 0, size);
    bytes.copy(memory, size);
    return {memory, [](const char* at) { ::operator delete(const_cast<char*>(at), kAlignment); }};
}

Probe probe() {
    return *make_probe(spec(), std::vector<float>{3, 11});
}

/// As if every node were a vector.
void search_all(std::shared_ptr<const Graph> graph) {
    const std::uint32_t nodes = graph->size();
    GraphSearch through(std::move(graph), probe(), Beam{5, 3, 1.1F}, 1'000);
    (void)through.run([](Slot) { return true; }, [](double) { return true; });
    for (const NodeDistance& one : through.results())
        if (one.node() >= nodes) std::abort();
}

void search(const GraphIndex& index) {
    const Probe near = probe();
    for (const Effort effort : {Effort::kLow, Effort::kHigh}) {
        for (const Roaring* const accepted :
             {&vectors().present(), static_cast<const Roaring*>(nullptr)}) {
            PlannedSearch planned(vectors(), index, near, effort, 5, accepted);
            if (!planned.run([](double) { return true; })) std::abort();
            if (!planned.found().isSubset(vectors().present())) std::abort();
        }
    }
}

}  // namespace

/// Six bytes of shape, then the graph's bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (size >= kGraphHeadBytes) {
        const auto head = decode_graph_head(input);
        if (head.ok() && encode_graph_head(*head) != input.substr(0, kGraphHeadBytes)) std::abort();
    }
    if (size < 6) return 0;
    GraphShape shape{.dimensions = 2,
                     .row_bytes = data[0],
                     .nodes = data[1],
                     .entry = data[2],
                     .layers = data[3],
                     .upper_nodes = data[4],
                     .upper_lists = data[5]};
    auto graph = Graph::open(
        spec(), {shape, kSeed, memory_of(input.substr(6), GraphLayout(shape).bytes)}, kSlots);
    if (!graph.ok()) return 0;
    search_all(*graph);
    GraphIndex index;
    if (index.open({*graph, {}, LogIndex(1), 1}, vectors())) search(index);
    return 0;
}
