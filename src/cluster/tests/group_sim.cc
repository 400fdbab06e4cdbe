#include "group_sim.h"

#include <algorithm>

#include "group_sim_node.h"

namespace tidal::cluster {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

class Simulation {
public:
    explicit Simulation(const GroupSimPlan& plan)
        : plan_(plan), random_(mix(plan.seed, 0x67726f757073ULL)), world_(plan.seed) {
        count_ = chance(50) ? 3 : 5;
        const std::uint64_t voters = count_ == 3 || chance(50) ? 3 : 5;
        churn_ = chance(50);
        raft::Configuration initial;
        for (std::uint64_t i = 1; i <= voters; ++i) initial.voters.push_back(raft::PeerId(i));
        for (std::uint64_t i = 1; i <= count_; ++i) {
            SimNodeOptions options{.self = raft::PeerId(i), .initial = {}};
            if (i <= voters) options.initial = initial;
            options.forget_terms = plan.forget_terms;
            options.checkpoint_entries = 5 + below(30);
            options.keep_entries = below(10);
            nodes_.push_back({options,
                              std::make_unique<runtime::SimDisk>(
                                  runtime::SimDiskOptions{.seed = mix(plan.seed, i),
                                                          .write_ns = 5'000,
                                                          .sync_ns = 50'000 + 1000 * below(1000)}),
                              nullptr});
        }
        runtime::SimLink link{.delay_min_ns = 50'000, .delay_max_ns = 1 + below(8) * kMs};
        link.loss_ppm = static_cast<std::uint32_t>(below(60'000));
        link.duplicate_ppm = static_cast<std::uint32_t>(below(60'000));
        world_.network().set_default_link(link);
    }

    GroupSimResult run() {
        for (auto& node : nodes_) start(node);
        for (int i = 0; i < plan_.steps && checker_.failure.empty(); ++i) {
            world_.advance(below(8) * kMs);
            bury_the_dead();
            step();
        }
        if (checker_.failure.empty()) settle();
        result_.failure = checker_.failure;
        for (const ShardId shard : kSimShards) {
            result_.elections += checker_.group(shard).leaders.size();
            result_.committed += checker_.group(shard).log.size() - 1;
        }
        result_.virtual_ms = world_.now_ns() / kMs;
        result_.trace = world_.trace_hash();
        for (auto& node : nodes_) result_.trace = mix(result_.trace, node.disk->trace_hash());
        for (auto& node : nodes_) {
            if (node.life) result_.installs += node.life->installs;
            node.life.reset();
        }
        return result_;
    }

private:
    struct Node {
        SimNodeOptions options;
        std::unique_ptr<runtime::SimDisk> disk;
        std::unique_ptr<SimLife> life;
        bool full = false;
        std::string name() const { return "n" + std::to_string(options.self.value()); }
    };

    std::uint64_t below(std::uint64_t bound) {
        random_ = mix(random_, 0x5851f42d4c957f2dULL);
        return random_ % bound;
    }
    bool chance(std::uint64_t percent) { return below(100) < percent; }
    Node& any() { return nodes_[below(nodes_.size())]; }
    ShardId shard() { return kSimShards[below(2)]; }
    /// One that believes to lead the shard; else any.
    Node& leader(ShardId of) {
        const std::size_t from = below(nodes_.size());
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            Node& node = nodes_[(from + i) % nodes_.size()];
            if (node.life && node.life->machine(of).leads) return node;
        }
        return nodes_[from];
    }

    void step() {
        const std::uint64_t dice = below(1000);
        const ShardId of = shard();
        Node& node = chance(50) ? leader(of) : any();
        if (dice < 450) return propose(leader(of), of);
        if (dice < 530) return read(node, of);
        if (dice < 545) return crash(node);
        if (dice < 620) return start(node);
        if (dice < 630) return world_.network().cut(node.name(), any().name());
        if (dice < 636) return isolate(node);
        if (dice < 660) return world_.network().heal_all();
        if (dice < 666) return fill(node);
        if (dice < 690) return make_room(node);
        if (dice < 692) return fail_sync(node);
        if (dice < 698) return transfer(node, of);
        if (dice < 704) return change(leader(of), of);
        if (dice < 707 && node.life) return node.life->host().campaign(of);
    }

    void propose(Node& node, ShardId of) {
        if (!node.life) return;
        std::vector<raft::Payload> records;
        const std::uint64_t count = 1 + below(4);
        for (std::uint64_t i = 0; i < count; ++i)
            records.push_back(
                raft::make_payload("r" + std::to_string(++records_) + std::string(below(60), '.')));
        auto kept = records;
        const Term term = node.life->machine(of).term;
        (void)node.life->host()
            .propose(of, {.stamped_for = term,
                          .records = std::move(records),
                          .appended =
                              [this, of, kept](const Result<raft::Position>& position) {
                                  if (!position.ok()) checker_.refused(of, kept);
                              },
                          .decided =
                              [this, of, kept](Result<raft::Position> position) {
                                  decided(of, kept, position);
                              }})
            .ok();
    }

    void decided(ShardId of, const std::vector<raft::Payload>& records,
                 const Result<raft::Position>& position) {
        if (position.ok()) {
            ++result_.acknowledged;
            return checker_.acknowledged(of, position->last);
        }
        if (position.error().reason() != "superseded") return;
        ++result_.superseded;
        checker_.refused(of, records);
    }

    void read(Node& node, ShardId of) {
        if (!node.life) return;
        const LogIndex before = checker_.group(of).acknowledged;
        node.life->host().read_index(of, [this, before](Result<LogIndex> index) {
            if (!index.ok()) return;
            ++result_.reads;
            if (*index < before) checker_.fail("a read behind what was acknowledged before");
        });
    }

    void crash(Node& node) {
        if (!node.life) return;
        ++result_.crashes;
        node.life->runtime().kill();
    }

    /// Ends the lives of nodes that died, of whatever cause.
    void bury_the_dead() {
        for (Node& node : nodes_) {
            if (!node.life || node.life->alive()) continue;
            const auto& fatal = node.life->runtime().fatal_error();
            if (fatal && fatal->code() != ErrorCode::kIo)
                checker_.fail("a node gave up: " + fatal->to_string());
            result_.installs += node.life->installs;
            node.life.reset();
            using Keep = runtime::CrashSpec::Keep;
            constexpr Keep kinds[] = {Keep::kSeeded, Keep::kSeeded, Keep::kNothing, Keep::kAll,
                                      Keep::kPrefix};
            node.disk->die();
            node.disk->crash({.keep = kinds[below(5)],
                              .seed = below(1000),
                              .sectors = below(node.disk->unsynced_sectors() + 1)});
            node.disk->clear_faults();
            if (plan_.lying_disk) zero_a_sector(node);
        }
    }

    /// The last sector that holds anything of the newest log file.
    void zero_a_sector(Node& node) {
        const auto names = node.disk->list("wal");
        if (!names.ok() || names->empty()) return;
        for (auto name = names->rbegin(); name != names->rend(); ++name) {
            auto file = node.disk->open("wal/" + *name, runtime::OpenMode::kReadWrite);
            std::string bytes(8192, '\0');
            if (!(*file)->read_at(0, {bytes.data(), bytes.size()}).ok()) continue;
            const auto end = bytes.find_last_not_of('\0');
            if (end == std::string::npos || end < 512) continue;
            const auto sector = end / 512 * 512;
            (void)(*file)->write_at(sector, std::string(512, '\0')).ok();
            (void)(*file)->sync().ok();
            return;
        }
    }

    void start(Node& node) {
        if (node.life) return;
        node.life = std::make_unique<SimLife>(world_, *node.disk, checker_, node.options);
        const auto started = node.life->start();
        if (started.ok()) return;
        // No room for the log's next file, or a failing disk: later, then.
        const ErrorCode code = started.error().code();
        if (code != ErrorCode::kDiskFull && code != ErrorCode::kIo)
            checker_.fail(node.name() + " does not start: " + started.error().to_string());
        node.life.reset();
        node.disk->die();
        node.disk->crash({});
        node.disk->clear_faults();
    }

    void isolate(Node& node) {
        for (Node& other : nodes_) world_.network().partition(node.name(), other.name());
    }
    void fill(Node& node) {
        ++result_.full_disks;
        node.full = true;
        node.disk->set_capacity(node.disk->used_bytes() + below(2) * 3000);
    }
    void make_room(Node& node) {
        node.full = false;
        node.disk->set_capacity(~0ULL);
    }
    void fail_sync(Node& node) {
        ++result_.failed_syncs;
        node.disk->add_fault({.op = runtime::DiskOp::kSync, .path_contains = "wal/"});
    }
    void transfer(Node& node, ShardId of) {
        if (node.life) node.life->host().transfer(of, any().options.self, [](Result<void>) {});
    }
    void change(Node& node, ShardId of) {
        if (!churn_ || !node.life) return;
        raft::Members members;
        for (const Node& each : nodes_) {
            const std::uint64_t dice = below(10);
            if (dice < 7)
                members.voters.push_back(each.options.self);
            else if (dice < 9)
                members.learners.push_back(each.options.self);
        }
        node.life->host().change_members(
            of, members, [this](Result<void> begun) { result_.changes += begun.ok(); });
    }

    // --- the end ------------------------------------------------------------------------------

    /// All members of the leader's configuration have applied all that anybody ever committed.
    bool quiet(ShardId of) {
        Node* best = nullptr;
        for (Node& node : nodes_)
            if (node.life && node.life->machine(of).leads &&
                (!best || node.life->machine(of).term > best->life->machine(of).term))
                best = &node;
        if (!best) return false;
        const auto status = best->life->host().status(of)->raft;
        const LogIndex last(checker_.group(of).log.size() - 1);
        if (status.last != last || status.configuration.joint()) return false;
        for (const raft::PeerId peer : status.configuration.all())
            if (nodes_[peer.value() - 1].life->machine(of).state.index != last) return false;
        return true;
    }

    void settle() {
        world_.network().heal_all();
        world_.network().set_default_link({});
        for (Node& node : nodes_) {
            node.disk->clear_faults();
            make_room(node);
        }
        const std::uint64_t before = result_.acknowledged;
        for (int i = 0; i < 3000 && checker_.failure.empty(); ++i) {
            bury_the_dead();
            for (Node& node : nodes_) start(node);
            world_.advance(10 * kMs);
            if (i < 200) continue;
            if (i % 50 == 0 && result_.acknowledged < before + 2)
                for (const ShardId of : kSimShards) propose(leader(of), of);
            if (result_.acknowledged >= before + 2 && quiet(kSimShards[0]) && quiet(kSimShards[1]))
                return;
        }
        checker_.fail("no agreement after everything healed" + picture());
    }

    std::string picture() {
        std::string text;
        for (Node& node : nodes_) {
            for (const ShardId of : kSimShards) {
                if (!node.life) continue;
                const auto status = *node.life->host().status(of);
                const auto& s = status.raft;
                text += "\n" + node.name() + " shard " + std::to_string(of.value()) + ' ' +
                        std::string(raft::role_name(s.role)) +
                        " term=" + std::to_string(s.term.value()) +
                        " log=" + std::to_string(s.first.value()) + ".." +
                        std::to_string(s.last.value()) +
                        " durable=" + std::to_string(s.durable.value()) +
                        " commit=" + std::to_string(s.commit.value()) +
                        " applied=" + std::to_string(s.applied.value()) +
                        " writes=" + std::to_string(status.log.writes) +
                        (status.log.stalled ? " stalled " : " ") + status.log.read_error + ' ' +
                        s.configuration.to_string();
                for (const auto& p : s.peers)
                    text += " [" + std::to_string(p.peer.value()) + ' ' +
                            std::string(raft::flow_name(p.flow)) +
                            " match=" + std::to_string(p.match.value()) +
                            " next=" + std::to_string(p.next.value()) +
                            " snapshot=" + std::to_string(p.snapshot_offset) + ']';
            }
        }
        return text;
    }

    const GroupSimPlan plan_;
    std::uint64_t random_;
    runtime::SimWorld world_;
    GroupChecker checker_;
    std::vector<Node> nodes_;
    GroupSimResult result_;
    std::uint64_t count_ = 3, records_ = 0;
    bool churn_ = false;
};

}  // namespace

GroupSimResult simulate_groups(const GroupSimPlan& plan) {
    return Simulation(plan).run();
}

}  // namespace tidal::cluster
