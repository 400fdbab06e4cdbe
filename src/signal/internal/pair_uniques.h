// signal/internal/pair_uniques.h: UniqueTable over a SlabHeap.
//
// Time      slices of an eighth of the window, numbered from the epoch. All pairs of a signal keep
//           the newest slice of the signal (of its newest event) and 9 before it; an event older
//           than that is not kept, for no query can see it.
// Budget    bytes of blocks, which are a function of the sequence of calls alone. An add that needs
//           more than is left is refused and counted: the pair's users stop growing, updates that
//           need no room go on. Each add also looks at a few directory entries in turn and frees
//           what has passed out of the window, so that room comes back without a clock.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "signal/hyperloglog.h"
#include "signal/internal/slot_directory.h"
#include "signal/internal/user_list.h"
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

    bool has_room(std::size_t bytes) const;
    const UserHead& head_of(BlockHandle block) const {
        return *reinterpret_cast<const UserHead*>(heap_.read(block));
    }
    UserForm form_of(BlockHandle block) const { return head_of(block).form; }
    UserList list_of(BlockHandle block) { return {heap_.write(block), heap_.capacity(block)}; }

    Result<void> add_to_list(Place place, BlockHandle block, std::uint64_t user, unsigned slice);
    Result<void> add_to_new(Place place, std::uint64_t user, unsigned slice);
    Result<BlockHandle> enlarge(Place place, BlockHandle block);
    /// Turns the list into sketches; nullopt when the budget does not allow it.
    Result<std::optional<BlockHandle>> to_sketches(Place place, BlockHandle block);
    Result<void> add_to_slice(BlockHandle block, std::uint64_t user, unsigned slice);
    /// Forgets slices out of the window. False = nothing is left and the pair is gone.
    bool advance(Place place, BlockHandle block);
    void advance_sketches(BlockHandle block, std::int64_t newest_slice);
    void forget(Place place, BlockHandle block);
    void sweep();

    const Options options_;
    storage::ShardStore& store_;
    const std::string prefix_;
    SlabHeap heap_;
    std::vector<Signal> signals_;
    std::uint64_t refused_ = 0;
    // Where the next sweep looks.
    std::uint64_t sweep_signal_ = 0, sweep_slot_ = 0;
};

}  // namespace tidal::signal
