// sim/node_life.h: many lives of one node under writes, crashes, full disks and failed syncs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace tidal::sim {

struct NodeLifeOptions {
    std::uint64_t seed = 1;
    std::uint16_t shards = 1;
    int lives = 4;  ///< The node crashes at the end of each but the last.
    int clients = 4;
    int writes_per_client = 60;
    std::uint64_t burst_max = 24;  ///< Signals of one call.
    bool full_disk = true;         ///< The disk fills up and is freed now and then.
    bool failed_sync = true;       ///< Some lives end by a failed fsync instead of a power cut.
    bool clock_jumps = true;
};

struct NodeLifeReport {
    std::string failure;           ///< Empty = every check held.
    std::uint64_t final_hash = 0;  ///< The same for the same options.
    int crashes = 0;
    std::uint64_t acknowledged = 0, retried = 0, refused_full = 0;
    std::uint64_t let_in = 0;  ///< Times that others came in between slices of a batch.
    std::uint64_t reads = 0, reads_between = 0;  ///< ...that saw a part of a call.
};

/// Clients write with idempotency keys, each to items of its own, and repeat what was not answered,
/// also after a crash. Batches are applied in slices of a few records, between which others come in
/// (decision 55): at every read an item has what was acknowledged, and no more than was sent. At
/// the end, and after a restart with and without a clean stop:
///   - every acknowledged write is there, every write took effect exactly once (items and, through
///     the relay, creators);
///   - the content hash is the same before and after the restarts.
NodeLifeReport run_node_life(const NodeLifeOptions& options);

}  // namespace tidal::sim
