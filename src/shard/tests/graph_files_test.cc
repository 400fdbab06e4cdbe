// Graphs of vectors in files: what a start takes from them is what the rows say, whatever happened
// to either.
#include "shard/internal/graph_files.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <map>
#include <random>

#include "runtime/real_runtime.h"
#include "shard/tests/state_fixture.h"
#include "vector/graph_search.h"
#include "vector/probe.h"

namespace tidal::shard {
namespace graph_files_test {

constexpr EmbeddingSlotId kDefault{0};
constexpr std::uint16_t kEmbeddings = 3;
constexpr std::string_view kGraphSchema = R"(
items:
  ids: u64
  embeddings:
    default: {dimensions: 16, metric: cosine, storage: f32}
    half: {dimensions: 24, metric: l2, storage: f16}
    tiny: {dimensions: 40, metric: dot, storage: int8}
)";
constexpr std::size_t kRowBytes = 16 * 4;  // of the first

class Graphs : public OneShard {
public:
    Graphs() : OneShard({.shard = kHere, .logger = {}}, kGraphSchema) {}

    std::vector<float> any(EmbeddingSlotId slot = kDefault) {
        std::vector<float> out(flat(slot).spec().dimensions);
        for (float& v : out) v = normal_(random_);
        return out;
    }
    void embed(std::uint64_t item, EmbeddingSlotId slot = kDefault) { put(item, slot, any(slot)); }
    void put(std::uint64_t item, EmbeddingSlotId slot, std::vector<float> values) {
        Encoder row;
        entity::encode_vector(flat(slot).spec(), HybridTime(), values, &row);
        record::EmbeddingBody body;
        body.id = EntityId(item);
        body.slot = slot;
        body.values = std::move(values);
        if (apply(std::move(body)).ok())
            put_[slot.value()][item] = must(entity::view_vector(row.view())).components;
    }
    void remove(std::uint64_t item) {
        erase(item);
        for (auto& of_slot : put_) of_slot.erase(item);
    }
    void embed_many(std::uint64_t count, EmbeddingSlotId slot = kDefault) {
        for (std::uint64_t item = 1; item <= count; ++item) {
            upsert(item);
            embed(item, slot);
        }
    }
    vector::ShardVectors& vectors() { return state().vectors(EntityKind::kItem); }
    vector::GraphIndex& index(EmbeddingSlotId slot = kDefault) { return vectors().graphs(slot); }
    const vector::FlatVectors& flat(EmbeddingSlotId slot = kDefault) {
        return *vectors().find(slot);
    }

