#include "replica_sim.h"

#include <algorithm>
#include <map>

#include "replica_nodes.h"
#include "schema/schema.h"

namespace tidal::cluster {
namespace {

constexpr SignalTypeId kLike{1};
// Likes with keys go to items 1..3, single ones without to 4, batches to 5.
constexpr std::uint64_t kKeyedItems = 3, kSingleItem = 4, kBatchItem = 5, kItems = 5;
constexpr std::uint64_t kSessions = 3;

record::Record like(std::uint64_t item, std::string key = {}) {
    record::SignalBody body;
    body.signal = kLike;
    body.item = EntityId(item);
    body.weight = record::kWeightOne;
    record::Record record;
    record.body = std::move(body);
    record.envelope.idempotency_key = std::move(key);
    return record;
}

/// Whether an error says that nothing of the write ever counts.
bool is_refusal(const Error& error) {
    return error.code() != ErrorCode::kTimeout;
}

class Simulation : ReplicaNodes {
public:
    explicit Simulation(const ReplicaSimPlan& plan) : ReplicaNodes(plan.seed), plan_(plan) {}

    ReplicaSimResult run() {
        for (Node& node : nodes_) start(node);
        for (int i = 0; i < plan_.steps && failure_.empty(); ++i) {
            world_.advance(below(8) * kMs);
            between_steps();
            watch();
            step();
            if (i % 15 == 0) compare();
        }
        if (failure_.empty()) settle("after everything healed");
        if (failure_.empty()) restart_all();
        result_.failure = failure_;
        result_.keys = keys_.size();
        result_.faults = faults_;
        result_.faults.corrupted = world_.network().stats().corrupted;
        result_.virtual_ns = world_.now_ns();
        result_.trace = world_.trace_hash();
        for (Node& node : nodes_) {
            result_.trace = mix(result_.trace, node.disk->trace_hash());
            bury(node);
        }
        result_.snapshots = snapshots_;
        return result_;
    }

private:
    struct Session {
        LogIndex token;
        std::map<std::uint64_t, std::int64_t> seen, written;  ///< By item.
        bool under_way = false;
        std::uint64_t generation = 0;
    };
    struct Key {
        std::uint64_t item = 0;
        int under_way = 0, tries = 0;
        std::optional<shard::Outcome> first;
    };

