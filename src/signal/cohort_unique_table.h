// signal/cohort_unique_table.h: distinct users of each cohort per (item, signal).
// Why: docs/decisions/0040-cohorts.md. Format: docs/formats/ledger.md.
#pragma once

#include <memory>
#include <span>

#include "signal/unique_table.h"

namespace tidal::signal {

/// Counts as UniqueTable does, for each (cohort, item, signal): of a cohort of everybody the same
/// to the bit. State depends only on the sequence of calls. Threads: one at a time.
class CohortUniqueTable {
public:
    struct Options {
        /// Of users kept, and of which pairs there are. What needs more is not counted
        /// (Stats::refused).
        std::uint64_t bytes_max = 256ULL << 20;
    };
    static Result<std::unique_ptr<CohortUniqueTable>> open(const Options& options,
                                                           storage::ShardStore& store);
    virtual ~CohortUniqueTable() = default;
    virtual void set_bytes_max(std::uint64_t bytes_max) = 0;

    /// @param window     Over which the schema counts the signal's users; always the same one.
    /// @param user_hash  XXH3-64 of the user's id.
    virtual Result<void> add(Slot slot, std::span<const CohortId> cohorts, SignalTypeId signal,
                             schema::Window window, std::uint64_t user_hash, UnixMillis at_ms) = 0;
    /// Users in the window as of now.
    virtual double estimate(Slot slot, CohortId cohort, SignalTypeId signal, schema::Window window,
                            UnixMillis now_ms) const = 0;
    virtual void drop(Slot slot) = 0;
    virtual void prepare_checkpoint() = 0;
    /// 0 = nobody.
    virtual std::uint64_t content_hash(Slot slot) const = 0;
    virtual UniqueTable::Stats stats() const = 0;

    /// Fetches what add() reads of an item, one after the other: where its pairs are listed, the
    /// list.
    virtual void prefetch_place(Slot slot) const = 0;
    virtual void prefetch_pairs(Slot slot) const = 0;
};

}  // namespace tidal::signal