    /// As Shard does on its executors. False = no graph is wanted.
    bool make_graph(std::uint64_t tail_max = 0) {
        const auto slot = vectors().wants_graph(tail_max);
        if (!slot) return false;
        auto build = index(*slot).begin_build(flat(*slot), random_());
        while (!build->copy(flat(*slot), 1000)) {
        }
        while (!must(build->link(1000))) {
        }
        index(*slot).finish_build(build->take(), state().applied());
        return true;
    }
    Result<bool> step(GraphFileWriter* writer, EmbeddingSlotId slot = kDefault) {
        while (writer->wants_rows()) writer->add_rows(flat(slot), 7);
        return writer->step();
    }
    Result<bool> write_all(GraphFileWriter* writer, EmbeddingSlotId slot = kDefault) {
        Result<bool> done = false;
        while (done.ok() && !*done) done = step(writer, slot);
        return done;
    }
    GraphFiles files() { return {&disk(), "store/s0001", kHere}; }
    /// After a checkpoint. @return of how many graphs.
    std::size_t file_graphs() { return file_graphs(files()); }
    std::size_t file_graphs(const GraphFiles& to) {
        const auto unfiled = vectors().unfiled_graphs();
        for (const auto& each : unfiled) {
            vector::GraphHead head;
            head.shard = kHere;
            head.slot = each.spec.id;
            head.metric = each.spec.metric;
            head.storage = each.spec.storage;
            head.number = state().next_graph_file();
            head.index = each.index;
            GraphFileWriter writer(to, head, each.graph);
            must(write_all(&writer, head.slot));
            index(head.slot).filed(*each.graph, head.number, writer.mapped());
            std::size_t block = 0;
            while (vectors().map_rows(head.slot, *writer.mapped(), writer.mapped_rows(), block))
                ++block;
        }
        must(to.remove_all_but(vectors().graph_files()));
        return unfiled.size();
    }
    using Vectors = std::map<std::uint32_t, std::string>;  // by slot
    static Vectors stored(const vector::FlatVectors& flat) {
        Vectors out;
        for (const std::uint32_t slot : flat.present()) out[slot] = flat.stored(Slot(slot));
        return out;
    }
    Vectors stored(EmbeddingSlotId slot = kDefault) { return stored(flat(slot)); }
    /// What was put and not deleted since.
    Vectors wanted(EmbeddingSlotId slot = kDefault) {
        Vectors out;
        for (const auto& [item, row] : put_[slot.value()])
            out[must_find(state().entities(EntityKind::kItem), item)] = row;
        return out;
    }
    /// Vectors are what was put, wherever they lie; graphs are right about them.
    bool right() {
        for (std::uint16_t at = 0; at < kEmbeddings; ++at) {
            const EmbeddingSlotId slot(at);
            if (stored(slot) != wanted(slot) || !right(slot)) return false;
        }
        return true;
    }

private:
    static std::uint32_t must_find(const entity::EntityTable& entities, std::uint64_t item) {
        const auto slot = entities.find(EntityId(item));
        EXPECT_TRUE(slot.has_value()) << item;
        return slot ? slot->value() : UINT32_MAX;
    }
    /// Codes of what is fresh are those of the vector, and no graph has what another has.
    bool right(EmbeddingSlotId of) {
        Roaring all;
        for (const vector::GraphIndex::Segment& segment : index(of).segments()) {
            if (!(segment.fresh & all).isEmpty()) return false;
            all |= segment.fresh;
            for (const std::uint32_t slot : segment.fresh) {
                const vector::Graph& graph = *segment.graph;
                std::vector<std::byte> row(graph.coder().row_bytes());
                if (!flat(of).has(Slot(slot))) return false;
                graph.coder().encode(flat(of).values(Slot(slot)), row.data());
                if (!std::equal(row.begin(), row.end(), graph.row(graph.node_of(Slot(slot)))))
                    return false;
            }
        }
        return all == index(of).fresh();
    }

