#include "raft/tests/simulation.h"

#include <algorithm>

namespace tidal::raft {
namespace {

constexpr std::uint64_t kReplicas = 7;
/// Ticks without a leader after which others may be voted for.
constexpr std::uint32_t kSilence = 10;

class Simulation {
public:
    explicit Simulation(const SimulationPlan& plan)
        : plan_(plan), random_(mix(plan.seed, 0x7261667473696dULL)), cluster_(checker_) {
        checker_.cluster = &cluster_;
        cluster_.forget_votes = plan.forget_votes;
        cluster_.report_early = plan.report_early;
    }

    SimulationResult run() {
        set_up();
        for (; result_.steps < plan_.steps && checker_.ok(); ++result_.steps) step();
        if (checker_.ok()) settle();
        result_.failure = checker_.failure().empty() ? stuck_ : checker_.failure();
        result_.elections = checker_.elections();
        result_.committed = checker_.committed().value();
        result_.reads = checker_.reads();
        result_.installs = checker_.installs();
        result_.trace = checker_.trace();
        return result_;
    }

private:
    std::uint64_t below(std::uint64_t bound) {
        random_ = mix(random_, 0x5851f42d4c957f2dULL);
        return random_ % bound;
    }
    bool chance(std::uint64_t percent) { return below(100) < percent; }
    PeerId any() { return PeerId(1 + below(kReplicas)); }
    /// One that leads, perhaps without knowing that it no longer does; else any.
    PeerId leader() {
        const PeerId start = any();
        for (std::uint64_t i = 0; i < kReplicas; ++i) {
            const PeerId id(1 + (start.value() + i) % kReplicas);
            if (cluster_.up(id) && cluster_.node(id).status().role == Role::kLeader) return id;
        }
        return start;
    }

    void set_up() {
        Configuration configuration;
        const std::uint64_t voters = 3 + 2 * below(2);
        for (std::uint64_t i = 1; i <= voters; ++i) configuration.voters.push_back(PeerId(i));
        loss_ = below(15);
        churn_ = chance(50);
        const bool small = chance(60);
        for (std::uint64_t i = 1; i <= kReplicas; ++i) {
            Options options{.self = PeerId(i), .seed = mix(plan_.seed, i)};
            // One entry in a message brings out what hides in batches.
            options.message_bytes_max = small ? 1 : 200;
            options.inflight_messages_max = 1 + static_cast<std::uint32_t>(below(4));
            options.inflight_bytes_max = 400;
            options.entry_bytes_max = 64;
            options.apply_bytes_max = 100;
            options.cache_bytes_max = 100;
            options.uncommitted_bytes_max = 2000;
            options.chunk_bytes_max = 8 + below(40);
            options.chunks_inflight_max = 1 + static_cast<std::uint32_t>(below(3));
            cluster_.add(options, i <= voters ? configuration : Configuration{});
            cluster_.at(PeerId(i)).disk_slow = true;
            cluster_.start(PeerId(i));
        }
    }

    void step() {
        const std::uint64_t dice = below(1000);
        const PeerId id = any();
        if (dice < 150) return tick(id);
        if (dice < 650) return deliver();
        if (dice < 850) return write(id);
        if (dice < 900) return propose(chance(80) ? leader() : id);
        if (dice < 940) return read(chance(50) ? leader() : id);
        if (dice < 944) return crash(chance(50) ? leader() : id);
        if (dice < 964) return start(id);
        if (dice < 967) return cluster_.cut(id, any());
        if (dice < 969) return isolate(chance(50) ? leader() : id);
        if (dice < 977) return cluster_.heal();
        if (dice < 980) return transfer(leader());
        if (dice < 984) return change(leader());
        if (dice < 990) return jump(id);
        if (dice < 991) return overthrow(leader());
        compact(id);
    }

    void tick(PeerId id) {
        if (!cluster_.up(id)) return;
        cluster_.node(id).tick();
        cluster_.turn(id);
    }

    /// A clock that runs ahead: a time-out at once.
    void jump(PeerId id) {
        for (int i = 0; i < 20; ++i) tick(id);
    }

    /// Cut off, it does not know that another one leads and commits, and is asked.
    void overthrow(PeerId old) {
        isolate(old);
        for (std::uint64_t i = 1; i <= kReplicas; ++i)
            for (std::uint32_t tick = 0; PeerId(i) != old && tick < kSilence; ++tick)
                this->tick(PeerId(i));
        jump(any());
        for (int i = 0; i < 200; ++i) {
            if (i % 50 == 49) propose(leader());
            if (chance(60))
                deliver();
            else
                write(any());
        }
        read(old);
    }

    void deliver() {
        auto& network = cluster_.network();
        if (network.empty()) return;
        // Mostly near the front: order is the rule, not a promise.
        const std::size_t at = chance(70) ? 0 : below(std::min<std::size_t>(network.size(), 30));
        const Message message = network[at];
        if (!chance(5)) network.erase(network.begin() + static_cast<std::ptrdiff_t>(at));
        if (chance(loss_)) return;
        const auto delivered = cluster_.deliver(message);
        if (!delivered.ok() && stuck_.empty()) stuck_ = delivered.error().to_string();
    }

    void write(PeerId id) {
        if (!cluster_.sync(id)) cluster_.install(id);
    }

