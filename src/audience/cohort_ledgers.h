// audience/cohort_ledgers.h: what users of each cohort did with the items of one shard lately.
// Format: docs/formats/audience_rows.md. Why: docs/decisions/0040-cohorts.md.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "audience/internal/row_backlog.h"
#include "audience/internal/slot_table.h"
#include "base/hlc.h"
#include "base/ids.h"
#include "base/prefetch.h"
#include "record/record.h"
#include "schema/schema.h"
#include "storage/shard_store.h"

namespace tidal::audience {

/// Hours since 1970 in which events happened.
using CohortHour = std::int64_t;
inline constexpr UnixMillis kCohortHourMs = 3'600'000;
/// Full hours that are kept, beside the current one: those of the window 7d.
inline constexpr CohortHour kCohortHours = 7 * 24;

struct CohortCell {
    CohortHour hour = 0;
    std::int64_t count = 0;
    record::FixedWeight sum = 0;
    bool operator==(const CohortCell&) const = default;
};
/// Of one item, cohort and signal.
struct CohortPair {
    CohortId cohort;
    SignalTypeId signal;
    std::vector<CohortCell> cells;  ///< By hour; one at least; none is all 0.
    bool operator==(const CohortPair&) const = default;
};
/// Of one item, by cohort and signal.
using CohortPairs = std::vector<CohortPair>;

std::string encode_cohort_pairs(const CohortPairs& pairs);
/// kCorruption for what encode_cohort_pairs() does not write.
Result<CohortPairs> decode_cohort_pairs(std::string_view bytes);

/// Ledgers by (cohort, item, signal) in cells of an hour, as far back as the window 7d reaches;
/// what is older is gone. Above the budget whole hours go, the oldest first and of all cohorts;
/// where one hour alone is above it, its further cells are left out and counted. What is in memory
/// is the state; rows follow it with checkpoints. Errors are the store's. Threads: one at a time.
class CohortLedgers {
public:
    struct Options {
        std::uint64_t bytes_max = 256ULL << 20;  ///< As stats().bytes counts.
    };
    struct Event {
        SignalTypeId signal;
        record::FixedWeight weight = 0;
        std::int32_t count = 1;  ///< -1 takes an earlier event back.
        UnixMillis at_ms = 0;
    };
    struct Sum {
        std::int64_t count = 0;
        record::FixedWeight sum = 0;
        bool operator==(const Sum&) const = default;
    };
    static Result<std::unique_ptr<CohortLedgers>> open(const Options& options,
                                                       storage::ShardStore& store);

    /// What is too much then goes with the next event.
    void set_bytes_max(std::uint64_t bytes_max) { options_.bytes_max = bytes_max; }
    /// @param now_ms  Of the commit; never falls.
    void count(Slot slot, std::span<const CohortId> cohorts, const Event& event, UnixMillis now_ms);
    void drop_item(Slot slot);

    static constexpr bool keeps(schema::Window window) {
        return window == schema::Window::k24h || window == schema::Window::k7d;
    }
    /// Of many items: the current partial hour and the full ones of the window before it.
    /// @param window  One that is kept.  @param out  As long as `slots`.
    void read(CohortId cohort, SignalTypeId signal, schema::Window window,
              std::span<const Slot> slots, UnixMillis now_ms, std::span<Sum> out) const;
    /// Whether any cohort has, or lately had, cells of an item.
    bool holds(Slot slot) const { return find(slot) != nullptr; }
    /// Of all items and signals of a cohort, in 7d.
    std::int64_t events(CohortId cohort, UnixMillis now_ms) const;
    /// Hours before are gone: by age, or for want of memory.
    CohortHour first_hour() const { return first_hour_; }

