// audience/co_engagement.h: which items the same users liked one after the other.
// Format: docs/formats/audience_rows.md. Why: docs/decisions/0036-co-engagement.md.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "audience/internal/neighbour_list.h"
#include "audience/internal/row_backlog.h"
#include "audience/internal/slot_table.h"
#include "storage/shard_store.h"

namespace tidal::audience {

std::string encode_neighbours(const Neighbours& neighbours);
/// kCorruption for what encode_neighbours() does not write.
Result<Neighbours> decode_neighbours(std::string_view bytes);

/// Of the items of one shard, by slot. What is in memory is the state; rows follow it with
/// checkpoints. Errors are the store's. Threads: one at a time.
class CoEngagement {
public:
    struct Options {
        std::uint64_t bytes_max = 1ULL << 30;  ///< As stats().bytes counts.
    };
    static Result<std::unique_ptr<CoEngagement>> open(const Options& options,
                                                      storage::ShardStore& store);

    /// What is there stays.
    void set_bytes_max(std::uint64_t bytes_max) { options_.bytes_max = bytes_max; }
    /// As NeighbourList::count(). At or above the budget new neighbours are left out, and counted.
    void count(Slot slot, std::span<const EntityId> others, double likes, UnixMillis at_ms);
    void drop_item(Slot slot);
    /// nullptr = none. Valid until the next change.
    const NeighbourList* find(Slot slot) const;

    /// Right after a checkpoint began: what has changed belongs to it.
    void freeze_rows() { backlog_.freeze(); }
    /// Writes some rows of the checkpoint under way, of so many bytes, each kRowCost more. True
    /// when none is left.
    bool write_frozen_rows(std::size_t cost_max = kAllRows);
    /// 0 = none.
    std::uint64_t content_hash(Slot slot) const;

    /// Fetches what count() reads of an item, one after the other, some items later each: its list,
    /// what is in the list.
    TIDAL_PREFETCHES void prefetch_list(Slot slot) const { items_.prefetch(slot); }
    TIDAL_PREFETCHES void prefetch_items(Slot slot) const {
        if (const Item* const item = items_.find(slot)) item->neighbours.prefetch();
    }

    struct Stats {
        std::uint64_t items = 0, pairs = 0;
        std::uint64_t bytes = 0;  ///< Of lists as they lie in memory, and 32 an item for its place.
        std::uint64_t refused = 0;  ///< Neighbours left out for want of memory, since the start.
    };
    Stats stats() const;

private:
    struct Item {
        NeighbourList neighbours;
        RowMark mark;
        bool is_there = false;  ///< False = none.
    };
    /// Of an item in stats(), which decide what is refused: the same in every build.
    static constexpr std::uint64_t kItemBytes = 80;
    CoEngagement(const Options& options, storage::ShardStore& store)
        : options_(options), store_(store) {}
    /// nullptr = none.
    Item* find_item(Slot slot);
    /// @return bytes of the row.
    std::size_t write(Slot slot, const Item& item);
    /// What an item counts in stats(); @param sign  -1 = it is about to change, or goes.
    void tally(const Item& item, int sign);

    Options options_;
    storage::ShardStore& store_;
    SlotTable<Item, 16> items_;  ///< Few are liked together with others.
    RowBacklog<Slot> backlog_;
    std::uint64_t item_count_ = 0, pairs_ = 0;
    std::uint64_t list_bytes_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace tidal::audience
