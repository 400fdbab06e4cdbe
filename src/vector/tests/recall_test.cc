// How many of the ten nearest are found on public sets, with a graph forced; whole, and under
// filters, such as one that leaves another class than the query's. The sets lie in the directory
// TIDAL_TEST_DATA; without it these tests are skipped. With TIDAL_TEST_FULL all of
// each set, else some of the two larger ones.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "vector/planned_search.h"
#include "vector/tests/real_data.h"
#include "vector/tests/vector_rows.h"

namespace tidal::vector {
namespace recall_test {

bool full() {
    return std::getenv("TIDAL_TEST_FULL") != nullptr;
}

class Indexed {
public:
    Indexed(const Vectors& data, schema::Metric metric, schema::VectorStorage storage,
            std::uint32_t top = 10)
        : top_(top),
          data_(data),
          flat_(spec_of(static_cast<std::uint32_t>(data.base[0].size()), metric, storage)) {
        for (std::uint32_t slot = 0; slot < data.base.size(); ++slot)
            flat_.put(Slot(slot), *entity::view_vector(row_of(flat_.spec(), data.base[slot])));
        auto build = graphs_.begin_build(flat_, 1);
        while (!build->copy(flat_, 1000)) {
        }
        for (;;) {
            const auto done = build->link(1000);
            EXPECT_TRUE(done.ok());
            if (!done.ok() || *done) break;
        }
        graphs_.finish_build(build->take(), LogIndex(1));
    }

    const Roaring& all() const { return flat_.present(); }

    std::vector<std::uint32_t> nearest(const Probe& probe, const Roaring& among) const {
        std::vector<Slot> slots;
        for (const std::uint32_t slot : among) slots.emplace_back(slot);
        std::vector<double> values(slots.size());
        flat_.similarities(probe, slots, values);
        std::vector<std::pair<double, std::uint32_t>> all;
        for (std::size_t i = 0; i < slots.size(); ++i)
            all.emplace_back(-values[i], slots[i].value());
        std::ranges::sort(all);
        if (all.size() > top_) all.resize(top_);
        std::vector<std::uint32_t> out;
        for (const auto& [value, slot] : all) out.push_back(slot);
        return out;
    }

    /// By planner, or with `beam` through the graph whatever that costs.
    double recall(std::size_t query, Effort effort, const Roaring& accepted, bool graph = false) {
        const Probe probe = *make_probe(flat_.spec(), data_.queries[query]);
        const auto wanted = nearest(probe, accepted);
        Roaring found;
        if (graph) {
            GraphSearch search(graphs_.segments()[0].graph, probe, beam_of(effort, top_),
                               UINT64_MAX);
            (void)search.run([&](Slot slot) { return accepted.contains(slot.value()); },
                             [](double) { return true; });
            const auto results = search.results();
            for (std::size_t i = 0;
                 i < std::min<std::size_t>(results.size(), reranked_of(effort, top_)); ++i)
                found.add(search.graph().slot_of(results[i].node()).value());
        } else {
            PlannedSearch search(flat_, graphs_, probe, effort, top_, &accepted);
            while (!search.run([](double) { return true; })) {
            }
            found = search.found();
            trace += search.trace();
        }
        const auto got = nearest(probe, found);
        EXPECT_TRUE(graph || got.size() == wanted.size());
        std::size_t common = 0;
        for (const std::uint32_t slot : wanted)
            common += std::ranges::find(got, slot) != got.end() ? 1 : 0;
        return wanted.empty() ? 1
                              : static_cast<double>(common) / static_cast<double>(wanted.size());
    }

    double mean_recall(Effort effort, bool graph = false) {
        double sum = 0;
        for (std::size_t query = 0; query < data_.queries.size(); ++query)
            sum += recall(query, effort, all(), graph);
        return sum / static_cast<double>(data_.queries.size());
    }

    /// At selectivities from a half to one in 10,000.
    void expect_found_under_random_filters() {
        std::mt19937_64 random(3);
        for (const double share : {0.5, 0.1, 0.01, 0.001, 0.0001}) {
            double sum = 0;
            for (std::size_t query = 0; query < data_.queries.size(); ++query) {
                Roaring accepted;
                for (const std::uint32_t slot : all())
                    if (std::generate_canonical<double, 53>(random) < share) accepted.add(slot);
                sum += recall(query, Effort::kDefault, accepted);
            }
            EXPECT_GE(sum / static_cast<double>(data_.queries.size()), 0.98) << share;
        }
    }