    std::map<std::uint64_t, std::string> put_[kEmbeddings];  ///< By item: as stored.
    std::mt19937_64 random_{7};
    std::normal_distribution<float> normal_;
};

std::string bytes_of(const vector::Graph& graph) {
    return {graph.parts().bytes.get(), vector::GraphLayout(graph.shape()).bytes};
}

RC_GTEST_PROP(GraphFiles, GiveWhatTheRowsSayAfterAnyHistory, ()) {
    // Ranges of generators begin narrow, and a vector that the rows changed under a file takes
    // steps of every kind.
    std::mt19937_64 random(*rc::gen::arbitrary<std::uint64_t>());
    Graphs shard;
    for (int step = 0; step < 150; ++step) {
        const std::uint64_t item = 1 + random() % 11;
        switch (random() % 10) {
            case 0:
                shard.remove(item);
                break;
            case 1:
                shard.make_graph(2);
                break;
            case 2:
                shard.checkpoint();
                break;
            case 3:
                shard.file_graphs();
                break;
            case 4:
                shard.restart();
                break;
            case 5:
            case 6:
                shard.upsert(item);
                break;
            default:
                shard.embed(item,
                            EmbeddingSlotId(static_cast<std::uint16_t>(random() % kEmbeddings)));
        }
        RC_ASSERT(shard.right());
    }
    shard.checkpoint();
    shard.file_graphs();
    std::vector<Roaring> fresh;
    for (std::uint16_t at = 0; at < kEmbeddings; ++at)
        fresh.push_back(shard.index(EmbeddingSlotId(at)).fresh());
    shard.restart();
    RC_ASSERT(shard.right());
    // And more where a file was newer than the checkpoint of an earlier start.
    for (std::uint16_t at = 0; at < kEmbeddings; ++at)
        RC_ASSERT(fresh[at].isSubset(shard.index(EmbeddingSlotId(at)).fresh()));
}

/// What lay in memory is read in the file from then on, and is what it was.
TEST(GraphFiles, TakeThePlaceOfMemory) {
    Graphs shard;
    shard.embed_many(300);
    shard.make_graph();
    for (std::uint64_t item = 1; item <= 20; ++item) shard.embed(item);
    const auto before = shard.index().segments()[0];
    const std::size_t size = vector::GraphLayout(before.graph->shape()).bytes;
    const std::size_t memory = shard.index().bytes(), of_vectors = shard.vectors().bytes();
    const auto vectors = shard.stored();
    EXPECT_EQ(shard.index().mapped_bytes(), 0u);
    EXPECT_EQ(shard.vectors().mapped_bytes(), 0u);
    shard.checkpoint();
    shard.file_graphs();
    EXPECT_EQ(shard.index().mapped_bytes(), size);
    EXPECT_EQ(shard.index().bytes(), memory - size);
    const auto after = shard.index().segments()[0];
    EXPECT_EQ(after.fresh, before.fresh);
    EXPECT_EQ(after.index, before.index);
    EXPECT_NE(after.graph->parts().bytes, before.graph->parts().bytes);
    EXPECT_EQ(bytes_of(*after.graph), bytes_of(*before.graph));
    EXPECT_TRUE(shard.right());
    // The file has vectors as they are when it is written, those that changed since the graph, too.
    EXPECT_EQ(shard.vectors().mapped_bytes(), 300 * kRowBytes);
    EXPECT_LT(shard.vectors().bytes(), of_vectors);
    EXPECT_EQ(shard.stored(), vectors);
    // As a start has it. A build takes its place there as well.
    shard.restart();
    EXPECT_EQ(shard.index().mapped_bytes(), size);
    EXPECT_LE(shard.index().bytes(), memory - size);
    EXPECT_EQ(shard.vectors().mapped_bytes(), 300 * kRowBytes);
    EXPECT_EQ(shard.stored(), vectors);
    // What changes comes back to memory, and goes with the next file.
    shard.embed(7);
    shard.remove(8);
    EXPECT_EQ(shard.vectors().mapped_bytes(), 298 * kRowBytes);
    EXPECT_EQ(shard.stored().size(), 299u);
    EXPECT_TRUE(shard.make_graph());
    EXPECT_EQ(shard.index().mapped_bytes(), size) << "the tail's is in memory";
}

/// A row is read in the file only where it is the one that is there.
TEST(GraphFiles, WhatChangesWhileOneIsWrittenIsWhatItBecame) {
    Graphs shard;
    shard.embed_many(100);
    shard.make_graph();
    shard.checkpoint();
    const auto graph = shard.index().segments()[0].graph;
    GraphFileWriter writer(shard.files(), {.shard = kHere, .number = 1}, graph);
    must(writer.step());  // begun
    must(writer.step());  // the graph
    writer.add_rows(shard.flat(), 50);
    for (const std::uint64_t item : {1, 90}) shard.embed(item);
    for (const std::uint64_t item : {5, 95}) shard.remove(item);
    must(shard.write_all(&writer));
    const auto vectors = shard.stored();
    shard.index().filed(*graph, 1, writer.mapped());
    EXPECT_FALSE(shard.vectors().map_rows(kDefault, *writer.mapped(), writer.mapped_rows(), 0));
    EXPECT_EQ(shard.stored(), vectors);
    EXPECT_EQ(vectors.size(), 98u);
    EXPECT_EQ(shard.vectors().mapped_bytes(), 97 * kRowBytes) << "all but the first";
    EXPECT_TRUE(shard.right());
    shard.restart();
    EXPECT_EQ(shard.stored(), vectors);
    EXPECT_EQ(shard.vectors().mapped_bytes(), 96 * kRowBytes) << "of 1 and 90 the log was newer";
    EXPECT_TRUE(shard.right());
}

/// It is read before it is believed: else the graph stays where it is, and gets another file.
class NotWhatWasWritten : public testing::TestWithParam<bool> {};
TEST_P(NotWhatWasWritten, IsGivenUp) {
    Graphs shard;
    shard.embed_many(30);
    shard.make_graph();
    shard.checkpoint();
    const auto graph = shard.index().segments()[0].graph;
    const std::string path = shard.files().path(1) + ".tmp";
    GraphFileWriter writer(shard.files(), {.shard = kHere, .number = 1}, graph);
    must(shard.step(&writer));  // begun
    must(shard.step(&writer));  // the graph
    must(shard.step(&writer));  // the vectors
    const std::string whole = must(runtime::read_file(shard.disk(), path));
    vector::GraphHead head;
    head.shape = graph->shape();
    const std::size_t at = GetParam() ? vector::GraphFileLayout(head).rows + 100 : 500;
    auto file = must(shard.disk().open(path, runtime::OpenMode::kReadWrite));
    const char other = static_cast<char>(whole[at] ^ 1);
    must(file->write_at(at, std::string_view(&other, 1)));
    const auto refused = shard.step(&writer);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kCorruption);
    EXPECT_EQ(writer.mapped(), nullptr);
    EXPECT_EQ(must(shard.files().list()), std::vector<std::uint64_t>{});
    EXPECT_EQ(shard.file_graphs(), 1u);
    shard.restart();
    EXPECT_EQ(shard.index().fresh().cardinality(), 30u);
}

