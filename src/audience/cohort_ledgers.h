// audience/cohort_ledgers.h: what users of each cohort did with the items of one shard lately.
// Format: docs/formats/audience_rows.md. Why: docs/decisions/0040-cohorts.md.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
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
/// is the state; rows follow it, at the latest with a checkpoint. Errors are the store's. Threads:
/// one at a time.
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
    /// Of all items and signals of a cohort, in 7d.
    std::int64_t events(CohortId cohort, UnixMillis now_ms) const;
    /// Hours before are gone: by age, or for want of memory.
    CohortHour first_hour() const { return first_hour_; }

    /// Writes rows of what changed, the longest unwritten first, until so many are left.
    void write_rows(std::size_t left);
    void prepare_checkpoint();
    /// 0 = none.
    std::uint64_t content_hash(Slot slot) const;

    struct Stats {
        std::uint64_t items = 0;  ///< Those whose cells are all gone until they are met.
        std::uint64_t cells = 0;
        std::uint64_t bytes = 0;    ///< Estimated from the cells.
        std::uint64_t refused = 0;  ///< Events left out for want of memory, since the start.
    };
    Stats stats() const;

private:
    struct Item {
        Slot slot;
        CohortPairs pairs;  ///< Some cells may be of hours that are gone.
        bool unwritten = false;
    };
    using Hours = std::map<CohortHour, std::int64_t>;

    CohortLedgers(const Options& options, storage::ShardStore& store)
        : options_(options), store_(store) {}
    Result<void> load();
    Item& item(Slot slot);
    const Item* find(Slot slot) const;
    void erase(std::size_t at);
    void forget_before(CohortHour hour);
    /// Whether one more cell fits, once older hours have made room for it.
    bool make_room(CohortHour hour);
    void count_one(Item& item, CohortId cohort, CohortHour hour, const Event& event);
    /// What a cell adds to its hour and to its cohort; @param sign  -1 = it goes.
    void tally(CohortId cohort, const CohortCell& cell, int sign);
    /// Frees cells of hours that are gone, of a few items in turn: more than one event adds.
    void sweep();
    CohortPairs kept(const CohortPairs& pairs) const;

    const Options options_;
    storage::ShardStore& store_;
    std::vector<Item> items_;
    absl::flat_hash_map<Slot, std::size_t> places_;  ///< In items_.
    std::size_t swept_ = 0;                          ///< Likewise, the next to sweep.
    CohortHour first_hour_ = 0;
    std::map<CohortHour, std::uint64_t> cells_;  ///< How many each hour has.
    std::uint64_t cell_count_ = 0;
    std::map<CohortId, Hours> events_;
    std::deque<Slot> unwritten_;  ///< May name items that are gone.
    std::uint64_t refused_ = 0;
};

}  // namespace tidal::audience