    SearchTrace trace;

private:
    const std::uint32_t top_;  ///< So many of the nearest are wanted.
    const Vectors& data_;
    FlatVectors flat_;
    GraphIndex graphs_;
};

/// Of one vector in a class of its own nothing tells which way leads to it: a search for the very
/// nearest alone must not be greedy.
TEST(Recall, OfShortLimitsAmongVectorsWithoutClasses) {
    constexpr std::size_t kDimensions = 32;
    std::mt19937_64 random(11);
    std::normal_distribution<float> normal;
    const auto draw = [&](std::size_t count) {
        std::vector<std::vector<float>> out(count, std::vector<float>(kDimensions));
        for (auto& each : out)
            for (float& value : each) value = normal(random);
        return out;
    };
    Vectors data;
    data.base = draw(6'000);
    data.queries = draw(100);
    for (const std::uint32_t top : {1U, 3U, 10U}) {
        Indexed index(data, schema::Metric::kCosine, schema::VectorStorage::kF32, top);
        EXPECT_GE(index.mean_recall(Effort::kDefault, true), 0.95) << top;
        EXPECT_GE(index.mean_recall(Effort::kHigh, true), 0.99) << top;
        EXPECT_GE(index.mean_recall(Effort::kDefault), 0.95) << top;
    }
}

/// Who has seen all of the cluster they like: what is nearest else is the near side of several
/// other clusters, which lie about as far as the rest. Of a user who has seen nothing it is one
/// cluster.
TEST(Recall, WhereTheWholeNeighbourhoodIsRefused) {
    constexpr std::size_t kDimensions = 64, kClusters = 12, kEach = 1'000;
    std::mt19937_64 random(13);
    std::normal_distribution<float> normal;
    const auto draw = [&](const std::vector<float>& around, float width) {
        std::vector<float> out = around;
        for (float& value : out) value += width * normal(random);
        return out;
    };
    std::vector<std::vector<float>> centres;
    for (std::size_t i = 0; i < kClusters; ++i)
        centres.push_back(draw(std::vector<float>(kDimensions), 1));
    Vectors data;
    for (std::size_t i = 0; i < kClusters * kEach; ++i)
        data.base.push_back(draw(centres[i % kClusters], 0.5F));
    for (std::size_t i = 0; i < 2 * kClusters; ++i)
        data.queries.push_back(draw(centres[i % kClusters], 0.2F));
    Indexed index(data, schema::Metric::kL2, schema::VectorStorage::kF32, 100);
    double refused = 0;
    for (std::size_t query = 0; query < data.queries.size(); ++query) {
        Roaring others;
        for (std::uint32_t slot = 0; slot < data.base.size(); ++slot)
            if (slot % kClusters != query % kClusters) others.add(slot);
        refused += index.recall(query, Effort::kDefault, others, true);
    }
    EXPECT_GE(refused / static_cast<double>(data.queries.size()), 0.95);
    EXPECT_GE(index.mean_recall(Effort::kDefault, true), 0.95);
}

/// Rows of one byte a component are as small as their codes: it is the way that is shorter.
TEST(Recall, GoesByTheGraphWhereRowsAreAsSmallAsCodes) {
    constexpr std::size_t kDimensions = 64;
    std::mt19937_64 random(12);
    std::normal_distribution<float> normal;
    Vectors data;
    for (std::size_t i = 0; i < 10'100; ++i) {
        std::vector<float> one(kDimensions);
        for (std::size_t at = 0; at < kDimensions; ++at)
            one[at] = 4 * static_cast<float>((i * 7 + at) % 50 == 0) + 0.1F * normal(random);
        (i < 10'000 ? data.base : data.queries).push_back(std::move(one));
    }
    Indexed index(data, schema::Metric::kL2, schema::VectorStorage::kInt8);
    EXPECT_GE(index.mean_recall(Effort::kDefault), 0.95);
    EXPECT_GT(index.trace.visited, 0U);
    EXPECT_LT(index.trace.visited + index.trace.coded, 100 * 5'000U);
}

TEST(Recall, Sift) {
    const auto data = read_sift();
    if (!data) GTEST_SKIP() << "TIDAL_TEST_DATA has no sift-5k";
    ASSERT_EQ(data->base.size(), 5000U);
    ASSERT_EQ(data->queries.size(), 100U);
    Indexed index(*data, schema::Metric::kL2, schema::VectorStorage::kF32);
    EXPECT_GE(index.mean_recall(Effort::kDefault, true), 0.95);
    EXPECT_GE(index.mean_recall(Effort::kHigh, true), 0.99);
    EXPECT_GE(index.mean_recall(Effort::kDefault), 0.95);
    index.expect_found_under_random_filters();
}

TEST(Recall, TitlesOfQuestions) {
    std::vector<std::size_t> classes, query_classes;
    const auto data = read_titles(full() ? 1 : 4, &classes, &query_classes);
    if (!data) GTEST_SKIP() << "TIDAL_TEST_DATA has no cqadupstack-bge768";
    Indexed index(*data, schema::Metric::kCosine, schema::VectorStorage::kF16);
    EXPECT_GE(index.mean_recall(Effort::kDefault, true), 0.95);
    EXPECT_GE(index.mean_recall(Effort::kHigh, true), 0.99);
    index.expect_found_under_random_filters();
    double forced = 0, planned = 0;
    for (std::size_t query = 0; query < data->queries.size(); ++query) {
        Roaring other;
        for (std::uint32_t slot = 0; slot < classes.size(); ++slot)
            if (classes[slot] == (query_classes[query] + 1) % 9) other.add(slot);
        forced += index.recall(query, Effort::kDefault, other, true);
        planned += index.recall(query, Effort::kDefault, other);
    }
    EXPECT_GE(forced / static_cast<double>(data->queries.size()), 0.95);
    EXPECT_GE(planned / static_cast<double>(data->queries.size()), 0.98);
}

TEST(Recall, Digits) {
    const auto data = read_mnist(full() ? 20 : 1, full() ? 1000 : 40);
    if (!data) GTEST_SKIP() << "TIDAL_TEST_DATA has no mnist-784";
    Indexed index(*data, schema::Metric::kL2, schema::VectorStorage::kF32);
    EXPECT_GE(index.mean_recall(Effort::kDefault, true), 0.95);
    EXPECT_GE(index.mean_recall(Effort::kHigh, true), 0.99);
    EXPECT_GE(index.mean_recall(Effort::kDefault), 0.95);
    if (full()) {
        EXPECT_GT(index.trace.graphs, 0U);
    }
    index.expect_found_under_random_filters();
}

}  // namespace recall_test
}  // namespace tidal::vector