    void step() {
        const std::uint64_t dice = below(1000);
        Node& node = chance(50) ? leader() : any();
        // A statement for each draw: the order of arguments is the compiler's.
        if (dice < 260) {
            const std::size_t key = new_key();
            return send_key(leader(), key);
        }
        if (dice < 380) return send_again(chance(70) ? leader() : any());
        if (dice < 470) return send_likes(leader(), kSingleItem, 1);
        if (dice < 520) {
            const std::size_t lines = 2 + below(30);
            return send_likes(leader(), kBatchItem, lines);
        }
        if (dice < 600) return read_strong(any_alive());
        if (dice < 660) return read_session(any_alive());
        if (dice < 675) return crash(node);
        if (dice < 740) return start(node);
        if (dice < 775) return befall(node);
        if (dice < 805) return heal_network();
        if (dice < 810) return fill(node);
        if (dice < 830) return node.disk->set_capacity(~0ULL);
        if (dice < 836) return transfer(node);
        if (dice < 846) {
            const bool second = chance(50);
            const bool first = chance(50);
            return change(leader(), first, second);
        }
        if (dice < 856) return world_.advance(below(1'500) * kMs);
        if (dice < 860 && node.life) return node.life->host().campaign(kReplicated);
    }

    // --- clients --------------------------------------------------------------------------------

    shard::WriteConcern any_concern() {
        const std::uint64_t dice = below(10);
        if (dice < 7) return shard::WriteConcern::kMajority;
        if (dice < 8) return shard::WriteConcern::kAll;
        if (dice < 9) return shard::WriteConcern::on(2);
        return shard::WriteConcern::kLocal;
    }

    /// What a leader does that finds its shard without schema: the first records of its log.
    bool configure(Node& node) {
        if (!node.life || !node.life->shard().can_propose()) return false;
        if (node.life->configured()) return true;
        std::vector<record::Record> records(2 + kItems);
        records[0].body = record::ShardConfigBody{shard::kApplyVersion, Epoch(0), 0, kVShardCount};
        auto schema = schema::parse_schema(kReplicaSchema);
        records[1].body = record::SchemaBody{schema::encode_schema(*schema)};
        for (std::uint64_t i = 1; i <= kItems; ++i) {
            record::UpsertBody body;
            body.id = EntityId(i);
            records[1 + i].body = std::move(body);
        }
        node.life->shard().propose(std::move(records), shard::WriteConcern::kMajority, 2'000,
                                   [](Result<std::vector<shard::Outcome>>) {});
        return false;
    }

    std::size_t new_key() {
        keys_.push_back({.item = 1 + below(kKeyedItems), .first = {}});
        ++keys_of_[keys_.back().item];
        return keys_.size() - 1;
    }

    void send_again(Node& node) {
        if (keys_.empty()) return;
        // Mostly one that has no answer yet.
        std::size_t at = below(keys_.size());
        for (std::size_t i = 0; i < keys_.size() && keys_[at].first && chance(95); ++i)
            at = (at + 1) % keys_.size();
        send_key(node, at);
    }

    void send_key(Node& node, std::size_t at) {
        if (!configure(node)) return;
        Key& key = keys_[at];
        std::string name = "key " + std::to_string(at);
        if (plan_.new_key_per_try) name += "/" + std::to_string(key.tries);
        ++key.tries;
        ++result_.tries;
        const auto concern = any_concern();
        std::vector<record::Record> records;
        records.push_back(like(key.item, name));
        node.life->shard().propose(
            std::move(records), concern, 1'000,
            [this, at, concern](Result<std::vector<shard::Outcome>> outcomes) {
                if (!outcomes.ok()) return count(outcomes.error());
                answered(keys_[at], outcomes->front(), concern);
            });
    }

    void answered(Key& key, const shard::Outcome& outcome, const shard::WriteConcern& concern) {
        if (!outcome.ok()) return count(*outcome.refused);
        if (outcome.promised) {
            ++result_.promised;
            return;
        }
        if (outcome.repeated) ++result_.repeated;
        acknowledged(outcome, concern);
        if (!key.first) {
            key.first = outcome;
            wrote(key.item, outcome.index);
        } else if (!plan_.new_key_per_try &&
                   (key.first->index != outcome.index || key.first->version != outcome.version)) {
            fail("two answers under one key");
        }
    }

    /// A session knows of its own write, and so what it has to see from then on.
    void wrote(std::uint64_t item, LogIndex index) {
        ++counted_[item];
        Session& session = sessions_[index.value() % kSessions];
        session.token = std::max(session.token, index);
        ++session.written[item];
    }

    void acknowledged(const shard::Outcome& outcome, const shard::WriteConcern& concern) {
        ++result_.acknowledged;
        const auto [known, fresh] = stamps_.try_emplace(outcome.index, outcome.version);
        if (!fresh && known->second != outcome.version) fail("two stamps at one index");
        if (outcome.repeated) return;
        if (outcome.replicas < 2) fail("answered without a majority");
        if (concern != shard::WriteConcern::kAll) return;
        ++result_.on_all;
        if (outcome.replicas < 3) fail("answered before all had it");
    }

    void count(const Error& error) {
        ++(is_refusal(error) ? result_.refused : result_.unknown);
        if (error.code() == ErrorCode::kInternal || error.code() == ErrorCode::kNotFound)
            fail("an answer nobody should get: " + error.to_string());
    }

    /// Without a key: what is not known to count may.
    void send_likes(Node& node, std::uint64_t item, std::size_t lines) {
        if (!configure(node)) return;
        std::vector<record::Record> records;
        for (std::size_t i = 0; i < lines; ++i) records.push_back(like(item));
        const auto concern = any_concern();
        maybe_[item] += static_cast<std::int64_t>(lines);
        node.life->shard().propose(
            std::move(records), concern, 1'000,
            [this, item, lines, concern](Result<std::vector<shard::Outcome>> outcomes) {
                if (!outcomes.ok()) {
                    count(outcomes.error());
                    if (is_refusal(outcomes.error()))
                        maybe_[item] -= static_cast<std::int64_t>(lines);
                    return;
                }
                for (const shard::Outcome& outcome : *outcomes)
                    like_answered(item, outcome, concern);
            });
    }

    void like_answered(std::uint64_t item, const shard::Outcome& outcome,
                       const shard::WriteConcern& concern) {
        if (!outcome.ok()) {
            count(*outcome.refused);
            --maybe_[item];
        } else if (outcome.promised) {
            ++result_.promised;
        } else {
            --maybe_[item];
            ++sure_[item];
            wrote(item, outcome.index);
            if (outcome.replicas > 0) acknowledged(outcome, concern);
        }
    }

    // --- reads
    // ------------------------------------------------------------------------------------

    /// Likes of an item that were acknowledged, and that may be there at most, by now.
    std::int64_t acknowledged_likes(std::uint64_t item) { return counted_[item]; }
    std::int64_t likes_at_most(std::uint64_t item) {
        return item <= kKeyedItems ? keys_of_[item] : sure_[item] + maybe_[item];
    }

    /// Linearizable: not behind what was acknowledged, nor behind what an earlier strong read saw,
    /// when it began; and not ahead of what was asked for when it ends.
    void read_strong(Node& node) {
        if (!node.life) return;
        const std::uint64_t item = 1 + below(kItems);
        const std::int64_t least = std::max(acknowledged_likes(item), strongly_seen_[item]);
        ReplicaLife& life = *node.life;
        life.host().read_index(kReplicated, [this, &life, item, least](Result<LogIndex> index) {
            if (!index.ok()) return;
            life.shard().when_applied(*index, 1'000, [this, &life, item, least](Result<void> done) {
                if (!done.ok() || !life.alive() || !life.shard().readable().ok()) return;
                ++result_.strong_reads;
                const std::int64_t seen = std::max<std::int64_t>(life.likes(item), 0);
                if (seen < least) read_failed("a strong read is behind", item, seen, least);
                if (seen > likes_at_most(item))
                    read_failed("a read sees more than was written", item, seen,
                                likes_at_most(item));
                strongly_seen_[item] = std::max(strongly_seen_[item], seen);
            });
        });
    }

    /// Of whoever wrote or read last in a session, on any node: its own writes, and nothing that is
    /// older than what it read before.
    void read_session(Node& node) {
        if (!node.life) return;
        Session& session = sessions_[below(kSessions)];
        if (session.under_way) return;
        const std::uint64_t item = 1 + below(kItems);
        ReplicaLife& life = *node.life;
        session.under_way = true;
        const std::uint64_t generation = session.generation = ++session_reads_;
        const std::int64_t least = std::max(session.seen[item], session.written[item]);
        world_.at(world_.now_ns() + 1'500 * kMs, [&session, generation] {
            if (session.generation == generation) session.under_way = false;  // its node died
        });
        life.shard().when_applied(
            session.token, 1'000,
            [this, &life, &session, generation, item, least](Result<void> done) {
                if (session.generation != generation || !session.under_way) return;
                session.under_way = false;
                if (!done.ok() || !life.alive() || !life.shard().readable().ok()) return;
                ++result_.session_reads;
                const std::int64_t seen = std::max<std::int64_t>(life.likes(item), 0);
                if (seen < least) read_failed("a session went back", item, seen, least);
                session.seen[item] = seen;
                session.token = std::max(session.token, life.applied());
            });
    }

