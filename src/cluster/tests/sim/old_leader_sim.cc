#include "old_leader_sim.h"

#include <algorithm>

#include "replica_nodes.h"
#include "schema/schema.h"

namespace tidal::cluster {
namespace {

constexpr SignalTypeId kLike{1};
constexpr std::uint64_t kItem = 1;
constexpr int kStepsMax = 20'000;

record::Record record_of(record::Body body) {
    record::Record record;
    record.body = std::move(body);
    return record;
}

record::Record like() {
    record::SignalBody body;
    body.signal = kLike;
    body.item = EntityId(kItem);
    body.weight = record::kWeightOne;
    return record_of(std::move(body));
}

std::vector<record::Record> first_records() {
    record::UpsertBody item;
    item.id = EntityId(kItem);
    auto schema = schema::parse_schema(kReplicaSchema);
    std::vector<record::Record> records;
    records.push_back(
        record_of(record::ShardConfigBody{shard::kApplyVersion, Epoch(0), 0, kVShardCount}));
    records.push_back(record_of(record::SchemaBody{schema::encode_schema(*schema)}));
    records.push_back(record_of(std::move(item)));
    return records;
}

class Scenario : ReplicaNodes {
public:
    explicit Scenario(std::uint64_t seed) : ReplicaNodes(seed) {}

    std::string run() {
        heal_all();
        for (std::size_t i = 0; i < 3; ++i) {
            nodes_[i].options.checkpoint_events = 20;
            nodes_[i].options.keep_entries = 5;
            start(nodes_[i]);
        }
        until("a leader", 10 * kMs, [&] { return leading() != nullptr; });
        if (!failure_.empty()) return failure_;
        Node& old = *leading();
        propose(old, first_records(), shard::WriteConcern::kMajority);
        until("a schema", kMs, [&] { return old.life->configured(); });

        cut_off(old);
        for (int i = 0; i < 200; ++i) propose_like(old, shard::WriteConcern::kLocal);
        until("another leader", 10 * kMs, [&] { return leading() && leading() != &old; });
        // Fewer than the other's, so that its entries reach beyond the snapshot.
        for (int i = 0; i < 60 && failure_.empty(); ++i) write_one();
        if (failure_.empty()) come_back(old);
        for (Node& node : nodes_) bury(node);
        return failure_;
    }

private:
    template <typename Condition>
    void until(const std::string& what, std::uint64_t step_ns, Condition is_true) {
        for (int i = 0; i < kStepsMax && failure_.empty(); ++i) {
            if (is_true()) return;
            between_steps();
            world_.advance(step_ns);
        }
        fail("waited in vain for " + what);
    }

    /// Of the newest term: one that is cut off may not know yet that it leads no more.
    Node* leading() {
        Node* newest = nullptr;
        for (Node& node : nodes_) {
            if (!node.life || !node.life->shard().can_propose()) continue;
            if (newest == nullptr ||
                newest->life->shard().role().term < node.life->shard().role().term)
                newest = &node;
        }
        return newest;
    }

    void cut_off(Node& node) {
        for (Node& other : nodes_) world_.network().partition(node.name(), other.name());
    }

    void propose(Node& node, std::vector<record::Record> records, shard::WriteConcern concern) {
        node.life->shard().propose(std::move(records), concern, 1'000,
                                   [](Result<std::vector<shard::Outcome>>) {});
    }
    void propose_like(Node& node, shard::WriteConcern concern) {
        std::vector<record::Record> records;
        records.push_back(like());
        propose(node, std::move(records), concern);
    }

    void write_one() {
        const std::int64_t before = leading() ? leading()->life->likes(kItem) : 0;
        if (leading()) propose_like(*leading(), shard::WriteConcern::kMajority);
        until("a like", kMs, [&] { return leading() && leading()->life->likes(kItem) > before; });
    }

    void come_back(Node& old) {
        const auto installed = [&] { return old.life->replica().stats().snapshots_installed; };
        heal_network();
        until("a snapshot", 20'000, [&] { return !old.life || installed() > 0; });
        if (!failure_.empty()) return;
        crash(old);
        between_steps();
        start(old);
        until("equal replicas", 10 * kMs, [&] { return equal(); });
    }

    bool equal() {
        const auto same = [&](Node& node) {
            return node.life->applied() == nodes_[0].life->applied() &&
                   node.life->content_hash().ok() &&
                   *node.life->content_hash() == *nodes_[0].life->content_hash();
        };
        return std::all_of(nodes_.begin(), nodes_.begin() + 3,
                           [&](Node& node) { return node.life && same(node); });
    }
};

}  // namespace

std::string simulate_old_leader(std::uint64_t seed) {
    return Scenario(seed).run();
}

}  // namespace tidal::cluster
