// Graphs as bytes: what is written is found again, and nothing that a byte could become leads a
// search out of them.
#include "vector/graph_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/crc32c.h"
#include "vector/graph_index.h"
#include "vector/graph_search.h"
#include "vector/planned_search.h"
#include "vector/tests/graph_set.h"

namespace tidal::vector {
namespace graph_file_test {

using schema::Metric;
using schema::VectorStorage;

constexpr std::uint64_t kSeed = 42;

std::shared_ptr<const Graph> graph_of(const FlatVectors& vectors) {
    GraphBuild build(vectors, vectors.present(), kSeed);
    return built(&build, vectors);
}

std::string bytes_of(const Graph& graph) {
    return {graph.parts().bytes.get(), GraphLayout(graph.shape()).bytes};
}

/// A graph of other bytes.
Result<std::shared_ptr<const Graph>> opened(const FlatVectors& vectors, const GraphShape& shape,
                                            std::string_view bytes) {
    constexpr std::align_val_t kAlignment{64};
    std::shared_ptr<char> memory(static_cast<char*>(::operator new(bytes.size() + 1, kAlignment)),
                                 [](char* at) { ::operator delete(at, kAlignment); });
    bytes.copy(memory.get(), bytes.size());
    return Graph::open(vectors.spec(), {shape, kSeed, std::move(memory)},
                       vectors.present().maximum() + 1);
}

std::vector<NodeDistance> found(std::shared_ptr<const Graph> graph, const Probe& probe) {
    GraphSearch search(std::move(graph), probe, Beam{20, 10, 1.1F}, 1'000'000);
    EXPECT_EQ(search.run([](Slot) { return true; }, [](double) { return true; }),
              GraphSearch::Progress::kDone);
    return search.results();
}

TEST(GraphBytes, GiveTheGraphAgain) {
    Set set(Metric::kCosine, VectorStorage::kF16, 20, 700, 3);
    const auto graph = graph_of(set.vectors);
    ASSERT_GT(graph->shape().upper_nodes, 0U);
    const auto again = *opened(set.vectors, graph->shape(), bytes_of(*graph));
    EXPECT_EQ(again->slots(), graph->slots());
    for (int asked = 0; asked < 10; ++asked) {
        const Probe probe = *make_probe(set.vectors.spec(), set.any());
        EXPECT_EQ(found(again, probe), found(graph, probe));
    }
}

/// Whatever a word becomes: it is refused, or what is found is of the graph.
TEST(GraphBytes, BelieveNothing) {
    Set set(Metric::kL2, VectorStorage::kF32, 4, 60, 5);
    const auto graph = graph_of(set.vectors);
    const std::string bytes = bytes_of(*graph);
    const Probe probe = *make_probe(set.vectors.spec(), set.any());
    std::size_t refused = 0;
    for (std::size_t at = 0; at < bytes.size(); at += 4) {
        for (const std::uint32_t to : {0U, 1U, 59U, 60U, 0x7fc00000U, 0xfffffffeU, Graph::kNone}) {
            std::string other = bytes;
            std::memcpy(other.data() + at, &to, sizeof(to));
            const auto read = opened(set.vectors, graph->shape(), other);
            if (!read.ok()) {
                EXPECT_EQ(read.error().code(), ErrorCode::kCorruption);
                ++refused;
                continue;
            }
            for (const NodeDistance& one : found(*read, probe)) ASSERT_LT(one.node(), 60U);
            CodeScan scan(*read, probe, 10);
            scan.offer(std::vector<std::uint32_t>{0, 7, 59, 60});
            for (const NodeDistance& one : scan.results()) ASSERT_LT(one.node(), 60U);
        }
    }
    EXPECT_GT(refused, 1000U);
}

/// What a failing medium gives later may be another slot than the one that was accepted.
TEST(GraphBytes, ThatChangeDuringASearchNameNoSlotThatWasNotAccepted) {
    constexpr std::uint32_t kCount = 4000, kNobody = 3'000'000'000;
    Set set(Metric::kL2, VectorStorage::kF32, 16, kCount, 5);
    const auto graph = graph_of(set.vectors);
    const std::string bytes = bytes_of(*graph);
    // All of them lead through the graph, one in ten is a list.
    for (const std::uint32_t share : {1U, 10U}) {
        constexpr std::align_val_t kAlignment{64};
        std::shared_ptr<char> memory(static_cast<char*>(::operator new(bytes.size(), kAlignment)),
                                     [](char* at) { ::operator delete(at, kAlignment); });
        bytes.copy(memory.get(), bytes.size());
        GraphIndex index;
        ASSERT_TRUE(
            index.open({*Graph::open(set.vectors.spec(), {graph->shape(), kSeed, memory}, kCount),
                        {},
                        LogIndex(1),
                        1},
                       set.vectors));
        Roaring accepted;
        for (std::uint32_t slot = 0; slot < kCount; slot += share) accepted.add(slot);
        const Probe probe = *make_probe(set.vectors.spec(), set.any());
        PlannedSearch search(set.vectors, index, probe, Effort::kLow, 10, &accepted);
        std::size_t asked = 0;
        const auto also = [&](Slot) {
            if (++asked == 15) {  // more than are wanted
                const std::vector<std::uint32_t> slots(kCount, kNobody);
                std::memcpy(memory.get() + GraphLayout(graph->shape()).slots, slots.data(),
                            slots.size() * sizeof(slots[0]));
            }
            return true;
        };
        ASSERT_TRUE(search.run([](double) { return true; }, also));
        EXPECT_GE(asked, 15U) << "the bytes have changed";
        EXPECT_TRUE(search.found().isSubset(accepted)) << "one in " << share;
    }
}

TEST(GraphBytes, OfAnotherShapeAreRefused) {
    Set set(Metric::kL2, VectorStorage::kF32, 4, 200, 5);
    const auto graph = graph_of(set.vectors);
    const std::string bytes = bytes_of(*graph) + std::string(1 << 16, '\0');
    const GraphShape right = graph->shape();
    std::vector<GraphShape> wrong(8, right);
    wrong[0].dimensions = 5;
    wrong[1].row_bytes += 16;
    wrong[2].nodes = 0;
    wrong[3].entry = 200;
    ++wrong[4].layers;
    ++wrong[5].upper_nodes;
    ++wrong[6].upper_lists;
    --wrong[7].upper_lists;
    for (std::size_t i = 0; i < wrong.size(); ++i)
        EXPECT_FALSE(opened(set.vectors, wrong[i], bytes).ok()) << i;
    EXPECT_TRUE(opened(set.vectors, right, bytes).ok());
}

/// Slots past the last vector are nobody's: no table is made for them.
TEST(GraphBytes, KeepNoTableForSlotsThatAreGone) {
    Set set(Metric::kL2, VectorStorage::kF32, 4, 50, 5);
    const auto graph = graph_of(set.vectors);
    for (std::uint32_t slot = 20; slot < 50; ++slot) set.vectors.erase(Slot(slot));
    const auto again = *opened(set.vectors, graph->shape(), bytes_of(*graph));
    EXPECT_EQ(again->node_of(Slot(19)), 19U);
    EXPECT_EQ(again->node_of(Slot(20)), Graph::kNone);
    GraphIndex index;
    EXPECT_TRUE(index.open({again, {}, LogIndex(1), 1}, set.vectors));
    EXPECT_EQ(index.fresh().cardinality(), 20U);
}

TEST(GraphIndex, TakesFromFilesWhatTheVectorsSayAsWell) {
    Set set(Metric::kDot, VectorStorage::kInt8, 8, 100, 5);
    const auto older = graph_of(set.vectors);
    for (std::uint32_t slot = 0; slot < 100; slot += 2) set.put(slot);
    const auto newer = graph_of(set.vectors);
    for (std::uint32_t slot = 0; slot < 100; slot += 5) set.put(slot);
    GraphIndex index;
    EXPECT_TRUE(index.open({newer, {}, LogIndex(2), 7}, set.vectors));
    EXPECT_EQ(index.fresh().cardinality(), 80U);
    EXPECT_FALSE(index.fresh().contains(15));
    EXPECT_FALSE(index.open({older, {}, LogIndex(1), 6}, set.vectors)) << "nothing the other lacks";
    ASSERT_EQ(index.segments().size(), 1U);
    EXPECT_EQ(index.segments()[0].file, 7U);
    EXPECT_FALSE(index.wants_build(set.vectors, 20));
    EXPECT_TRUE(index.wants_build(set.vectors, 19));
}

TEST(GraphHead, EveryFlippedByteIsFound) {
    GraphHead head{.shard = ShardId(3),
                   .kind = EntityKind::kCreator,
                   .slot = EmbeddingSlotId(2),
                   .number = 9,
                   .index = LogIndex(77),
                   .shape = {.dimensions = 4, .row_bytes = 40, .nodes = 5},
                   .seed = kSeed};
    const std::string bytes = encode_graph_head(head);
    ASSERT_EQ(bytes.size(), kGraphHeadBytes);
    EXPECT_EQ(decode_graph_head(bytes).value(), head);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
        EXPECT_FALSE(decode_graph_head(damaged).ok()) << at;
    }
    EXPECT_FALSE(decode_graph_head(std::string_view(bytes).substr(1)).ok());
}

TEST(GraphHead, SaysWhereVectorsLie) {
    GraphHead head;
    head.shape = {.dimensions = 70, .row_bytes = 88, .nodes = 3};
    const std::pair<VectorStorage, std::size_t> sizes[] = {
        {VectorStorage::kF32, 280}, {VectorStorage::kF16, 140}, {VectorStorage::kInt8, 70}};
    for (const auto& [storage, bytes] : sizes) {
        head.storage = storage;
        const GraphFileLayout layout(head);
        EXPECT_EQ(layout.rows, kGraphHeadBytes + GraphLayout(head.shape).bytes);
        EXPECT_EQ(layout.row_bytes, bytes);
        EXPECT_EQ(layout.bytes, layout.rows + (3 * layout.row_bytes + 63) / 64 * 64);
    }
}

/// With codes of any size, the sizes of 2^32 - 1 nodes would come round to those of a small file.
TEST(GraphHead, WithCodesThatNoVectorHasIsRefused) {
    const auto decoded = [](std::uint32_t dimensions, std::uint32_t row_bytes) {
        GraphHead head;
        head.shape = {
            .dimensions = dimensions, .row_bytes = row_bytes, .nodes = UINT32_MAX, .entry = 0};
        const auto out = decode_graph_head(encode_graph_head(head));
        if (!out.ok()) {
            EXPECT_EQ(out.error().code(), ErrorCode::kCorruption);
        }
        return out.ok();
    };
    EXPECT_TRUE(decoded(1, 8 + 2 * 16));
    EXPECT_TRUE(decoded(64, 8 + 2 * 64));
    EXPECT_TRUE(decoded(65, 8 + 80));
    EXPECT_TRUE(decoded(4096, 8 + 4096));
    EXPECT_FALSE(decoded(1, 8 + 16));
    EXPECT_FALSE(decoded(4096, UINT32_MAX));
    EXPECT_FALSE(decoded(4096, 8 + 4096 + 16));
    EXPECT_FALSE(decoded(0, 8));
    EXPECT_FALSE(decoded(4097, 8 + 4112));
    EXPECT_FALSE(decoded(UINT32_MAX, 8));
}

/// 24 vectors of two dimensions, on a spiral.
TEST(GraphBytes, AreTheGoldenOnes) {
    FlatVectors vectors(spec_of(2, Metric::kL2, VectorStorage::kF32));
    for (std::uint32_t slot = 0; slot < 24; ++slot) {
        const std::vector<float> values = {static_cast<float>(slot * 7 % 24),
                                           static_cast<float>(slot) / 4};
        vectors.put(Slot(2 * slot), *entity::view_vector(row_of(vectors.spec(), values)));
    }
    const auto graph = graph_of(vectors);
    std::string bytes = bytes_of(*graph);
    for (std::uint32_t node = 0; node < graph->size(); ++node)
        bytes += vectors.stored(graph->slot_of(node));
    const GraphHead head{.shard = ShardId(3),
                         .kind = EntityKind::kItem,
                         .slot = EmbeddingSlotId(1),
                         .metric = Metric::kL2,
                         .storage = VectorStorage::kF32,
                         .number = 5,
                         .index = LogIndex(77),
                         .shape = graph->shape(),
                         .seed = kSeed,
                         .bytes_crc = crc32c(bytes)};
    EXPECT_EQ(GraphFileLayout(head).bytes, kGraphHeadBytes + bytes.size());
    std::string hex;
    for (const char c : encode_graph_head(head) + bytes) {
        hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
        hex += "0123456789abcdef"[c & 15];
    }
    std::ifstream file(TIDAL_TESTDATA_DIR "/vector_graph_v2.txt");
    std::string line, want;
    while (file >> line) want += line;
    EXPECT_EQ(hex, want);
}

}  // namespace graph_file_test
}  // namespace tidal::vector
