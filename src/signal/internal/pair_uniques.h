// signal/internal/pair_uniques.h: UniqueTable over a SlabHeap, by a directory of each signal.
//
// Time      slices of an eighth of the window, numbered from the epoch. All pairs of a signal keep
//           the newest slice of the signal (of its newest event) and 9 before it; an event older
//           than that is not kept, for no query can see it.
// Budget    as of UserBlocks. Each add also looks at a few directory entries in turn and frees what
//           has passed out of the window, so that room comes back without a clock.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "signal/internal/slot_directory.h"
#include "signal/internal/user_blocks.h"
#include "signal/unique_table.h"

namespace tidal::signal {

class PairUniques final : public UniqueTable {
public:
    PairUniques(const Options& options, storage::ShardStore& store);
    Result<void> load(const schema::Schema& schema);

    void set_schema(const schema::Schema& schema) override;
    Result<void> add(Slot slot, SignalTypeId signal, std::uint64_t user_hash,
                     UnixMillis at_ms) override;
    Result<double> estimate(Slot slot, SignalTypeId signal, UnixMillis now) override;
    void drop(Slot slot) override;
    void prepare_checkpoint() override;
    Result<std::uint64_t> content_hash(Slot slot) override;
    Stats stats() const override;

private:
    struct Signal {
        std::int64_t slice_ms;  ///< 0 = no uniques declared.
        std::optional<UnixMillis> newest;
        SlotDirectory directory;
        std::int64_t newest_slice() const;
    };
    struct Place {
        Slot slot;
        std::size_t signal;
    };

    /// Forgets slices out of the window. False = nothing is left and the pair is gone.
    bool advance(Place place, BlockHandle block);
    void clear(Place place);
    void sweep();

    const Options options_;
    storage::ShardStore& store_;
    const std::string prefix_;
    SlabHeap heap_;
    UserBlocks users_;
    std::vector<Signal> signals_;
    // Where the next sweep looks.
    std::uint64_t sweep_signal_ = 0, sweep_slot_ = 0;
};

}  // namespace tidal::signal