    void read_failed(const std::string& what, std::uint64_t item, std::int64_t seen,
                     std::int64_t wanted) {
        fail(what + ": item " + std::to_string(item) + " has " + std::to_string(seen) + ", not " +
             std::to_string(wanted));
    }

    // --- changes of the group
    // ---------------------------------------------------------------------

    void transfer(Node& node) {
        if (!node.life) return;
        node.life->host().transfer(kReplicated, any().options.self, [](Result<void>) {});
    }
    /// Node 4 comes and goes.
    void change(Node& node, bool member, bool voter) {
        if (!node.life) return;
        raft::Members members;
        for (const Node& each : nodes_) {
            const bool fourth = each.options.self.value() == 4;
            if (fourth && !member) continue;
            (fourth && !voter ? members.learners : members.voters).push_back(each.options.self);
        }
        node.life->host().change_members(kReplicated, members, [](Result<void>) {});
    }

    // --- what is seen ---------------------------------------------------------------------------

    /// A replica that may propose is the only one of its term.
    void watch() {
        for (Node& node : nodes_) {
            if (!node.life || !node.life->shard().can_propose()) continue;
            const Term term = node.life->shard().role().term;
            if (!node.life->shard().role().leads) continue;
            const auto [leads, fresh] = leaders_.try_emplace(term, node.options.self);
            result_.leaders += fresh;
            if (leads->second != node.options.self) fail("two leaders in one term");
        }
    }

    /// Replicas that applied the same log hold the same.
    void compare() {
        for (Node& node : nodes_) {
            if (!node.life || !node.life->alive() || !node.life->shard().readable().ok()) continue;
            const LogIndex applied = node.life->applied();
            const auto hash = node.life->content_hash();
            if (!hash.ok()) {
                // A dead disk may say so before the node is found dead.
                if (node.life->alive()) fail("no hash: " + hash.error().to_string());
                continue;
            }
            const auto [known, fresh] = hashes_.try_emplace(applied, *hash);
            ++result_.hashes;
            if (known->second != *hash)
                fail("another state at index " + std::to_string(applied.value()) + " of " +
                     node.name());
        }
    }

