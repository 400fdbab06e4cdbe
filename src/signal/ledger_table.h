// signal/ledger_table.h: decayed scores, totals and windows of every (entity, signal) pair of one
// kind, one origin region, one shard. Formulas: semantics.md §2 as in docs/reference/signals.md.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "record/record.h"
#include "schema/schema.h"
#include "storage/shard_store.h"

namespace tidal::signal {

struct LedgerEvent {
    Slot slot;
    SignalTypeId signal;
    record::FixedWeight weight = 0;
    std::int32_t count = 1;  ///< -1 takes an earlier event back: same weight negated, same `at`.
    UnixMillis at_ms = 0;
};

struct WindowValue {
    std::int64_t count = 0;
    record::FixedWeight sum = 0;
};

/// Everything known of one pair as of `now`.
struct LedgerReading {
    double decayed = 0;
    WindowValue windows[schema::kWindowCount];     ///< By schema::Window; kAll = totals.
    double velocity(schema::Window window) const;  ///< sum per second; 0 for kAll.
    double acceleration(schema::Window shorter,
                        schema::Window longer) const;  ///< 0 where the longer is 0.
};

/// Threads: one at a time (the shard is a monitor). Determinism: state depends only on the sequence
/// of calls, never on batch sizes, on what was evicted, or on the SIMD target.
class LedgerTable {
public:
    struct Options {
        EntityKind kind = EntityKind::kItem;
        RegionId origin = kFirstRegion;
        std::uint64_t resident_bytes_max = 4ULL
                                           << 30;  ///< Above it the coldest pairs move to rows.
    };
    /// Loads what the store's checkpoint holds. The store must outlive the table.
    static Result<std::unique_ptr<LedgerTable>> open(const Options& options,
                                                     storage::ShardStore& store,
                                                     const schema::Schema& schema);
    virtual ~LedgerTable() = default;

    /// New signals appended by an addition to the schema.
    virtual void set_schema(const schema::Schema& schema) = 0;

    /// Applies in order; prefetches ahead, so pass many at once. kIo or kCorruption only when a
    /// cold pair must be folded and cannot be read, kOverloaded when page memory is full: the
    /// events before the one at fault are applied, that one and those after it are not.
    virtual Result<void> apply(std::span<const LedgerEvent> events) = 0;

    virtual Result<LedgerReading> read(Slot slot, SignalTypeId signal, UnixMillis now) = 0;
    /// The decayed scores / window values of many slots: out.size() == slots.size(). 0 for pairs
    /// without events. Cheaper than `read`: for scoring blocks of candidates.
    virtual Result<void> read_decayed(SignalTypeId signal, std::span<const Slot> slots,
                                      UnixMillis now, std::span<double> out) = 0;
    virtual Result<void> read_window(SignalTypeId signal, schema::Window window,
                                     std::span<const Slot> slots, UnixMillis now,
                                     std::span<WindowValue> out) = 0;

    /// Sets marks[i] to 1 where the decayed score / the window of slots[i] may rise by time alone:
    /// where cells that are still to leave it, or the score itself, are below 0. Of `kAll` and a
    /// permanent decay, which time does not move: where they are below 0. Leaves the other marks.
    virtual Result<void> mark_negative_decay(SignalTypeId signal, std::span<const Slot> slots,
                                             UnixMillis now, std::span<std::uint8_t> marks) = 0;
    virtual Result<void> mark_negative_window(SignalTypeId signal, schema::Window window,
                                              std::span<const Slot> slots, UnixMillis now,
                                              std::span<std::uint8_t> marks) = 0;

    /// Forgets every pair of a slot (its entity was deleted).
    virtual void drop(Slot slot) = 0;
    /// Writes what is not in pages (directories, landmarks) to rows; call right before
    /// begin_checkpoint.
    virtual void prepare_checkpoint() = 0;
    /// Moves the coldest pairs to rows until the budget holds, and gives sparse pages back, in
    /// slices: about `steps_max` slots looked at, a pair moved counting as kStepsPerMove of them.
    /// True when nothing is left to do; else call again, whatever happened in between. Begin after
    /// a checkpoint.
    virtual Result<bool> evict(std::size_t steps_max = std::numeric_limits<std::size_t>::max()) = 0;
    static constexpr std::size_t kStepsPerMove = 32;
    /// Hash of the normalised values of one slot: equal for equal histories in log order.
    virtual Result<std::uint64_t> content_hash(Slot slot) = 0;

    /// Whether an event of the signal ever took anything away: by a weight below 0, or by taking
    /// another back, after which a decayed score may lie below 0 by what was rounded. Until then
    /// there is nothing that mark_negative_* would find. Kept in checkpoints.
    virtual bool had_negative_weight(SignalTypeId signal) const = 0;

    struct Stats {
        std::uint64_t pairs_resident = 0, pairs_cold = 0, bytes = 0;
    };
    virtual Stats stats() const = 0;
};

}  // namespace tidal::signal
