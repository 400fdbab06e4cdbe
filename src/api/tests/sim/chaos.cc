// A cluster under everything at once: nodes die and come back, links are cut, lossy and repeating,
// leaders move, a node joins; clients write through any node and read from any. At the end: what
// was acknowledged is there, everything once, the same on all nodes.
//
//     TIDAL_API_CLUSTER_SEED=17 api_test --gtest_filter='ClusterChaos.*'      one seed, again
//     TIDAL_API_CLUSTER_SEEDS=1000 api_test --gtest_filter='ClusterChaos.*'   many
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <set>

#include "api/tests/sim_cluster.h"

namespace tidal::api {
namespace {

constexpr std::uint64_t kItems = 6;
constexpr int kSteps = 150;

class Chaos {
public:
    explicit Chaos(std::uint64_t seed) : cluster_(seed), random_(seed) {}

    void run() {
        cluster_.begin(3);
        for (std::uint64_t id = 1; id <= kItems; ++id) cluster_.put(1, item(id, 1 + id % 2));
        for (int step = 0; step < kSteps && !::testing::Test::HasFatalFailure(); ++step) {
            cluster_.world().advance(below(60) * kMsNs);
            bury();
            act();
        }
        settle();
        if (!::testing::Test::HasFatalFailure()) check();
    }

    /// Of nodes that no snapshot brought up to date.
    std::uint64_t whole_exports() const { return whole_exports_; }

private:
    struct Line {
        std::uint64_t item = 0;
        bool answered = false, acknowledged = false;
        bool refused = false;  ///< With the word that nothing was written.
    };

    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    std::vector<std::uint32_t> alive() {
        std::vector<std::uint32_t> numbers;
        for (auto& [number, member] : cluster_.nodes())
            if (member.alive()) numbers.push_back(number);
        return numbers;
    }
    std::uint32_t any_alive() {
        const auto numbers = alive();
        return numbers.empty() ? 0 : numbers[below(numbers.size())];
    }

    /// A node that died by itself (of its disk, say) is buried before it is touched.
    void bury() {
        for (auto& [number, member] : cluster_.nodes())
            if (member.runtime && member.runtime->crashed()) cluster_.kill(number);
    }

    void act() {
        const std::uint64_t dice = below(1000);
        const std::uint32_t node = any_alive();
        if (dice < 550 && node != 0) return write(node);
        if (dice < 700 && node != 0) return read(node);
        if (dice < 730 && alive().size() > 1) return die(node);
        if (dice < 830) return revive();
        if (dice < 860) return cut();
        if (dice < 920) return cluster_.world().network().heal_all();
        if (dice < 950) return weather();
        if (dice < 970 && node != 0)
            return cluster_.node(node)->cluster()->transfer(
                ShardId(static_cast<std::uint16_t>(below(3))),
                cluster::NodeId(static_cast<std::uint32_t>(1 + below(3))), [](Result<void>) {});
        if (dice < 975 && node != 0) cluster_.node(node)->checkpoint([](Result<void>) {});
    }

    void write(std::uint32_t node) {
        const std::uint64_t number = lines_.size();
        auto line = std::make_shared<Line>();
        line->item = 1 + below(kItems);
        lines_.push_back(line);
        CallContext context;
        context.timeout_ms = 500 + below(4000);
        // With a key it may be proposed again; without one it may not.
        if (below(2) == 0) context.idempotency_key = "key-" + std::to_string(number);
        const bool strict = context.idempotency_key.empty();
        cluster_.node(node)->write(
            {signal(line->item, "like")}, context, [line, strict](WriteReplies replies) {
                EXPECT_FALSE(line->answered);
                line->answered = true;
                line->acknowledged = replies.front().ok();
                line->refused = !replies.front().ok() &&
                                replies.front().error().code() == ErrorCode::kUnavailable;
                (void)strict;
            });
    }

    /// What was acknowledged before a strong read began is seen by it.
    void read(std::uint32_t node) {
        const std::uint64_t id = 1 + below(kItems);
        const std::int64_t least = acknowledged(id);
        auto* const member = &cluster_.node(node);
        Database* const life = member->database.get();
        life->fence({}, FenceScope{EntityRequest{EntityKind::kItem, id}}, 2'000,
                    [this, id, least, life](Result<FenceReply> passed) {
                        if (!passed.ok()) return;
                        ++reads_;
                        const auto seen = life->signals({EntityKind::kItem, id});
                        if (!seen.ok()) return;
                        EXPECT_GE(count_of(*seen), least)
                            << "a strong read of item " << id << " is behind";
                    });
    }

