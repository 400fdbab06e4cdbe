// tests/simulation.h: one run of a cluster with faults, from one seed.
#pragma once

#include "raft/tests/checker.h"

namespace tidal::raft {

struct SimulationResult {
    std::string failure;  ///< Empty: every promise was kept.
    std::uint64_t steps = 0, elections = 0, committed = 0, reads = 0, installs = 0, crashes = 0;
    std::uint64_t member_changes = 0, transfers = 0;
    std::uint64_t trace = 0;  ///< The same for the same seed.
};

struct SimulationPlan {
    std::uint64_t seed = 1;
    std::uint32_t steps = 2000;
    bool forget_votes = false;  ///< Planted bugs of the caller (Cluster).
    bool report_early = false;
};

/// 3 to 5 voters of 7 replicas. Every step is one of: a tick, a delivery (in any order, sometimes
/// twice, sometimes never), a write done, a crash (what is being written is lost from some point
/// on), a start, a cut or heal, a proposal, a read, a change of members, a transfer, a compaction.
/// At the end everything heals: a leader must appear, all must agree, and what was acknowledged
/// must be there.
SimulationResult simulate(const SimulationPlan& plan);

}  // namespace tidal::raft
