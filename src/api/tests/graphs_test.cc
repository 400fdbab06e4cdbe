// Graphs of vectors in a whole database under a simulated world: made in the background, used by
// feeds, opened from their files after a power cut; the pages are those of a database that compares
// all.
#include <algorithm>
#include <cmath>
#include <random>

#include "sim_node.h"
#include "vector/graph_file.h"

namespace tidal::api {
namespace graphs_test {

constexpr std::string_view kSchema = R"(
items:
  fields:
    title: text
  embeddings:
    default: {dimensions: 6, metric: l2}
signals:
  view: {polarity: neutral, half_life: 1d}
)";
constexpr std::uint64_t kItems = 2600;

class Graphs : public testing::TestWithParam<std::uint16_t> {
protected:
    static DatabaseOptions options() {
        DatabaseOptions out;
        out.shards = GetParam();
        out.schema = std::string(kSchema);
        out.graph_vectors_min = 100;
        return out;
    }
    std::vector<double> any() {
        std::vector<double> out(6);
        for (double& v : out) v = normal_(random_);
        return out;
    }
    EmbeddingWrite vector_of(std::uint64_t id) {
        EmbeddingWrite out;
        out.id = id;
        out.values = any();
        return out;
    }
    static void write_all(SimNode& node, const std::vector<Write>& writes) {
        constexpr std::size_t kOfABatch = 60;
        for (std::size_t at = 0; at < writes.size(); at += kOfABatch) {
            const std::size_t end = std::min(at + kOfABatch, writes.size());
            std::vector<Write> some(writes.begin() + static_cast<std::ptrdiff_t>(at),
                                    writes.begin() + static_cast<std::ptrdiff_t>(end));
            for (const auto& reply : node.write(std::move(some)))
                ASSERT_TRUE(reply.ok()) << reply.error().to_string();
        }
    }
    static void put_profile(SimNode& node) {
        ASSERT_OK(node.wait([&](Database::Done done) {
            node->put_profile(
                "profile near version 1 { candidates ann(default) limit 10; score "
                "similarity(default); }",
                false, [done = std::move(done)](auto reply) mutable {
                    done(reply.ok() ? Result<void>() : Result<void>(reply.take_error()));
                });
        }));
    }
    std::vector<std::string> page(SimNode& node, const std::string& effort,
                                  const std::vector<double>& near) {
        FeedCall call;
        call.profile = "near";
        call.vector = near;
        call.effort = effort;
        call.explain = true;
        call.limit = 10;
        const auto reply = node->feed(call);
        EXPECT_TRUE(reply.ok()) << reply.error().to_string();
        std::vector<std::string> out;
        for (const FeedItem& item : reply->items) out.push_back(item.entity.id.to_string());
        EXPECT_EQ(reply->sources.size(), 1U);
        path_ = reply->sources.empty() ? "" : reply->sources[0].path;
        return out;
    }
    std::uint64_t in_graphs(SimNode& node) {
        std::uint64_t sum = 0;
        for (const auto& shard : node->stats().shards) sum += shard.graph_vectors;
        return sum;
    }
    static bool all_filed(SimNode& node) {
        const auto stats = node->stats();
        return std::ranges::all_of(
            stats.shards, [](const auto& shard) { return shard.graphs == shard.graphs_filed; });
    }
    struct Memory {
        std::uint64_t graphs = 0, graphs_mapped = 0, vectors = 0, vectors_mapped = 0;
    };
    static Memory memory(SimNode& node) {
        Memory out;
        for (const auto& shard : node->stats().shards) {
            out.graphs += shard.graph_bytes;
            out.graphs_mapped += shard.graph_mapped_bytes;
            out.vectors += shard.vector_bytes;
            out.vectors_mapped += shard.vector_mapped_bytes;
        }
        return out;
    }
    static std::string folder_of(std::uint16_t shard) {
        return "store/s000" + std::to_string(shard);
    }
    /// Paths of those whose names end so, of all shards.
    static std::vector<std::string> files(SimNode& node, std::string_view suffix) {
        std::vector<std::string> out;
        for (std::uint16_t shard = 1; shard <= GetParam(); ++shard) {
            const auto names = node.disk().list(folder_of(shard));
            EXPECT_TRUE(names.ok()) << names.error().to_string();
            if (!names.ok()) continue;
            for (const std::string& name : *names)
                if (name.ends_with(suffix)) out.push_back(folder_of(shard) + "/" + name);
        }
        return out;
    }
    static void remove_graph_files(SimNode& node) {
        for (const std::string& path : files(node, ".graph"))
            ASSERT_TRUE(node.disk().remove(path).ok());
        for (std::uint16_t shard = 1; shard <= GetParam(); ++shard)
            ASSERT_TRUE(node.disk().sync_directory(folder_of(shard)).ok());
    }
    static std::uint64_t graphs(SimNode& node) {
        std::uint64_t sum = 0;
        for (const auto& shard : node->stats().shards) sum += shard.graphs;
        return sum;
    }

