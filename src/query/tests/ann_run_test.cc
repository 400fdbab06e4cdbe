// Lists of what is near, through graphs: as the scan gives them, whatever a filter leaves and
// whatever changes on the way.
#include "query/internal/ann_run.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "query/tests/random_filter.h"
#include "ranking/tests/sample_schema.h"
#include "ranking/tests/sample_shard.h"

namespace tidal::query {
namespace ann_run_test {

constexpr std::string_view kSchema = R"(
items:
  embeddings:
    v: {dimensions: 8, metric: l2}
)";
constexpr std::uint32_t kItems = 5000, kWanted = 10;
constexpr EmbeddingSlotId kSlot(0);

class AnnRuns : public testing::Test {
protected:
    AnnRuns() {
        for (std::uint32_t id = 1; id <= kItems; ++id) {
            ranking::SampleItem item{.id = EntityId(id)};
            shard_.put(item);
            shard_.embed(item.id, "v", any());
        }
    }
    std::vector<float> any() {
        std::vector<float> out(8);
        for (float& v : out) v = normal_(random_);
        return out;
    }
    const vector::FlatVectors& vectors() { return *shard_.view().vectors->find(kSlot); }
    void ask(std::vector<float> values) {
        anchors_.set(kSlot, ranking::Anchor::kVector,
                     *vector::make_probe(vectors().spec(), values));
    }
    ranking::EvaluationContext context() const { return {.anchors = &anchors_}; }

    /// The nearest first; by brute force.
    std::vector<std::uint32_t> nearest(const Roaring& accepted) {
        std::vector<std::pair<double, std::uint32_t>> all;
        for (const std::uint32_t slot : accepted) {
            if (!vectors().has(Slot(slot))) continue;
            const Slot one(slot);
            double value = 0;
            vectors().similarities(*anchors_.find(kSlot, ranking::Anchor::kVector), {&one, 1},
                                   {&value, 1});
            all.emplace_back(-value, slot);
        }
        std::ranges::sort(all);
        std::vector<std::uint32_t> out;
        for (const auto& [value, slot] : all) out.push_back(slot);
        return out;
    }