    bool quiet() {
        Node& first = leader();
        if (!first.life || !first.life->shard().can_propose()) return false;
        for (const Key& key : keys_)
            if (!key.first) return false;
        const auto status = first.life->host().status(kReplicated)->raft;
        if (status.configuration.all().size() != nodes_.size() || status.configuration.joint())
            return false;
        return std::ranges::all_of(
            nodes_, [&](Node& node) { return node.life && node.life->applied() == status.last; });
    }

    void settle(const std::string& when) {
        heal_all();
        for (int i = 0; i < 4000 && failure_.empty(); ++i) {
            between_steps();
            for (Node& node : nodes_) start(node);
            world_.advance(10 * kMs);
            watch();
            if (i < 200) continue;
            if (i % 20 == 0) change(leader(), true, false);
            for (std::size_t at = 0; at < keys_.size() && i % 10 == 0; ++at)
                if (!keys_[at].first) send_key(leader(), at);
            if (quiet()) return agree();
        }
        fail("no agreement " + when + picture());
    }

    /// All of everything, on each node.
    void agree() {
        compare();
        std::map<std::uint64_t, std::int64_t> keyed;
        for (const Key& key : keys_) ++keyed[key.item];
        for (Node& node : nodes_) {
            for (std::uint64_t item = 1; item <= kItems; ++item) {
                const std::int64_t likes = node.life->likes(item);
                const std::int64_t least = item <= kKeyedItems ? keyed[item] : sure_[item];
                const std::int64_t most = item <= kKeyedItems ? keyed[item] : least + maybe_[item];
                if (likes < least || likes > most)
                    fail(node.name() + ": item " + std::to_string(item) + " has " +
                         std::to_string(likes) + " likes, not " + std::to_string(least) + ".." +
                         std::to_string(most));
            }
        }
        for (auto at = stamps_.begin(); at != stamps_.end() && std::next(at) != stamps_.end(); ++at)
            if (at->second >= std::next(at)->second) fail("stamps that do not rise with the log");
    }

    /// All nodes end, cleanly or not, and come back.
    void restart_all() {
        for (Node& node : nodes_) {
            if (chance(50))
                node.life->stop();
            else
                node.life->runtime().kill();
        }
        world_.advance(5'000 * kMs);
        for (Node& node : nodes_) {
            if (node.life->alive() && !node.life->stopped())
                return fail(node.name() + " does not stop");
            bury(node);
            node.disk->die();
            node.disk->crash({});
        }
        new_key();
        settle("after a restart of all");
    }

    std::string picture() {
        std::string text;
        for (Node& node : nodes_) {
            if (!node.life) continue;
            const auto status = *node.life->host().status(kReplicated);
            const auto& s = status.raft;
            const auto shard = node.life->shard().stats();
            text += "\n" + node.name() + ' ' + std::string(raft::role_name(s.role)) +
                    " term=" + std::to_string(s.term.value()) +
                    " log=" + std::to_string(s.first.value()) + ".." +
                    std::to_string(s.last.value()) + " commit=" + std::to_string(s.commit.value()) +
                    " applied=" + std::to_string(s.applied.value()) +
                    " shard=" + std::to_string(shard.applied.value()) +
                    " checkpoint=" + std::to_string(shard.checkpointed.value()) +
                    " can_propose=" + std::to_string(node.life->shard().can_propose()) + ' ' +
                    shard.checkpoint_error + ' ' + node.life->replica().stats().snapshot_error +
                    ' ' + s.configuration.to_string();
            for (const auto& p : s.peers)
                text += " [" + std::to_string(p.peer.value()) + ' ' +
                        std::string(raft::flow_name(p.flow)) +
                        " match=" + std::to_string(p.match.value()) + ']';
        }
        return text;
    }

    const ReplicaSimPlan plan_;
    ReplicaSimResult result_;
    std::vector<Key> keys_;
    std::map<std::uint64_t, std::int64_t> sure_, maybe_;  ///< Likes without a key, by item.
    std::map<std::uint64_t, std::int64_t> keys_of_;       ///< Likes asked for under keys, by item.
    std::map<std::uint64_t, std::int64_t> counted_;       ///< Likes acknowledged, by item.
    std::map<std::uint64_t, std::int64_t> strongly_seen_;
    std::array<Session, kSessions> sessions_;
    std::uint64_t session_reads_ = 0;
    std::map<LogIndex, HybridTime> stamps_;  ///< Of what was acknowledged.
    std::map<LogIndex, std::uint64_t> hashes_;
    std::map<Term, raft::PeerId> leaders_;
};

}  // namespace

ReplicaSimResult simulate_replicas(const ReplicaSimPlan& plan) {
    return Simulation(plan).run();
}

}  // namespace tidal::cluster