    // Of nodes that make checkpoints when they are told to, and not before.
    static constexpr std::uint64_t kFew = 900;
    static DatabaseOptions by_hand() {
        DatabaseOptions out = options();
        out.checkpoint_interval_ms = 3'600'000;
        return out;
    }
    void write_vectors(SimNode& node) {
        std::vector<Write> writes;
        for (std::uint64_t id = 1; id <= kFew; ++id) writes.emplace_back(vector_of(id));
        write_all(node, writes);
    }
    /// Until every shard has graphs of as many vectors as it makes graphs of, and makes no more.
    static void await_graphs(SimNode& node) {
        const auto made = [](const auto& shard) {
            return shard.graphs > 0 && shard.graph_vectors + 100 >= shard.vectors;
        };
        ASSERT_TRUE(node.world().run_until(
            [&] {
                const auto stats = node->stats();  // The metadata shard has no vectors.
                return std::ranges::all_of(std::span(stats.shards).subspan(1), made);
            },
            60 * kSecondNs));
        node.world().advance(10 * kSecondNs);
    }
    void open_with_graphs(SimNode& node) {
        ASSERT_OK(node.open());
        std::vector<Write> writes;
        for (std::uint64_t id = 1; id <= kFew; ++id) writes.emplace_back(item(id));
        write_all(node, writes);
        write_vectors(node);
        await_graphs(node);
    }
    /// A checkpoint, and time for the files that follow it.
    static void checkpoint(SimNode& node) {
        node.put(item(kFew + 1));
        ASSERT_OK(node.checkpoint());
        node.world().advance(2 * kSecondNs);
    }
    /// Graphs that were still made at one checkpoint are filed after the next.
    static void file_all(SimNode& node) {
        for (int tries = 0; tries < 10; ++tries) {
            checkpoint(node);
            if (all_filed(node)) return;
        }
        FAIL() << "graphs have no files after ten checkpoints";
    }
    void expect_like_exact(SimNode& node) {
        std::size_t common = 0;
        for (int asked = 0; asked < 10; ++asked) {
            const auto near = any();
            const auto exact = page(node, "exact", near);
            EXPECT_EQ(path_, "scan");
            const auto found = page(node, "", near);
            EXPECT_EQ(found.size(), exact.size());
            for (const std::string& id : found)
                common += std::ranges::find(exact, id) != exact.end() ? 1 : 0;
        }
        EXPECT_GE(common, 95U);
    }

