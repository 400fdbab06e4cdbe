// Nodes with a real shard each, replicated over real groups, logs and snapshots, on one virtual
// timeline: clients write through every fault at once, from one seed, and what they were told is
// checked against what the replicas hold.
#pragma once

#include <cstdint>
#include <string>

#include "replica_nodes.h"

namespace tidal::cluster {

struct ReplicaSimPlan {
    std::uint64_t seed = 1;
    int steps = 900;
    /// A bug of the client, planted: its repeats have another key. Has to be found.
    bool new_key_per_try = false;
};

struct ReplicaSimResult {
    std::string failure;  ///< Empty = every promise was kept.
    std::uint64_t keys = 0, tries = 0, acknowledged = 0, repeated = 0, promised = 0;
    std::uint64_t refused = 0, unknown = 0, on_all = 0;
    std::uint64_t strong_reads = 0, session_reads = 0;
    std::uint64_t leaders = 0, snapshots = 0, hashes = 0;
    ReplicaFaults faults;
    std::uint64_t virtual_ns = 0;
    std::uint64_t trace = 0;  ///< The same seed gives the same.
};

ReplicaSimResult simulate_replicas(const ReplicaSimPlan& plan);

}  // namespace tidal::cluster
