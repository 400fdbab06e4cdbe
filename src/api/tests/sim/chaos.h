// Whole databases as a cluster under everything at once, from one seed: nodes die, stall and come
// back, clocks lie, links are cut, lossy and repeating, leaders move, members come and go
// (churn.h); clients write through any node, one signal or many in a call, and read from any, at
// every consistency, also between slices of a batch; users leave personal state (people.h). At the
// end: what was acknowledged is there, everything once, the same on all nodes and, of users, the
// same as a model of the logs says; and the members are those that were asked for.
#pragma once

#include <cstdint>
#include <string>

#include "api/tests/sim/churn.h"
#include "api/tests/sim/people.h"

namespace tidal::api {

struct ChaosResult {
    std::string failure;  ///< Empty = every promise was kept.
    std::uint64_t writes = 0, answered = 0, acknowledged = 0;
    std::uint64_t strong_reads = 0, bounded_reads = 0, eventual_reads = 0, token_reads = 0;
    std::uint64_t deaths = 0, pauses = 0, stalls = 0, failed_syncs = 0, clock_faults = 0;
    std::uint64_t partitions = 0, wiped = 0;
    std::uint64_t batches = 0, between_slices = 0;  ///< Things done where a batch was half applied.
    ChurnCounts churn;
    PeopleCounts people;
    std::uint64_t whole_exports = 0;  ///< Of nodes that no snapshot brought up to date.
    std::uint64_t virtual_ns = 0;
    std::uint64_t trace = 0;  ///< The same seed gives the same.
};

ChaosResult run_chaos(std::uint64_t seed);

}  // namespace tidal::api