    /// @param between  Called between two steps.
    std::set<std::uint32_t> run(const Roaring& accepted, const std::function<void()>& between) {
        const auto context = this->context();
        const bool all = !names_all_ && vectors().present().isSubset(accepted);
        AnnRun run(shard_.view(), by_, context, effort_, kWanted, all ? nullptr : &accepted);
        TopItems top(kWanted, shard_.entities());
        for (;;) {
            StepBudget budget(3'000);
            const auto done = run.step(shard_.view(), top, budget);
            EXPECT_TRUE(done.ok());
            if (!done.ok() || *done) break;
            between();
        }
        trace_ = run.trace();
        std::set<std::uint32_t> out;
        for (const auto& entry : top.take()) out.insert(entry.slot.value());
        return out;
    }

    double recall(const Roaring& accepted, std::size_t asked = 8) {
        double sum = 0;
        for (std::size_t i = 0; i < asked; ++i) {
            ask(any());
            const auto found = run(accepted, [] {});
            auto wanted = nearest(accepted);
            EXPECT_EQ(found.size(), std::min<std::size_t>(kWanted, wanted.size()));
            if (wanted.size() > kWanted) wanted.resize(kWanted);
            std::size_t common = 0;
            for (const std::uint32_t slot : wanted) common += found.contains(slot) ? 1 : 0;
            sum += wanted.empty()
                       ? 1
                       : static_cast<double>(common) / static_cast<double>(wanted.size());
        }
        return sum / static_cast<double>(asked);
    }
    Roaring some(double share) {
        Roaring out;
        for (std::uint32_t slot = 0; slot < kItems; ++slot)
            if (std::generate_canonical<double, 53>(random_) < share) out.add(slot);
        return out;
    }

    std::mt19937_64 random_{11};
    std::normal_distribution<float> normal_;
    ranking::SampleShard shard_{ranking::sample_schema(kSchema), 1};
    ranking::AnchorVectors anchors_;
    const ranking::Feature by_{.kind = ranking::FeatureKind::kSimilarity,
                               .slot = kSlot,
                               .anchor = ranking::Anchor::kVector};
    vector::SearchTrace trace_;
    vector::Effort effort_ = vector::Effort::kDefault;
    bool names_all_ = false;  ///< A set of all is given as one.
};

TEST_F(AnnRuns, FindTheNearestAtEverySelectivity) {
    shard_.make_graphs(100);
    effort_ = vector::Effort::kLow;
    EXPECT_GE(recall(some(1)), 0.9);
    EXPECT_EQ(trace_.graphs, 1U);
    EXPECT_LT(trace_.visited, kItems / 2);
    effort_ = vector::Effort::kDefault;
    EXPECT_GE(recall(some(1)), 0.98);
    names_all_ = true;
    EXPECT_GE(recall(some(1)), 0.98);
    EXPECT_GE(recall(some(0.5)), 0.98);
    EXPECT_GE(recall(some(0.1)), 0.98);
    EXPECT_EQ(trace_.graphs, 0U) << "a list of so few is cheaper";
    EXPECT_GE(recall(some(0.01)), 0.98);
    EXPECT_GE(recall(some(0.001)), 0.98);
    EXPECT_EQ(trace_.coded, 0U) << "few are compared exactly at once";
    EXPECT_EQ(recall(Roaring()), 1);
}

/// Only what is far from the probe may be listed: the way through the graph does not lead there.
TEST_F(AnnRuns, FindWhatIsFarFromTheProbe) {
    shard_.make_graphs(100);
    for (std::size_t i = 0; i < 4; ++i) {
        ask(any());
        const auto all = nearest(vectors().present());
        Roaring far;
        for (std::size_t at = all.size() * 2 / 10; at < all.size(); ++at) far.add(all[at]);
        const auto found = run(far, [] {});
        std::size_t common = 0;
        for (std::size_t at = 0; at < kWanted; ++at)
            common += found.contains(all[all.size() * 2 / 10 + at]) ? 1 : 0;
        EXPECT_GE(common, 9U);
        EXPECT_EQ(found.size(), kWanted);
        EXPECT_LT(trace_.visited, kItems) << "it gives up";
    }
}

/// All that is near goes at once, at whichever moment: what is farther takes its place.
TEST_F(AnnRuns, AreNotTooFewWhereTheNearestGo) {
    shard_.make_graphs(100);
    for (std::size_t moment = 0; moment < 20; ++moment) {
        ask(any());
        names_all_ = moment % 2 == 0;
        auto near = nearest(vectors().present());
        near.resize(4 * kWanted);
        std::size_t steps = 0;
        const auto found = run(vectors().present(), [&] {
            if (steps++ != moment) return;
            for (const std::uint32_t slot : near)
                shard_.erase(EntityId(shard_.entities().id_of(Slot(slot))));
        });
        EXPECT_EQ(found.size(), kWanted) << moment;
    }
}

/// What is near gets other vectors, nearer ones, at whichever moment.
TEST_F(AnnRuns, FindWhatMovesMeanwhile) {
    shard_.make_graphs(100);
    std::size_t moved = 0;
    for (std::size_t moment = 0; moment < 40; ++moment) {
        const std::vector<float> probe = any();
        ask(probe);
        names_all_ = moment % 2 == 0;
        auto near = nearest(vectors().present());
        near.resize(kWanted / 2);
        std::size_t steps = 0;
        const auto found = run(vectors().present(), [&] {
            if (steps++ != moment / 2) return;
            ++moved;
            for (const std::uint32_t slot : near)
                shard_.embed(EntityId(shard_.entities().id_of(Slot(slot))), "v", probe);
        });
        EXPECT_EQ(found.size(), kWanted) << moment;
        for (const std::uint32_t slot : near) EXPECT_TRUE(found.contains(slot)) << moment;
    }
    EXPECT_GT(moved, 5U) << "few steps";
}

/// Items change and go, graphs come and go, also while a list is being made: nothing that is gone
/// is listed, what nobody touched is found, and there are never too few.
TEST_F(AnnRuns, KeepUpWithChanges) {
    shard_.make_graphs(100);
    for (std::uint32_t id = 1; id <= kItems; id += 9) shard_.erase(EntityId(id));
    for (std::uint32_t id = 2; id <= kItems; id += 9) shard_.embed(EntityId(id), "v", any());
    EXPECT_GE(recall(some(1)), 0.97);
    EXPECT_GT(trace_.compared, kItems / 10) << "what changed is compared exactly";
    shard_.make_graphs(100);
    EXPECT_GE(recall(some(1)), 0.97);
    EXPECT_LT(trace_.compared, kItems / 10);
    std::uint32_t next = 3;
    for (std::size_t i = 0; i < 4; ++i) {
        ask(any());
        names_all_ = i % 2 == 0;
        std::set<std::uint32_t> touched;
        const auto found = run(vectors().present(), [&] {
            if (next > kItems || touched.size() > 20) return;
            touched.insert(shard_.entities().find(EntityId(next))->value());
            if (next % 2 == 0) {
                shard_.erase(EntityId(next));
            } else {
                shard_.embed(EntityId(next), "v", any());
            }
            if (touched.size() == 10) shard_.make_graphs(3);
            next += 9;
        });
        std::size_t missed = 0, wanted = 0;
        for (const std::uint32_t slot : nearest(vectors().present())) {
            if (touched.contains(slot)) continue;
            if (++wanted > kWanted / 2) break;
            missed += found.contains(slot) ? 0 : 1;
        }
        EXPECT_LE(missed, 1U);
        for (const std::uint32_t slot : found) EXPECT_TRUE(vectors().has(Slot(slot)));
    }
}

}  // namespace ann_run_test
}  // namespace tidal::query