/// A byte of the graph, and one of a vector.
INSTANTIATE_TEST_SUITE_P(GraphFiles, NotWhatWasWritten, testing::Bool());

TEST(GraphFiles, AreOpenedByAStart) {
    Graphs shard;
    shard.embed_many(200);
    ASSERT_TRUE(shard.make_graph());
    shard.checkpoint();
    EXPECT_EQ(shard.file_graphs(), 1u);
    for (std::uint64_t item = 1; item <= 80; ++item) shard.embed(item);
    for (std::uint64_t item = 81; item <= 90; ++item) shard.remove(item);
    const Roaring fresh = shard.index().fresh();
    EXPECT_EQ(fresh.cardinality(), 110u);
    shard.restart();
    EXPECT_EQ(shard.index().fresh(), fresh);
    EXPECT_EQ(shard.index().segments()[0].graph->size(), 200u);
    EXPECT_TRUE(shard.right());
    EXPECT_EQ(shard.file_graphs(), 0u) << "it has its file";
    // Another takes its place, and the old file goes.
    ASSERT_TRUE(shard.make_graph());
    shard.checkpoint();
    EXPECT_EQ(shard.file_graphs(), 1u);
    EXPECT_EQ(must(shard.files().list()), std::vector<std::uint64_t>{2});
    shard.restart();
    EXPECT_EQ(shard.index().fresh().cardinality(), 190u);
    EXPECT_FALSE(shard.make_graph());
}

/// The old one and the new one that took its place: a crash came between.
TEST(GraphFiles, AnyNumberOfThemIsRight) {
    Graphs shard;
    shard.embed_many(60);
    shard.make_graph();
    shard.checkpoint();
    shard.file_graphs();
    const std::string old = must(runtime::read_file(shard.disk(), shard.files().path(1)));
    for (std::uint64_t item = 1; item <= 40; ++item) shard.embed(item);
    shard.make_graph();
    shard.checkpoint();
    shard.file_graphs();
    must(runtime::write_file(shard.disk(), shard.files().path(1), old));
    must(runtime::write_file(shard.disk(), "store/s0001/0000000009.graph.tmp", "begun"));
    shard.restart();
    EXPECT_EQ(shard.index().segments().size(), 1u);
    EXPECT_EQ(shard.index().fresh().cardinality(), 60u);
    EXPECT_EQ(shard.state().next_graph_file(), 10u);
    shard.file_graphs();
    EXPECT_EQ(must(shard.files().list()), std::vector<std::uint64_t>{2});
}

/// An older one is let go when its graph is, whatever vectors a newer one has as well.
TEST(GraphFiles, ReadEachVectorInTheFileOfItsGraph) {
    Graphs shard;
    shard.embed_many(60);
    const std::vector<float> first = shard.any();
    shard.put(1, kDefault, first);
    shard.make_graph();
    shard.checkpoint();
    shard.file_graphs();
    const std::string old = must(runtime::read_file(shard.disk(), shard.files().path(1)));
    for (std::uint64_t item = 1; item <= 40; ++item) shard.embed(item);
    shard.make_graph();
    shard.checkpoint();
    shard.file_graphs();
    must(runtime::write_file(shard.disk(), shard.files().path(1), old));
    shard.put(1, kDefault, first);
    shard.checkpoint();
    shard.restart();
    ASSERT_EQ(shard.index().segments().size(), 2u);
    EXPECT_EQ(shard.index().segments()[0].fresh.cardinality(), 59u);
    EXPECT_EQ(shard.index().segments()[1].fresh.cardinality(), 1u);
    EXPECT_EQ(shard.flat().mapped_bytes(), 60 * kRowBytes);
    EXPECT_EQ(shard.flat().files().size(), 2u);
    EXPECT_TRUE(shard.right());
    ASSERT_TRUE(shard.make_graph());
    shard.checkpoint();
    shard.file_graphs();
    EXPECT_EQ(must(shard.files().list()), (std::vector<std::uint64_t>{2, 3}));
    EXPECT_EQ(shard.flat().mapped_bytes(), 60 * kRowBytes);
    EXPECT_EQ(shard.flat().files().size(), 2u) << "one is kept that has no name any more";
    EXPECT_TRUE(shard.right());
}