    void die(std::uint32_t node) {
        ++deaths_;
        cluster_.kill(node, {.seed = below(1000)});
    }
    void revive() {
        for (auto& [number, member] : cluster_.nodes())
            if (!member.alive() && below(2) == 0) {
                if (member.runtime) cluster_.kill(number);
                return cluster_.restart(number);
            }
    }
    void cut() {
        const std::string a = "n" + std::to_string(1 + below(3));
        const std::string b = "n" + std::to_string(1 + below(3));
        cluster_.world().network().cut(a, b);
        if (below(2) == 0) cluster_.world().network().cut(b, a);
    }
    void weather() {
        runtime::SimLink link{.delay_min_ns = 50'000, .delay_max_ns = 1 + below(20) * kMsNs};
        link.loss_ppm = static_cast<std::uint32_t>(below(50'000));
        link.duplicate_ppm = static_cast<std::uint32_t>(below(50'000));
        cluster_.world().network().set_default_link(link);
    }

    void settle() {
        cluster_.world().network().heal_all();
        cluster_.world().network().set_default_link({});
        bury();
        for (auto& [number, member] : cluster_.nodes())
            if (!member.alive()) cluster_.restart(number);
        ASSERT_TRUE(cluster_.until([&] { return cluster_.all_voters(3) && cluster_.all_lead(); }))
            << cluster_.problems(cluster_.node(1));
        cluster_.world().advance(10 * kSecondNs);
        cluster_.expect_equal();
    }

    void check() {
        std::size_t answered = 0, good = 0;
        for (const auto& line : lines_) {
            answered += line->answered ? 1 : 0;
            good += line->acknowledged ? 1 : 0;
        }
        std::cout << "seed " << cluster_.world().seed() << ": " << lines_.size() << " writes, "
                  << answered << " answered, " << good << " acknowledged, " << reads_
                  << " strong reads, " << deaths_ << " deaths\n";
        EXPECT_GT(good, 0u);
        EXPECT_LE(good, answered);
        std::map<std::uint64_t, std::int64_t> of_creator;
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            const auto seen = cluster_.node(2)->signals({EntityKind::kItem, id});
            ASSERT_TRUE(seen.ok());
            const std::int64_t count = count_of(*seen);
            EXPECT_GE(count, acknowledged(id)) << "item " << id << " lost a signal";
            EXPECT_LE(count, possible(id)) << "item " << id << " counted one twice";
            of_creator[1 + id % 2] += count;
        }
        for (std::uint32_t node = 1; node <= 3; ++node) check_export(node);
        // Every effect on the creator's shard exactly once.
        for (const auto& [creator, count] : of_creator) {
            const auto seen = cluster_.node(3)->signals({EntityKind::kCreator, creator});
            ASSERT_TRUE(seen.ok());
            EXPECT_EQ(count_of(*seen), count) << "creator " << creator;
        }
    }

    /// The log of any node gives what happened: nothing that a lost leader wrote in vain, and all
    /// of it, or it says that a snapshot stands for a part.
    void check_export(std::uint32_t node) {
        std::map<std::uint64_t, std::int64_t> exported;
        ExportRequest request;
        for (ExportPage page; !page.end;) {
            request.position = page.position;
            auto next = cluster_.node(node)->export_signals(request);
            if (!next.ok() && !request.gaps) {
                ASSERT_EQ(next.error().reason(), "history_incomplete") << next.error().to_string();
                request.gaps = true;
                continue;
            }
            ASSERT_TRUE(next.ok()) << next.error().to_string();
            page = std::move(*next);
            for (const ExportedSignal& each : page.signals) ++exported[each.id.number()];
        }
        for (std::uint64_t id = 1; id <= kItems; ++id) {
            const auto seen = cluster_.node(node)->signals({EntityKind::kItem, id});
            ASSERT_TRUE(seen.ok());
            EXPECT_LE(exported[id], count_of(*seen)) << "node " << node << " item " << id;
            if (!request.gaps) {
                EXPECT_EQ(exported[id], count_of(*seen)) << "node " << node << " item " << id;
            }
        }
        whole_exports_ += request.gaps ? 0 : 1;
    }

    std::int64_t acknowledged(std::uint64_t id) const {
        std::int64_t count = 0;
        for (const auto& line : lines_) count += line->item == id && line->acknowledged ? 1 : 0;
        return count;
    }
    /// Those that may have been written: all but the ones refused with "nothing was written".
    std::int64_t possible(std::uint64_t id) const {
        std::int64_t count = 0;
        for (const auto& line : lines_) count += line->item == id && !line->refused ? 1 : 0;
        return count;
    }
    static std::int64_t count_of(const SignalReadings& readings) {
        for (const auto& one : readings.signals)
            if (one.name == "like")
                return one.reading.windows[static_cast<std::size_t>(schema::Window::kAll)].count;
        return 0;
    }

    SimCluster cluster_;
    runtime::SeededRandom random_;
    std::vector<std::shared_ptr<Line>> lines_;
    std::uint64_t reads_ = 0, deaths_ = 0, whole_exports_ = 0;
};

TEST(ClusterChaos, KeepsEveryPromise) {
    const char* const one = std::getenv("TIDAL_API_CLUSTER_SEED");
    const char* const many = std::getenv("TIDAL_API_CLUSTER_SEEDS");
    const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
    const std::uint64_t count =
        one != nullptr ? 1 : (many != nullptr ? std::strtoull(many, nullptr, 10) : 6);
    std::uint64_t whole_exports = 0;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        SCOPED_TRACE("replay: TIDAL_API_CLUSTER_SEED=" + std::to_string(seed) +
                     " api_test --gtest_filter='ClusterChaos.*'");
        Chaos chaos(seed);
        chaos.run();
        whole_exports += chaos.whole_exports();
        if (::testing::Test::HasFailure()) return;
    }
    if (count > 1) {
        EXPECT_GT(whole_exports, 0u);
    }
}

}  // namespace
}  // namespace tidal::api
