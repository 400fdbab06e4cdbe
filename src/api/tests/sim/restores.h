// One database that is alone, from one seed: its users leave personal state (people.h), the power
// goes, disks fail, executors stall, checkpoints and backups are made whenever it may be; and now
// and then a backup, of a while ago or of one that was left behind, takes its place on another
// machine, where all goes on. What was acknowledged before the backup was begun is there, what was
// sent after it is not, and all that is personal equals a model of the log: when it was restored
// and at the end.
#pragma once

#include <cstdint>
#include <string>

#include "api/tests/sim/people.h"

namespace tidal::api {

struct RestoresResult {
    std::string failure;  ///< Empty = every promise was kept.
    std::uint64_t deaths = 0, checkpoints = 0, failed_syncs = 0, stalls = 0;
    std::uint64_t backups = 0, backups_failed = 0;
    std::uint64_t restores = 0, restores_cut = 0;  ///< Of those: by the power, and made again.
    std::uint64_t other_pasts = 0;                 ///< Of a past that had been left behind.
    std::uint64_t under_way = 0;  ///< Restores with effects on their way between shards.
    PeopleCounts people;
    std::uint64_t virtual_ns = 0;
    std::uint64_t trace = 0;  ///< The same seed gives the same.
};

RestoresResult run_restores(std::uint64_t seed);

}  // namespace tidal::api