/// Files of the operating system, mapped by it.
class RealFolder {
public:
    RealFolder() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "tidal-graphs-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
        runtime_ = must(runtime::make_real_runtime({.root = root_}));
        must(runtime_->disk().create_directories("graphs"));
    }
    ~RealFolder() {
        runtime_.reset();
        std::filesystem::remove_all(root_);
    }
    GraphFiles files() { return {&runtime_->disk(), "graphs", kHere}; }

private:
    std::string root_;
    std::unique_ptr<runtime::Runtime> runtime_;
};

/// How near vectors are, and what the one graph finds nearest.
struct Answers {
    std::vector<double> similarities;
    std::vector<std::uint32_t> found;
    bool operator==(const Answers&) const = default;
};
Answers ask(const vector::FlatVectors& flat, const vector::GraphIndex& index,
            const vector::Probe& probe) {
    Answers out;
    std::vector<Slot> slots;
    for (const std::uint32_t slot : flat.present()) slots.push_back(Slot(slot));
    out.similarities.resize(slots.size());
    flat.similarities(probe, slots, out.similarities);
    EXPECT_EQ(index.segments().size(), 1u);
    const auto& graph = index.segments().at(0).graph;
    vector::GraphSearch search(graph, probe, vector::Beam{40}, UINT64_MAX);
    EXPECT_EQ(search.run([](Slot) { return true; }, [](double) { return true; }),
              vector::GraphSearch::Progress::kDone);
    for (const auto& one : search.results())
        out.found.push_back(graph->slot_of(one.node()).value());
    return out;
}

class OfEveryStorage : public testing::TestWithParam<std::uint16_t> {};
TEST_P(OfEveryStorage, AnswersAreTheSameInMemoryInAFileAndAfterAStart) {
    const EmbeddingSlotId slot(GetParam());
    RealFolder folder;
    Graphs shard;
    shard.embed_many(300, slot);
    ASSERT_TRUE(shard.make_graph());
    const vector::Probe probe = must(vector::make_probe(shard.flat(slot).spec(), shard.any(slot)));
    const Answers before = ask(shard.flat(slot), shard.index(slot), probe);
    EXPECT_EQ(before.found.size(), 40u);
    EXPECT_EQ(shard.file_graphs(folder.files()), 1u);
    const schema::EmbeddingSpec& spec = shard.flat(slot).spec();
    const std::size_t bytes = 300 * vector::FlatVectors::row_bytes(spec.dimensions, spec.storage);
    EXPECT_EQ(shard.flat(slot).mapped_bytes(), bytes);
    EXPECT_EQ(ask(shard.flat(slot), shard.index(slot), probe), before);
    EXPECT_TRUE(shard.right());

    vector::ShardVectors started(EntityKind::kItem);
    must(started.load(*shard.state().schema(), shard.state().entities(EntityKind::kItem)));
    const auto found = must(folder.files().open(1));
    const auto graph = must(started.open_graph(found.head, found.bytes));
    ASSERT_NE(graph, nullptr);
    EXPECT_FALSE(started.map_rows(slot, *graph, found.rows, 0));
    EXPECT_EQ(started.find(slot)->mapped_bytes(), bytes);
    EXPECT_EQ(started.find_graphs(slot)->fresh().cardinality(), 300u);
    EXPECT_EQ(ask(*started.find(slot), *started.find_graphs(slot), probe), before);
    EXPECT_EQ(Graphs::stored(*started.find(slot)), shard.wanted(slot));
}
INSTANTIATE_TEST_SUITE_P(GraphFiles, OfEveryStorage, testing::Values(0, 1, 2));

