// Graphs against the plain scan: what is near, under any filter, while vectors change.
#include "vector/graph_search.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <new>

#include "vector/graph_index.h"
#include "vector/planned_search.h"
#include "vector/tests/graph_set.h"

namespace tidal::vector {
namespace graph_test {

using schema::Metric;
using schema::VectorStorage;

std::set<std::uint32_t> slots_of(const Graph& graph, const std::vector<NodeDistance>& found,
                                 std::size_t k) {
    std::set<std::uint32_t> out;
    for (std::size_t i = 0; i < std::min(k, found.size()); ++i)
        out.insert(graph.slot_of(found[i].node()).value());
    return out;
}

double common(const std::set<std::uint32_t>& a, const std::set<std::uint32_t>& b) {
    std::size_t count = 0;
    for (const std::uint32_t slot : a) count += b.contains(slot) ? 1 : 0;
    return b.empty() ? 1 : static_cast<double>(count) / static_cast<double>(b.size());
}

struct Shape {
    Metric metric;
    VectorStorage storage;
    std::uint32_t dimensions;
};
class GraphShapes : public testing::TestWithParam<Shape> {};
INSTANTIATE_TEST_SUITE_P(All, GraphShapes,
                         testing::Values(Shape{Metric::kL2, VectorStorage::kF32, 24},
                                         Shape{Metric::kCosine, VectorStorage::kF32, 33},
                                         Shape{Metric::kDot, VectorStorage::kF32, 16},
                                         Shape{Metric::kL2, VectorStorage::kInt8, 40},
                                         Shape{Metric::kCosine, VectorStorage::kF16, 24}));

TEST_P(GraphShapes, FindWhatTheScanFinds) {
    constexpr std::size_t kTop = 10, kAsked = 40;
    const auto [metric, storage, dimensions] = GetParam();
    Set set(metric, storage, dimensions, 1500, 7);
    GraphBuild build(set.vectors, set.vectors.present(), 1);
    const auto graph = built(&build, set.vectors);
    ASSERT_EQ(graph->size(), 1500U);
    EXPECT_EQ(graph->slots(), set.vectors.present());
    for (const std::uint32_t share : {1U, 2U, 10U}) {
        Roaring accepted;
        for (std::uint32_t slot = 0; slot < 1500; ++slot)
            if (set.random() % share == 0) accepted.add(slot);
        double by_graph = 0, by_list = 0;
        for (std::size_t asked = 0; asked < kAsked; ++asked) {
            const Probe probe = *make_probe(set.vectors.spec(), set.any());
            GraphSearch search(graph, probe, Beam{60}, 1'000'000);
            std::uint64_t pieces = 0;
            while (search.run([&](Slot slot) { return accepted.contains(slot.value()); },
                              [&](double) { return ++pieces % 3 != 0; }) ==
                   GraphSearch::Progress::kPaused) {
            }
            const auto wanted = set.nearest(probe, accepted, kTop);
            const auto found = search.results();
            for (const NodeDistance& one : found)
                EXPECT_TRUE(accepted.contains(graph->slot_of(one.node()).value()));
            by_graph += common(slots_of(*graph, found, 2 * kTop), wanted) / kAsked;
            CodeScan scan(graph, probe, 2 * kTop);
            std::vector<std::uint32_t> list(accepted.begin(), accepted.end());
            scan.offer(list);
            by_list += common(slots_of(*graph, scan.results(), 2 * kTop), wanted) / kAsked;
        }
        EXPECT_GE(by_graph, 0.95) << "one in " << share;
        EXPECT_GE(by_list, 0.98) << "one in " << share;
    }
}

TEST(NodeDistances, OrderAsTheirNumbersDoAndKeepThem) {
    const float nan = std::numeric_limits<float>::quiet_NaN(),
                infinity = std::numeric_limits<float>::infinity();
    const float rising[] = {-infinity, -2.5F, -0.0F, 0.0F, 1e-30F, 3, infinity};
    for (std::size_t i = 0; i < std::size(rising); ++i) {
        EXPECT_EQ(std::bit_cast<std::uint32_t>(NodeDistance(rising[i], 7).distance()),
                  std::bit_cast<std::uint32_t>(rising[i]));
        if (i > 0) {
            EXPECT_LT(NodeDistance(rising[i - 1], 9), NodeDistance(rising[i], 7));
        }
        for (const float none : {nan, -nan})
            EXPECT_LT(NodeDistance(rising[i], 7), NodeDistance(none, 1)) << rising[i];
    }
    EXPECT_LE(NodeDistance(-nan, 7), NodeDistance::farthest());
}

/// Whether it is in order or a heap, or was the one and is the other by now.
TEST(Nearest, KeepsTheNearestOfAStreamHoweverManyItWidensBy) {
    std::mt19937_64 random(9);
    for (const std::uint32_t by : {0U, 3U, 200U, 900U}) {
        for (const std::uint32_t most : {7U, 500U, 700U}) {
            std::vector<NodeDistance> all;
            Nearest nearest(most);
            for (std::uint32_t node = 0; node < most + 2'000; ++node) {
                if (node == most) nearest.widen(by);
                all.emplace_back(static_cast<float>(random() % 1'000), node);
                nearest.offer(all.back());
            }
            std::ranges::sort(all);
            all.resize(most + by);
            ASSERT_EQ(nearest.size(), all.size());
            EXPECT_EQ(nearest.last(), all.back());
            for (const std::uint32_t before : {0U, 6U, most - 1})
                EXPECT_EQ(nearest.find(before), all[before]);
            EXPECT_EQ(nearest.take(), all) << most << " and " << by;
        }
    }
}

/// As many refused near the probe as farther off are no neighbourhood that is refused.
TEST(GraphSearch, StaysAsWideUnderARandomFilter) {
    Set set(Metric::kL2, VectorStorage::kF32, 24, 2000, 11);
    GraphBuild build(set.vectors, set.vectors.present(), 1);
    const auto graph = built(&build, set.vectors);
    Roaring half;
    for (std::uint32_t slot = 0; slot < 2000; ++slot)
        if (set.random() % 2 == 0) half.add(slot);
    std::size_t kept = 0;
    for (int asked = 0; asked < 20; ++asked) {
        const Probe probe = *make_probe(set.vectors.spec(), set.any());
        GraphSearch search(graph, probe, Beam{105, 60}, UINT64_MAX);
        EXPECT_EQ(search.run([&](Slot slot) { return half.contains(slot.value()); },
                             [](double) { return true; }),
                  GraphSearch::Progress::kDone);
        kept += search.found();
    }
    EXPECT_LE(static_cast<double>(kept), 1.05 * 20 * 105);
}

/// Many small groups, or few large ones, each far from the others.
struct Groups {
    explicit Groups(Metric metric, std::uint32_t groups = kGroups)
        : vectors(spec_of(kDimensions, metric, VectorStorage::kF32)) {
        std::normal_distribution<float> normal;
        for (std::uint32_t slot = 0; slot < kCount; ++slot) {
            if (slot < groups) {
                centres.emplace_back(kDimensions);
                for (float& v : centres.back()) v = normal(random);
            }
            vectors.put(Slot(slot), *entity::view_vector(row_of(vectors.spec(), any())));
        }
    }
    std::vector<float> any() {
        std::normal_distribution<float> normal;
        std::vector<float> out = centres[random() % centres.size()];
        for (float& v : out) v += 0.3F * normal(random);
        return out;
    }
    static constexpr std::uint32_t kCount = 6000, kGroups = 100, kDimensions = 96;
    FlatVectors vectors;
    std::mt19937_64 random{5};
    std::vector<std::vector<float>> centres;
};

TEST(GraphSearch, EndsWhereWhatIsNearStandsApart) {
    for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
        Groups groups(metric);
        GraphBuild build(groups.vectors, groups.vectors.present(), 1);
        const auto graph = built(&build, groups.vectors);
        std::uint64_t whole = 0, ended = 0;
        double same = 0;
        for (int asked = 0; asked < 20; ++asked) {
            const Probe probe = *make_probe(groups.vectors.spec(), groups.any());
            const auto found = [&](const Beam& beam, std::uint64_t* visits) {
                GraphSearch search(graph, probe, beam, UINT64_MAX);
                EXPECT_EQ(search.run([](Slot) { return true; }, [](double) { return true; }),
                          GraphSearch::Progress::kDone);
                *visits += search.visits();
                return slots_of(*graph, search.results(), 10);
            };
            const auto all = found(Beam{160}, &whole);
            same += common(found(Beam{160, 10, 1.1F}, &ended), all) / 20;
        }
        if (metric == Metric::kDot) {
            EXPECT_EQ(ended, whole) << "no distances";
        } else {
            EXPECT_LT(ended * 2, whole);
        }
        EXPECT_GE(same, 0.99);
    }
}

/// Where all of a group is about as far, no distance says that the rest of it is in vain.
TEST(GraphSearch, EndsBehindTheWantedWhereNodesLeadToNoneOfThem) {
    Groups groups(Metric::kL2, 10);
    GraphBuild build(groups.vectors, groups.vectors.present(), 1);
    const auto graph = built(&build, groups.vectors);
    std::uint64_t whole = 0, ended = 0;
    double same = 0;
    for (int asked = 0; asked < 20; ++asked) {
        const Probe probe = *make_probe(groups.vectors.spec(), groups.any());
        const auto found = [&](const Beam& beam, std::uint64_t* expanded) {
            GraphSearch search(graph, probe, beam, UINT64_MAX);
            // The first pieces of work are the entry and what it leads to.
            EXPECT_EQ(
                search.run([](Slot) { return true; }, [&](double) { return ++*expanded > 0; }),
                GraphSearch::Progress::kDone);
            return slots_of(*graph, search.results(), 100);
        };
        const auto all = found(Beam{350, 100, 1.1F}, &whole);
        same += common(found(Beam{350, 100, 1.1F, 24}, &ended), all) / 20;
    }
    EXPECT_LT(ended * 2, whole);
    EXPECT_GE(same, 0.98);
}

/// A filter that leaves half lengthens a short way to one that is still far shorter than the list.
TEST(PlannedSearch, GoesThroughTheGraphUnderAFilterThatLeavesHalf) {
    Groups groups(Metric::kL2);
    GraphIndex index;
    auto build = index.begin_build(groups.vectors, 1);
    index.finish_build(finished(build.get(), groups.vectors), LogIndex(1));
    SearchTrace trace;
    for (int asked = 0; asked < 20; ++asked) {
        Roaring half;
        for (std::uint32_t slot = 0; slot < Groups::kCount; ++slot)
            if (groups.random() % 2 == 0) half.add(slot);
        const Probe probe = *make_probe(groups.vectors.spec(), groups.any());
        PlannedSearch search(groups.vectors, index, probe, Effort::kDefault, 5, &half);
        ASSERT_TRUE(search.run([](double) { return true; }));
        trace += search.trace();
        EXPECT_TRUE(search.found().isSubset(half));
        EXPECT_GE(search.found().cardinality(), 5 + kRerankedMore);
        EXPECT_LT(search.found().cardinality(), reranked_of(Effort::kDefault, 5))
            << "codes tell the others from the nearest";
    }
    EXPECT_GE(trace.graphs, 18U);
    EXPECT_EQ(trace.listed, 0U);
}

/// Of whatever has a vector it finds what it does of a set that names all of it.
TEST(PlannedSearch, FindsTheSameInASetOfAll) {
    Groups groups(Metric::kL2);
    GraphIndex index;
    auto build = index.begin_build(groups.vectors, 1);
    index.finish_build(finished(build.get(), groups.vectors), LogIndex(1));
    for (std::uint32_t slot = 0; slot < Groups::kCount; slot += 50) {
        groups.vectors.erase(Slot(slot));
        index.changed(Slot(slot), groups.vectors);
    }
    const Roaring all = groups.vectors.present();
    for (int asked = 0; asked < 20; ++asked) {
        const Probe probe = *make_probe(groups.vectors.spec(), groups.any());
        PlannedSearch named(groups.vectors, index, probe, Effort::kDefault, 5, &all);
        PlannedSearch unnamed(groups.vectors, index, probe, Effort::kDefault, 5, nullptr);
        const auto odd = [](Slot slot) { return slot.value() % 2 == 1; };
        ASSERT_TRUE(named.run([](double) { return true; }, odd));
        // In as many pieces as there are.
        bool now = false;
        while (!unnamed.run([&](double) { return now = !now; }, odd)) {
        }
        EXPECT_EQ(named.found(), unnamed.found());
        EXPECT_EQ(named.trace().candidates, unnamed.trace().candidates);
        EXPECT_EQ(named.trace().visited, unnamed.trace().visited);
        EXPECT_EQ(named.others(groups.vectors), unnamed.others(groups.vectors));
    }
}

TEST(Graph, TheSameVectorsMakeTheSameGraph) {
    Set set(Metric::kL2, VectorStorage::kF32, 16, 500, 3);
    GraphBuild one(set.vectors, set.vectors.present(), 1),
        other(set.vectors, set.vectors.present(), 1);
    const auto a = built(&one, set.vectors), b = built(&other, set.vectors);
    ASSERT_EQ(a->size(), b->size());
    EXPECT_EQ(a->entry(), b->entry());
    for (std::uint32_t node = 0; node < a->size(); ++node)
        EXPECT_TRUE(std::ranges::equal(a->links(node), b->links(node)));
}

TEST(Graph, GivesUpAfterSoManyVisits) {
    Set set(Metric::kL2, VectorStorage::kF32, 16, 800, 3);
    GraphBuild build(set.vectors, set.vectors.present(), 1);
    const auto graph = built(&build, set.vectors);
    const Probe probe = *make_probe(set.vectors.spec(), set.any());
    GraphSearch search(graph, probe, Beam{10}, 300);
    EXPECT_EQ(search.run([](Slot) { return false; }, [](double) { return true; }),
              GraphSearch::Progress::kGivenUp);
    EXPECT_LT(search.visits(), 300U + Graph::kLinksBase + 1);
    EXPECT_EQ(search.found(), 0U);
}

TEST(Graph, OfNothingAndOfOne) {
    Set set(Metric::kCosine, VectorStorage::kF32, 8, 1, 3);
    GraphBuild none(set.vectors, Roaring(), 1);
    EXPECT_EQ(built(&none, set.vectors)->size(), 0U);
    GraphBuild one(set.vectors, set.vectors.present(), 1);
    const auto graph = built(&one, set.vectors);
    const Probe probe = *make_probe(set.vectors.spec(), set.any());
    GraphSearch search(graph, probe, Beam{10}, 100);
    EXPECT_EQ(search.run([](Slot) { return true; }, [](double) { return true; }),
              GraphSearch::Progress::kDone);
    EXPECT_EQ(search.found(), 1U);
    EXPECT_EQ(graph->node_of(Slot(7)), Graph::kNone);
}

/// As a file of it is mapped.
std::shared_ptr<const Graph> moved(const Graph& graph) {
    constexpr std::align_val_t kAlignment{64};
    const std::size_t size = GraphLayout(graph.shape()).bytes;
    std::shared_ptr<char> bytes(static_cast<char*>(::operator new(size, kAlignment)),
                                [](char* at) { ::operator delete(at, kAlignment); });
    std::memcpy(bytes.get(), graph.parts().bytes.get(), size);
    return graph.in_file(std::move(bytes));
}

/// Whatever changes and whenever a graph is published or comes to lie in a file: what is in some
/// graph as it is and what is in none are together what there is, and codes of what is fresh are
/// those of the vector.
TEST(GraphIndex, KnowsWhatItsGraphsSay) {
    EXPECT_TRUE(rc::check([] {
        Set set(Metric::kL2, VectorStorage::kF32, 4, 0, *rc::gen::arbitrary<std::uint64_t>());
        GraphIndex index;
        std::unique_ptr<GraphBuild> build;
        bool copied = false;
        const int steps = *rc::gen::inRange(0, 400);
        for (int step = 0; step < steps; ++step) {
            const auto slot = static_cast<std::uint32_t>(set.random() % 60);
            switch (set.random() % 9) {
                case 0:
                    set.vectors.erase(Slot(slot));
                    index.changed(Slot(slot), set.vectors);
                    break;
                case 3:
                    for (const GraphIndex::Segment& segment : index.segments()) {
                        if (segment.file != 0) continue;
                        const auto graph = segment.graph;
                        index.filed(*graph, 1 + set.random() % 100, moved(*graph));
                        break;
                    }
                    break;
                case 1:
                case 2:
                    if (!build && index.wants_build(set.vectors, 5)) {
                        build = index.begin_build(set.vectors, 1);
                        copied = false;
                    } else if (build && !copied) {
                        copied = build->copy(set.vectors, 4);
                    } else if (build) {
                        const auto done = build->link(10);
                        RC_ASSERT(done.ok());
                        if (!*done) break;
                        index.finish_build(build->take(), LogIndex(1));
                        build.reset();
                    }
                    break;
                default:
                    set.put(slot);
                    index.changed(Slot(slot), set.vectors);
            }
            Roaring all;
            for (const GraphIndex::Segment& segment : index.segments()) {
                RC_ASSERT((segment.fresh & all).isEmpty());
                RC_ASSERT(segment.fresh.isSubset(segment.graph->slots()));
                all |= segment.fresh;
                for (std::uint32_t one = 0; one < 64; ++one)
                    RC_ASSERT(segment.fresh_bits->contains(one) == segment.fresh.contains(one));
                for (const std::uint32_t fresh : segment.fresh) {
                    std::vector<std::byte> row(segment.graph->coder().row_bytes());
                    segment.graph->coder().encode(set.vectors.values(Slot(fresh)), row.data());
                    RC_ASSERT(std::equal(row.begin(), row.end(),
                                         segment.graph->row(segment.graph->node_of(Slot(fresh)))));
                }
            }
            RC_ASSERT(all == index.fresh());
            RC_ASSERT(all.isSubset(set.vectors.present()));
            if (set.random() % 2 == 0)
                RC_ASSERT(index.tail(set.vectors) == set.vectors.present() - all);
        }
    }));
}

/// The longest tail and the number of graphs stay small while a slot fills.
TEST(GraphIndex, KeepsFewGraphs) {
    Set set(Metric::kL2, VectorStorage::kF32, 4, 0, 5);
    GraphIndex index;
    std::uint64_t linked = 0;
    for (std::uint32_t slot = 0; slot < 1000; ++slot) {
        set.put(slot);
        index.changed(Slot(slot), set.vectors);
        if (!index.wants_build(set.vectors, 30)) continue;
        auto build = index.begin_build(set.vectors, 1);
        BuiltGraph made = finished(build.get(), set.vectors);
        linked += made.graph->size();
        index.finish_build(std::move(made), LogIndex(1));
    }
    EXPECT_LE(set.vectors.size() - index.fresh().cardinality(), 30U);
    EXPECT_LE(index.segments().size(), 6U);
    EXPECT_LE(linked, 1000U * 6U);
}

}  // namespace graph_test
}  // namespace tidal::vector