    /// Puts what is no item's into the store; right before a checkpoint begins.
    void prepare_checkpoint();
    /// Right after it began: what has changed belongs to it.
    void freeze_rows() { backlog_.freeze(); }
    /// Writes some rows of the checkpoint under way, of so many bytes, each kRowCost more. True
    /// when none is left.
    bool write_frozen_rows(std::size_t cost_max = kAllRows);
    /// 0 = none.
    std::uint64_t content_hash(Slot slot) const;

    /// Fetches what count() reads of an item, one after the other, some items later each: its
    /// place, what is there.
    TIDAL_PREFETCHES void prefetch_place(Slot slot) const { items_.prefetch(slot); }
    TIDAL_PREFETCHES void prefetch_cells(Slot slot) const {
        const Item* const item = items_.find(slot);
        if (item == nullptr) return;
        const auto* const cells = item->cells.data();
        constexpr std::size_t kPerLine = 64 / sizeof(Cell), kLinesMax = 8;
        // One more, where a new cell moves the last.
        const std::size_t end = std::min(item->cells.size() + 1, kPerLine * kLinesMax);
        for (std::size_t at = 0; at < end; at += kPerLine) __builtin_prefetch(cells + at, 1);
    }

    struct Stats {
        std::uint64_t items = 0;  ///< Those whose cells are all gone until they are met.
        std::uint64_t cells = 0;
        std::uint64_t bytes = 0;    ///< Estimated from the cells.
        std::uint64_t refused = 0;  ///< Events left out for want of memory, since the start.
    };
    Stats stats() const;

private:
    /// With what it is of, so that those of an item lie side by side.
    struct Cell {
        CohortId cohort;
        SignalTypeId signal;
        CohortHour hour = 0;
        std::int64_t count = 0;
        record::FixedWeight sum = 0;
    };
    using Key = std::tuple<CohortId, SignalTypeId, CohortHour>;
    static Key key_of(const Cell& cell) { return {cell.cohort, cell.signal, cell.hour}; }
    /// Half a line of the cache.
    struct alignas(32) Item {
        std::vector<Cell> cells;  ///< By key; some may be of hours that are gone.
        RowMark mark;
        bool is_there = false;  ///< False = none.
    };
    using Hours = std::map<CohortHour, std::int64_t>;

    CohortLedgers(const Options& options, storage::ShardStore& store)
        : options_(options), store_(store) {}
    Result<void> load();
    void load_item(Slot slot, const CohortPairs& pairs);
    Item& item(Slot slot);
    /// nullptr = none.
    Item* find(Slot slot);
    const Item* find(Slot slot) const { return const_cast<CohortLedgers*>(this)->find(slot); }
    /// Before a change.
    void touch(Slot slot, Item* item);
    /// @return bytes of the row.
    std::size_t write(Slot slot, const Item& item);
    void erase(Slot slot);
    void forget_before(CohortHour hour);
    /// Whether one more cell fits, once older hours have made room for it.
    bool make_room(CohortHour hour);
    void count_one(Item& item, const Key& key, const Event& event);
    /// That a cell is there, or (-1) no longer.
    void tally_cell(CohortHour hour, int sign);
    void tally_events(CohortId cohort, CohortHour hour, std::int64_t count);
    /// Frees cells of hours that are gone, of a few items in turn: more than one event adds.
    void sweep();
    /// Cells of an item from an hour on.
    static CohortPairs pairs_of(const Item& item, CohortHour first);

    Options options_;
    storage::ShardStore& store_;
    SlotTable<Item, 1 << 16> items_;
    std::uint64_t item_count_ = 0;
    std::size_t swept_ = 0;     ///< In items_, the next to sweep.
    std::size_t to_sweep_ = 0;  ///< So many may have cells of hours that are gone.
    CohortHour first_hour_ = 0;
    std::map<CohortHour, std::uint64_t> cells_;  ///< How many each hour has.
    std::uint64_t cell_count_ = 0;
    absl::flat_hash_map<CohortId, Hours> events_;
    RowBacklog<Slot> backlog_;
    std::uint64_t refused_ = 0;
};

}  // namespace tidal::audience