    void propose(PeerId id) {
        if (!cluster_.up(id)) return;
        std::vector<Payload> records;
        const std::uint64_t count = 1 + below(3);
        for (std::uint64_t i = 0; i < count; ++i)
            records.push_back(make_payload("r" + std::to_string(++proposals_)));
        (void)cluster_.node(id).propose(std::move(records)).ok();
        cluster_.turn(id);
    }

    void read(PeerId id) {
        if (!cluster_.up(id)) return;
        const std::uint64_t read = ++reads_;
        checker_.read_asked(id, read);
        (void)cluster_.node(id).read(read).ok();
        cluster_.turn(id);
    }

    void crash(PeerId id) {
        if (!cluster_.up(id)) return;
        ++result_.crashes;
        // A statement each: the order of arguments is the compiler's.
        const std::uint64_t torn = below(3);
        cluster_.crash(id, below(cluster_.at(id).writes.size() + 1), torn);
        checker_.crashed(id);
    }

    void start(PeerId id) {
        if (!cluster_.up(id)) cluster_.start(id);
    }

    void isolate(PeerId id) {
        for (std::uint64_t i = 1; i <= kReplicas; ++i) {
            cluster_.cut(id, PeerId(i));
            cluster_.cut(PeerId(i), id);
        }
    }

    void transfer(PeerId id) {
        if (!cluster_.up(id)) return;
        result_.transfers += cluster_.node(id).transfer(any()).ok();
        cluster_.turn(id);
    }

    void change(PeerId id) {
        if (!churn_ || !cluster_.up(id)) return;
        Members members;
        const std::uint64_t voters = 1 + below(4);
        for (std::uint64_t i = 1; i <= kReplicas; ++i) {
            const std::uint64_t dice = below(kReplicas);
            if (dice < voters)
                members.voters.push_back(PeerId(i));
            else if (dice == kReplicas - 1)
                members.learners.push_back(PeerId(i));
        }
        result_.member_changes += cluster_.node(id).change_members(members).ok();
        cluster_.turn(id);
    }

    void compact(PeerId id) {
        if (!cluster_.up(id)) return;
        const LogIndex applied = cluster_.at(id).machine.index;
        cluster_.compact(id, LogIndex(applied.value() - std::min(applied.value(), below(6))));
    }

    /// The leader that all voters of its configuration follow, applied and durable alike.
    bool quiet() {
        const Replica* leader = nullptr;
        for (const auto& [id, replica] : cluster_.replicas()) {
            const Status status = replica.node->status();
            if (status.role == Role::kLeader &&
                (!leader || status.term > leader->node->status().term))
                leader = &replica;
        }
        if (!leader) return false;
        const Status status = leader->node->status();
        if (status.commit != status.last || status.configuration.joint()) return false;
        for (const PeerId peer : status.configuration.all())
            if (cluster_.at(peer).machine.index != status.commit ||
                cluster_.at(peer).machine.chain != leader->machine.chain)
                return false;
        // What any replica ever saw committed, and so all that was acknowledged, is still there.
        return status.commit >= checker_.committed();
    }

    std::string picture() {
        std::string text;
        for (const auto& [id, replica] : cluster_.replicas()) {
            const Status s = replica.node->status();
            text += "\n" + std::to_string(id.value()) + ' ' + std::string(role_name(s.role)) +
                    " term=" + std::to_string(s.term.value()) +
                    " leader=" + std::to_string(s.leader.value()) +
                    " log=" + std::to_string(s.first.value()) + ".." +
                    std::to_string(s.last.value()) + " commit=" + std::to_string(s.commit.value()) +
                    " applied=" + std::to_string(s.applied.value()) + ' ' +
                    s.configuration.to_string() + (replica.install ? " installing" : "");
            for (const PeerStatus& p : s.peers)
                text += " [" + std::to_string(p.peer.value()) + ' ' +
                        std::string(flow_name(p.flow)) +
                        " match=" + std::to_string(p.match.value()) +
                        " next=" + std::to_string(p.next.value()) +
                        " bytes=" + std::to_string(p.snapshot_offset) + ']';
        }
        return text;
    }

    void settle() {
        cluster_.heal();
        for (std::uint64_t i = 1; i <= kReplicas; ++i) {
            start(PeerId(i));
            cluster_.at(PeerId(i)).disk_slow = false;
        }
        for (int round = 0; round < 400 && checker_.ok() && stuck_.empty(); ++round) {
            for (std::uint64_t i = 1; i <= kReplicas; ++i) {
                while (cluster_.sync(PeerId(i))) {
                }
                cluster_.install(PeerId(i));
                tick(PeerId(i));
            }
            for (int i = 0; i < 2000 && !cluster_.network().empty(); ++i) {
                const Message message = std::move(cluster_.network().front());
                cluster_.network().pop_front();
                (void)cluster_.deliver(message).ok();
            }
            if (round > 40 && quiet()) return;
        }
        if (checker_.ok() && stuck_.empty())
            stuck_ = "no agreement after everything healed" + picture();
    }

    const SimulationPlan plan_;
    std::uint64_t random_;
    Checker checker_;
    Cluster cluster_;
    SimulationResult result_;
    std::string stuck_;
    std::uint64_t loss_ = 0, proposals_ = 0, reads_ = 0;
    bool churn_ = false;
};

}  // namespace

SimulationResult simulate(const SimulationPlan& plan) {
    return Simulation(plan).run();
}

}  // namespace tidal::raft
