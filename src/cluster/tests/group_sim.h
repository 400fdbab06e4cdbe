// Nodes with two groups each, over the real log, host and wire form, on one virtual timeline: every
// fault at once, from one seed, and the promises checked at every event.
#pragma once

#include <cstdint>
#include <string>

namespace tidal::cluster {

struct GroupSimPlan {
    std::uint64_t seed = 1;
    int steps = 1500;
    // Bugs of the caller or the disk, planted: each has to be found.
    bool forget_terms = false;  ///< A start finds neither term nor vote.
    bool lying_disk = false;    ///< What was synced is lost in a crash, in part.
};

struct GroupSimResult {
    std::string failure;  ///< Empty = every promise was kept.
    std::uint64_t elections = 0, committed = 0, acknowledged = 0, superseded = 0, reads = 0;
    std::uint64_t installs = 0, crashes = 0, full_disks = 0, failed_syncs = 0, changes = 0;
    std::uint64_t virtual_ms = 0;
    std::uint64_t trace = 0;  ///< The same seed gives the same.
};

GroupSimResult simulate_groups(const GroupSimPlan& plan);

}  // namespace tidal::cluster
