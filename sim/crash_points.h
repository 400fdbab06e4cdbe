// sim/crash_points.h: one short life of a node, ended at every operation of its disk.
#pragma once

#include <cstdint>
#include <string>

namespace tidal::sim {

struct CrashPointsOptions {
    std::uint64_t seed = 1;
    std::uint16_t shards = 2;
    int writes = 30;
};

struct CrashPointsReport {
    std::string failure;           ///< Empty = every check held; else with operation and ending.
    std::uint64_t operations = 0;  ///< Mutating ones of the whole life: each was a crash point.
    std::uint64_t endings = 0;     ///< Lives that went on from a crash, over all points.
};

/// The life: a directory is made, one client's writes (items, signals, undos, deletes; effects for
/// the other shards), two checkpoints, several log files, a clean stop. A first run counts the
/// operations that change the disk. Then, for every one of them, a fresh node dies there, and goes
/// on from each of several things the disk may have kept (nothing unsynced, all of it, random
/// sectors and names, a torn prefix). Checked every time:
///   - the directory opens and starts;
///   - what was acknowledged is there, at most the one unanswered write beyond it;
///   - after the client repeated that write under its key and sent some more, all counts are exact;
///   - another restart has the same content hash.
CrashPointsReport run_crash_points(const CrashPointsOptions& options);

}  // namespace tidal::sim