    std::mt19937_64 random_{5};
    std::normal_distribution<double> normal_;
    std::string path_;
};

TEST_P(Graphs, AreMadeUsedAndFoundAgain) {
    SimNode node(options());
    ASSERT_TRUE(node.open().ok());
    put_profile(node);
    std::vector<Write> writes;
    for (std::uint64_t id = 1; id <= kItems; ++id) writes.emplace_back(item(id));
    write_all(node, writes);
    writes.clear();
    for (std::uint64_t id = 1; id <= kItems; ++id) writes.emplace_back(vector_of(id));
    write_all(node, writes);
    expect_like_exact(node);
    node.world().run_until([&] { return in_graphs(node) + GetParam() * 100U >= kItems; },
                           60 * kSecondNs);
    EXPECT_GE(in_graphs(node) + GetParam() * 100U, kItems);
    expect_like_exact(node);
    EXPECT_NE(path_, "scan");
    // What changes counts at once, and sooner or later in graphs.
    writes.clear();
    for (std::uint64_t id = 1; id <= kItems; id += 3) writes.emplace_back(vector_of(id));
    for (std::uint64_t id = 2; id <= kItems; id += 30) {
        EntityDelete gone;
        gone.id = id;
        writes.emplace_back(gone);
    }
    write_all(node, writes);
    expect_like_exact(node);
    node.world().advance(20 * kSecondNs);
    expect_like_exact(node);
    const auto near = any();
    const auto exact = page(node, "exact", near);
    node.world().run_until([&] { return all_filed(node); }, 60 * kSecondNs);
    ASSERT_TRUE(all_filed(node));
    const std::uint64_t filed = in_graphs(node);
    // Changes after the newest checkpoint come from the log.
    writes.clear();
    for (std::uint64_t id = 4; id <= kItems; id += 40) writes.emplace_back(vector_of(id));
    write_all(node, writes);
    const auto changed = page(node, "exact", near);
    const std::uint64_t left = in_graphs(node);
    EXPECT_LT(left, filed);
    ASSERT_TRUE(node.crash_and_open().ok());
    EXPECT_EQ(in_graphs(node), left) << "a start opens the files";
    EXPECT_EQ(page(node, "exact", near), changed);
    expect_like_exact(node);
    EXPECT_NE(path_, "scan");
    // Without its files it makes them again.
    node.power_off({.keep = runtime::CrashSpec::Keep::kNothing});
    remove_graph_files(node);
    ASSERT_TRUE(node.open().ok());
    EXPECT_EQ(in_graphs(node), 0U) << "a start does not wait for graphs";
    node.world().advance(20 * kSecondNs);
    EXPECT_GT(in_graphs(node), kItems / 2);
    EXPECT_EQ(page(node, "exact", near), changed);
    expect_like_exact(node);
}

TEST_P(Graphs, WhoseFileFailsAreFiledAfterALaterCheckpoint) {
    SimNode node(by_hand());
    open_with_graphs(node);
    node.disk().add_fault({.op = runtime::DiskOp::kSync, .path_contains = ".graph"});
    checkpoint(node);
    EXPECT_FALSE(all_filed(node)) << "one of the files failed";
    EXPECT_FALSE(node.crashed());
    EXPECT_TRUE(files(node, ".tmp").empty());
    file_all(node);
    EXPECT_EQ(files(node, ".graph").size(), graphs(node));
    EXPECT_TRUE(files(node, ".tmp").empty());
    const std::uint64_t filed = in_graphs(node);
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(in_graphs(node), filed);
}

/// Searches read the file instead, and find what they found.
TEST_P(Graphs, LeaveMemoryForTheirFiles) {
    SimNode node(by_hand());
    open_with_graphs(node);
    put_profile(node);
    std::vector<std::vector<double>> asked(20);
    for (auto& near : asked) near = any();
    const auto pages = [&](bool through_graphs = true) {
        std::vector<std::vector<std::string>> out;
        for (const auto& near : asked) {
            out.push_back(page(node, "", near));
            EXPECT_EQ(path_ != "scan", through_graphs);
            out.push_back(page(node, "exact", near));
            EXPECT_EQ(path_, "scan");
        }
        return out;
    };
    const auto before = pages();
    const Memory unfiled = memory(node);
    EXPECT_EQ(unfiled.graphs_mapped + unfiled.vectors_mapped, 0U);
    file_all(node);
    const Memory filed = memory(node);
    std::uint64_t of_graphs = 0;
    for (const std::string& path : files(node, ".graph")) {
        const auto head = vector::decode_graph_head(*runtime::read_file(node.disk(), path));
        of_graphs += vector::GraphFileLayout(*head).rows - vector::kGraphHeadBytes;
    }
    EXPECT_EQ(filed.graphs_mapped, of_graphs);
    EXPECT_EQ(filed.graphs, unfiled.graphs - of_graphs);
    constexpr std::uint64_t kRowBytes = 24;
    EXPECT_EQ(filed.vectors_mapped, in_graphs(node) * kRowBytes);
    EXPECT_LT(filed.vectors, unfiled.vectors);
    EXPECT_EQ(pages(), before);
    // What is mapped outlives the name.
    remove_graph_files(node);
    EXPECT_EQ(pages(), before);
    ASSERT_OK(node.crash_and_open());
    EXPECT_EQ(memory(node).graphs_mapped + memory(node).vectors_mapped, 0U);
    await_graphs(node);
    file_all(node);
    EXPECT_EQ(memory(node).vectors_mapped, in_graphs(node) * kRowBytes);
    EXPECT_LT(memory(node).graphs, unfiled.graphs / 2);
    EXPECT_LT(memory(node).vectors, unfiled.vectors);
    EXPECT_EQ(pages(), before);
    // What changes is read in memory again, whether its graph goes on or not.
    write_vectors(node);
    EXPECT_EQ(memory(node).vectors_mapped, 0U);
    const auto changed = pages(false);
    EXPECT_NE(changed, before);
    await_graphs(node);
    file_all(node);
    EXPECT_GT(memory(node).vectors_mapped, 0U);
    EXPECT_EQ(pages(), changed);
    ASSERT_OK(node.crash_and_open());
    EXPECT_GT(memory(node).graphs_mapped, 0U);
    EXPECT_EQ(memory(node).vectors_mapped, in_graphs(node) * kRowBytes);
    EXPECT_EQ(pages(), changed);
}

/// The stop makes the checkpoint that they wait for, or comes while they are written.
TEST_P(Graphs, OfAStopHaveTheirFiles) {
    for (const bool filing : {false, true}) {
        SimNode node(by_hand());
        open_with_graphs(node);
        EXPECT_TRUE(files(node, ".graph").empty()) << "no checkpoint was made before";
        const std::uint64_t made = graphs(node), vectors = in_graphs(node);
        if (filing) ASSERT_OK(node.checkpoint());
        ASSERT_OK(node.wait([&](Database::Done done) {
            node->stop([done = std::move(done)]() mutable { done({}); });
        }));
        EXPECT_EQ(files(node, ".graph").size(), made);
        EXPECT_TRUE(files(node, ".tmp").empty());
        ASSERT_OK(node.crash_and_open());
        EXPECT_EQ(in_graphs(node), vectors);
    }
}

TEST_P(Graphs, ThatAreReplacedLoseTheirFilesAlsoWhereRemovingFailsAtFirst) {
    SimNode node(by_hand());
    open_with_graphs(node);
    file_all(node);
    const auto old = files(node, ".graph");
    ASSERT_GE(old.size(), GetParam());
    for (const std::string& path : old)
        node.disk().add_fault(
            {.op = runtime::DiskOp::kRemove, .path_contains = path, .times = 1000});
    write_vectors(node);
    await_graphs(node);
    file_all(node);
    const auto both = files(node, ".graph");
    EXPECT_TRUE(std::ranges::includes(both, old)) << "they could not be removed";
    EXPECT_GT(both.size(), old.size());
    node.disk().clear_faults();
    checkpoint(node);
    EXPECT_EQ(files(node, ".graph").size(), graphs(node));
    for (const std::string& path : old) EXPECT_FALSE(*node.disk().exists(path)) << path;
}

TEST_P(Graphs, OfWhichNothingIsLeftLoseTheirFiles) {
    SimNode node(by_hand());
    open_with_graphs(node);
    file_all(node);
    EXPECT_GE(files(node, ".graph").size(), GetParam());
    std::vector<Write> writes;
    for (std::uint64_t id = 1; id <= kFew; ++id) {
        EntityDelete gone;
        gone.id = id;
        writes.emplace_back(gone);
    }
    write_all(node, writes);
    ASSERT_TRUE(node.world().run_until([&] { return graphs(node) == 0; }, 60 * kSecondNs));
    checkpoint(node);
    EXPECT_EQ(files(node, ".graph"), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Shards, Graphs, testing::Values(1, 3));

}  // namespace graphs_test
}  // namespace tidal::api