TEST(GraphFiles, EveryDamageIsFound) {
    Graphs shard;
    shard.embed_many(30);
    shard.make_graph();
    shard.checkpoint();
    shard.file_graphs();
    const std::string path = shard.files().path(1);
    const std::string whole = must(runtime::read_file(shard.disk(), path));
    EXPECT_TRUE(shard.files().open(1).ok());
    const auto unusable = [&](const std::string& bytes) {
        must(runtime::write_file(shard.disk(), path, bytes));
        const auto opened = shard.files().open(1);
        return !opened.ok() && opened.error().code() == ErrorCode::kCorruption;
    };
    for (std::size_t at = 12; at < whole.size(); ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        ASSERT_TRUE(unusable(damaged)) << at;
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{127}, whole.size() - 1})
        EXPECT_TRUE(unusable(whole.substr(0, size))) << size;
    EXPECT_TRUE(unusable(whole + '\0'));
    shard.restart();
    EXPECT_TRUE(shard.index().segments().empty());
    EXPECT_TRUE(shard.make_graph()) << "it is made again";
    shard.checkpoint();
    EXPECT_EQ(shard.file_graphs(), 1u);
    EXPECT_EQ(must(shard.files().list()), std::vector<std::uint64_t>{2});
}

TEST(GraphFiles, OfAnotherPlaceAreLeftAlone) {
    Graphs shard;
    shard.embed_many(30);
    shard.make_graph();
    shard.checkpoint();
    shard.file_graphs();
    const std::string whole = must(runtime::read_file(shard.disk(), shard.files().path(1)));
    const auto starts_without = [&](const vector::GraphHead& head) {
        must(runtime::write_file(
            shard.disk(), shard.files().path(1),
            vector::encode_graph_head(head) + whole.substr(vector::kGraphHeadBytes)));
        shard.restart();
        return shard.index().segments().empty();
    };
    const vector::GraphHead right = must(vector::decode_graph_head(whole));
    EXPECT_FALSE(starts_without(right));
    std::vector<vector::GraphHead> wrong(6, right);
    wrong[0].shard = kOther;
    wrong[1].kind = EntityKind::kUser;
    wrong[2].slot = EmbeddingSlotId(kEmbeddings);  // one that the schema does not have
    wrong[3].metric = schema::Metric::kL2;
    wrong[4].storage = schema::VectorStorage::kF16;
    wrong[5].number = 2;
    for (std::size_t i = 0; i < wrong.size(); ++i) EXPECT_TRUE(starts_without(wrong[i])) << i;
    EXPECT_FALSE(starts_without(right));
}

TEST(GraphFiles, AFullDiskLeavesWhatThereWas) {
    Graphs shard;
    shard.embed_many(30);
    shard.make_graph();
    shard.checkpoint();
    shard.file_graphs();
    const auto found = must(shard.files().open(1));
    GraphFileWriter writer(shard.files(), {.shard = kHere, .number = 2},
                           shard.index().segments()[0].graph);
    shard.medium().add_fault({.op = runtime::DiskOp::kSync,
                              .path_contains = "0000000002.graph",
                              .code = ErrorCode::kDiskFull});
    const auto done = shard.write_all(&writer);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code(), ErrorCode::kDiskFull);
    EXPECT_EQ(must(shard.files().list()), std::vector<std::uint64_t>{1});
    EXPECT_EQ(must(shard.files().open(1)).head, found.head);
}

TEST(GraphFiles, AreNotBegunWhereTheLogWouldBeLeftTooLittle) {
    Graphs shard;
    shard.embed_many(30);
    shard.make_graph();
    const auto graph = shard.index().segments()[0].graph;
    vector::GraphHead head;
    head.shape = graph->shape();
    const std::uint64_t needed = vector::GraphFileLayout(head).bytes + runtime::kFreeForLogBytes;
    const std::uint64_t created = shard.medium().op_count(runtime::DiskOp::kCreate);
    shard.medium().set_capacity(shard.medium().used_bytes() + needed - 1);
    GraphFileWriter refused(shard.files(), {.shard = kHere, .number = 1}, graph);
    const auto begun = refused.step();
    ASSERT_FALSE(begun.ok());
    EXPECT_EQ(begun.error().code(), ErrorCode::kDiskFull);
    EXPECT_EQ(shard.medium().op_count(runtime::DiskOp::kCreate), created);
    EXPECT_EQ(must(shard.files().list()), std::vector<std::uint64_t>{});
    shard.medium().set_capacity(shard.medium().used_bytes() + needed);
    GraphFileWriter writer(shard.files(), {.shard = kHere, .number = 1}, graph);
    must(shard.write_all(&writer));
    EXPECT_EQ(must(shard.files().list()), std::vector<std::uint64_t>{1});
}

}  // namespace graph_files_test
}  // namespace tidal::shard
