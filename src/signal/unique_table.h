// signal/unique_table.h: distinct users per (entity, signal) over the declared window.
#pragma once

#include <memory>

#include "signal/ledger_table.h"

namespace tidal::signal {

/// Exact to 256 users, then HyperLogLog with p = 12 (Flajolet et al. 2007) in slices of window / 8:
/// the current partial slice and 8 full ones. An event older than the newest event of its signal by
/// more than that is not kept. State depends only on the sequence of calls. Threads: one at a time.
class UniqueTable {
public:
    struct Options {
        EntityKind kind = EntityKind::kItem;
        RegionId origin = kFirstRegion;
        /// Of users kept. An `add` that needs more is not counted (Stats::refused); same
        /// everywhere.
        std::uint64_t bytes_max = 1ULL << 30;
    };
    static Result<std::unique_ptr<UniqueTable>> open(const Options& options,
                                                     storage::ShardStore& store,
                                                     const schema::Schema& schema);
    virtual ~UniqueTable() = default;
    virtual void set_schema(const schema::Schema& schema) = 0;
    /// `user_hash`: XXH3-64 of the user's id. No-op for signals without `unique`.
    virtual Result<void> add(Slot slot, SignalTypeId signal, std::uint64_t user_hash,
                             UnixMillis at_ms) = 0;
    /// Users in the window as of now; 0 for signals without `unique`.
    virtual Result<double> estimate(Slot slot, SignalTypeId signal, UnixMillis now) = 0;
    virtual void drop(Slot slot) = 0;
    virtual void prepare_checkpoint() = 0;
    virtual Result<std::uint64_t> content_hash(Slot slot) = 0;

    struct Stats {
        std::uint64_t bytes_kept = 0;  ///< Of users; at most Options::bytes_max.
        std::uint64_t bytes = 0;       ///< Of pages, with directories and holes.
        std::uint64_t refused = 0;     ///< Adds that found no room, ever.
    };
    virtual Stats stats() const = 0;
};

}  // namespace tidal::signal
