// The nodes of a replica simulation and everything that befalls them, from one seed.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "replica_sim_node.h"

namespace tidal::cluster {

inline constexpr std::uint64_t kMs = 1'000'000;

/// How often each fault happened.
struct ReplicaFaults {
    std::uint64_t crashes = 0, mass_kills = 0, crashes_at_an_operation = 0, failed_starts = 0;
    std::uint64_t pauses = 0, stalls = 0, slow_disks = 0, failed_syncs = 0, full_disks = 0;
    std::uint64_t clock_faults = 0, partitions = 0, flaps = 0, corrupted = 0;

    void add(const ReplicaFaults& other);
    std::string to_string() const;
};

/// Nodes 1, 2 and 3 are the first voters, 4 comes and goes.
class ReplicaNodes {
protected:
    struct Node {
        ReplicaNodeOptions options;
        std::unique_ptr<runtime::SimDisk> disk;
        std::unique_ptr<ReplicaLife> life;
        std::int64_t wall_error_ms = 0, wall_drift_ppm = 0;  ///< Of the machine: lives share it.
        bool slow = false;                                   ///< The disk, that is.
        std::string name() const { return "n" + std::to_string(options.self.value()); }
    };

    explicit ReplicaNodes(std::uint64_t seed);

    std::uint64_t below(std::uint64_t bound);
    bool chance(std::uint64_t percent) { return below(100) < percent; }
    Node& any() { return nodes_[below(nodes_.size())]; }
    /// One that may propose; else any.
    Node& leader();
    /// Any that lives; else one that does not.
    Node& any_alive();
    void fail(const std::string& what);

    void start(Node& node);
    void crash(Node& node);
    /// Before each step: the dead get the disk that a crash leaves, slow disks are slow.
    void between_steps();
    void bury(Node& node);

    /// One fault, by the dice.
    void befall(Node& node);
    void heal_network();
    /// No fault is left but those of clocks.
    void heal_all();
    void fill(Node& node);

    runtime::SimWorld world_;
    std::vector<Node> nodes_;
    GroupChecker checker_;
    ReplicaFaults faults_;
    std::uint64_t snapshots_ = 0;  ///< Installed by those buried.
    std::string failure_;

private:
    runtime::CrashSpec any_crash(const Node& node);
    void bury_the_dead();
    void kill_many();
    void pause(Node& node);
    void stall(Node& node);
    void fail_sync(Node& node);
    void crash_at_an_operation(Node& node);
    void disturb_clock(Node& node);
    void partition();
    void isolate(Node& node);
    void one_way(Node& node);
    void halves();
    void ring();
    void bridge();
    void flap(Node& node, int times, std::uint64_t generation);
    void change_weather();

    std::uint64_t random_;
    std::uint64_t flap_generation_ = 0;
    bool calm_ = false;  ///< After heal_all().
};

}  // namespace tidal::cluster
