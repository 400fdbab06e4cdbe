// signal/internal/user_blocks.h: the distinct users of pairs in blocks of a SlabHeap, whoever keeps
// where the blocks of a pair are.
//
// Forms     a list to 256 users, then one sketch a slice (user_list.h, hyperloglog.h).
// Budget    bytes of all blocks of the heap, also those of its owner, which are a function of the
//           sequence of calls alone. A user who needs more than is left is refused and counted: the
//           pair's users stop growing, updates that need no room go on.
#pragma once

#include "base/codec.h"
#include "base/result.h"
#include "signal/internal/slab_heap.h"
#include "signal/internal/user_list.h"

namespace tidal::signal {

/// Threads: one at a time. Lifetime: borrows the heap.
class UserBlocks {
public:
    UserBlocks(SlabHeap& heap, std::uint64_t bytes_max) : heap_(heap), bytes_max_(bytes_max) {}

    void set_bytes_max(std::uint64_t bytes_max) { bytes_max_ = bytes_max; }
    bool has_room(std::size_t bytes) const {
        return heap_.block_bytes() + heap_.rounded(bytes) <= bytes_max_;
    }

    /// @param block  Of the pair, 0 = none yet; where it is after the call, also after an error. It
    ///               has been advanced to the newest slice.
    /// @param slice  So many before the newest, below kSlicesKept.
    Result<void> add(BlockHandle* block, std::uint64_t user, std::int64_t newest_slice,
                     unsigned slice);
    /// Forgets slices out of the window. @return false = nothing is left and the block is freed.
    bool advance(BlockHandle block, std::int64_t newest_slice);
    void forget(BlockHandle block);

    /// Users in the slice of now and the 8 before it.
    double estimate(BlockHandle block, std::int64_t slice_of_now) const;
    /// What is left in the window, in a form that does not depend on layout; nothing = nobody.
    void encode(BlockHandle block, std::int64_t newest_slice, Encoder* out) const;
    UserForm form_of(BlockHandle block) const { return head_of(block).form; }

    std::uint64_t refused() const { return refused_; }
    void set_refused(std::uint64_t refused) { refused_ = refused; }
    void count_refused() { ++refused_; }

private:
    const UserHead& head_of(BlockHandle block) const {
        return *reinterpret_cast<const UserHead*>(heap_.read(block));
    }
    UserList list_of(BlockHandle block) { return {heap_.write(block), heap_.capacity(block)}; }

    Result<void> add_to_new(BlockHandle* block, std::uint64_t user, std::int64_t newest_slice,
                            unsigned slice);
    Result<void> add_to_list(BlockHandle* block, std::uint64_t user, unsigned slice);
    Result<void> add_to_slice(BlockHandle block, std::uint64_t user, unsigned slice);
    Result<void> enlarge(BlockHandle* block);
    /// Turns the list into sketches. False = the budget does not allow it.
    Result<bool> to_sketches(BlockHandle* block);
    void advance_sketches(BlockHandle block, std::int64_t newest_slice);

    SlabHeap& heap_;
    std::uint64_t bytes_max_;
    std::uint64_t refused_ = 0;
};

}  // namespace tidal::signal
