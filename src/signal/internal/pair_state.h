// signal/internal/pair_state.h: what is known of one (entity, signal) pair, spelled out.
//
// The block in memory (pair_block.h) is this in few bytes; a change that does not fit the block's
// fast paths goes through here. Reused as scratch: no allocation once warm.
#pragma once

#include <vector>

#include "signal/internal/cell_codec.h"
#include "signal/internal/decay.h"
#include "signal/ledger_table.h"

namespace tidal::signal {

/// Invariants after `fold`: `cells` are newest first, no two of one place, none empty, none of the
/// minute of `head`, each in the tier that its age gives; a function of the events and `head`
/// alone.
struct PairState {
    double a = 0;         ///< Exponential; see decay.h.
    UnixMillis head = 0;  ///< Time of the newest event; never goes back.
    WindowValue total;
    WindowValue minute;              ///< Of the minute of `head`.
    record::FixedWeight bucket = 0;  ///< Linear: of the bucket of `head`.
    std::vector<Cell> cells;
    std::vector<Cell> buckets;  ///< Linear: older ones, newest first; only sums.

    void clear();
    /// One event, to a state folded or not. `first` = nothing is known of the pair yet.
    void apply(const DecayRule& rule, const LedgerEvent& event, bool first);
    /// Brings every cell to the tier its age gives.
    void fold(const DecayRule& rule);

private:
    void advance(const DecayRule& rule, UnixMillis at);
    void add_cell(UnixMillis at, std::int64_t count, record::FixedWeight sum);
    void add_bucket(const DecayRule& rule, UnixMillis at, record::FixedWeight sum);
};

inline void add_to(WindowValue& value, std::int64_t count, record::FixedWeight sum) {
    value.count = wrap_add(value.count, count);
    value.sum = wrap_add(value.sum, sum);
}

}  // namespace tidal::signal
