// signal/internal/cohort_uniques.h: CohortUniqueTable over a SlabHeap.
//
// Place     an item has one block with its pairs, by cohort and signal, and where the users of each
//           are: what one event touches of its item lies together, and nothing is made for cohorts
//           and signals that never meet.
// Time      as in PairUniques: of each signal the newest slice, and 9 before it.
// Budget    of users and lists of pairs. Each user who is added also looks at two pairs in turn and
//           frees what has passed out of the window: more than the user can have made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "signal/cohort_unique_table.h"
#include "signal/internal/slot_directory.h"
#include "signal/internal/user_blocks.h"

namespace tidal::signal {

class CohortUniques final : public CohortUniqueTable {
public:
    CohortUniques(const Options& options, storage::ShardStore& store);
    Result<void> load();

    void set_bytes_max(std::uint64_t bytes_max) override { users_.set_bytes_max(bytes_max); }
    Result<void> add(Slot slot, std::span<const CohortId> cohorts, SignalTypeId signal,
                     schema::Window window, std::uint64_t user_hash, UnixMillis at_ms) override;
    double estimate(Slot slot, CohortId cohort, SignalTypeId signal, schema::Window window,
                    UnixMillis now_ms) const override;
    void drop(Slot slot) override;
    void prepare_checkpoint() override;
    std::uint64_t content_hash(Slot slot) const override;
    UniqueTable::Stats stats() const override;
    void prefetch_place(Slot slot) const override { directory_.prefetch(slot); }
    void prefetch_pairs(Slot slot) const override;

private:
    /// On disk.
    struct Pair {
        std::uint32_t cohort;
        std::uint16_t signal;
        std::uint16_t zero;
        BlockHandle users;  ///< Never 0.
    };
    static_assert(sizeof(Pair) == 12, "on disk");
    struct Pairs {
        std::uint32_t count;
        std::uint32_t zero;
        // Then so many pairs, by cohort and signal.
    };
    static_assert(sizeof(Pairs) == 8, "on disk");
    struct Key {
        std::uint32_t cohort;
        std::uint16_t signal;
        auto operator<=>(const Key&) const = default;
    };
    /// A user in a slice.
    struct Seen {
        std::uint64_t user;
        std::int64_t newest_slice;
        unsigned slice;
    };
    static constexpr std::size_t kPairsMax =
        (SlabHeap::kBlockBytesMax - sizeof(Pairs)) / sizeof(Pair);
    static std::size_t bytes_for(std::size_t pairs) { return sizeof(Pairs) + pairs * sizeof(Pair); }

    /// Empty for 0.
    std::span<const Pair> pairs_in(BlockHandle block) const;
    Pair* changed_pairs(BlockHandle block) {
        return reinterpret_cast<Pair*>(heap_.write(block) + sizeof(Pairs));
    }
    /// Where a key is, or would be.
    static std::size_t place_of(std::span<const Pair> pairs, Key key);
    static bool is_at(std::span<const Pair> pairs, std::size_t at, Key key);

    Result<void> add_one(Slot slot, Key key, const Seen& seen);
    Result<void> add_to_pair(Slot slot, std::size_t at, const Seen& seen);
    /// False = no room.
    Result<bool> insert(Slot slot, std::size_t at, Key key, BlockHandle users);
    Result<BlockHandle> larger(BlockHandle block, std::size_t pairs);
    void remove(Slot slot, std::size_t at);
    void forget_place(Slot slot);
    void sweep();

    storage::ShardStore& store_;
    SlabHeap heap_;
    UserBlocks users_;
    SlotDirectory directory_;
    std::vector<std::optional<std::int64_t>> newest_slices_;  ///< By signal.
    // Where the next sweep looks.
    std::uint64_t sweep_slot_ = 0, sweep_pair_ = 0;
};

}  // namespace tidal::signal
