// audience/internal/unwritten_holds.h: new states of users whose rows are not in the store yet.
//
// Most signals set a state once and nobody asks for its row again, so rows wait for the checkpoint:
// written item by item they are neighbours, which costs a third of writing them as they come.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "audience/internal/compact_id.h"
#include "audience/internal/hold_row.h"
#include "base/huge_pages.h"
#include "base/prefetch.h"

namespace tidal::audience {

/// Each is a row with one stamp that set it and nothing else: held for good, or by one signal that
/// may be taken back. Those of all items lie in the order they came in, so that adding one writes
/// where the last was written; each names the one before it of its item. Threads: one at a time.
class UnwrittenHolds {
public:
    struct Hold {
        CompactId user;
        HybridTime set;
        StateId state;
        bool undoable = false;
        std::uint32_t older = 0;  ///< Number of the hold before it of its item; 0 = none.

        HoldRow row() const {
            return {.set = set,
                    .cleared = {},
                    .signals = undoable ? 1U : 0U,
                    .first = undoable ? set : HybridTime()};
        }
    };
    /// Of one item: more are to be written at once, since find() looks at all of them.
    static constexpr std::size_t kItemMax = 256;

    /// @return how many the item has.
    std::size_t add(Slot slot, Hold hold);
    std::optional<HoldRow> find(const StateKey& key) const;
    /// False = it is not among them.
    bool remove(const StateKey& key);
    /// All of an item, in the order of their keys; they are no longer among them.
    std::vector<Hold> take(Slot slot);
    /// An item that has some. Precondition: size() > 0.
    Slot next();
    std::size_t size() const { return size_; }

    /// Fetches what add() reads of an item.
    TIDAL_PREFETCHES void prefetch(Slot slot) const {
        if (slot.value() < items_.size()) __builtin_prefetch(&items_[slot.value()], 1);
    }

private:
    struct Item {
        std::uint32_t newest = 0;  ///< Number of a hold; 0 = none.
        std::uint32_t count = 0;
    };
    /// In pieces, so that what is there stays where it is when more comes.
    static constexpr std::uint32_t kPiece = 1024;

    Hold& at(std::uint32_t number) { return pieces_[number / kPiece][number % kPiece]; }
    const Hold& at(std::uint32_t number) const { return pieces_[number / kPiece][number % kPiece]; }
    std::uint32_t count_of(Slot slot) const {
        return slot.value() < items_.size() ? items_[slot.value()].count : 0;
    }
    /// The number of a hold that is free.
    std::uint32_t take_number();
    /// Of an item with one hold less. @return what was held.
    Hold release(std::uint32_t number, Item* item);

    HugeVector<Item> items_;  ///< By slot.
    std::vector<std::unique_ptr<Hold[]>> pieces_;
    std::uint32_t used_ = 1;  ///< Numbers below were handed out since nothing was here.
    std::uint32_t free_ = 0;  ///< Of these one that is free, the next in its `older`; 0 = none.
    std::vector<std::uint32_t> order_;  ///< Has every item with holds, and some that had.
    std::size_t size_ = 0;
};

}  // namespace tidal::audience
