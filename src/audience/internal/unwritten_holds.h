// audience/internal/unwritten_holds.h: new states of users whose rows are not in the store yet.
//
// Most signals set a state once and nobody asks for its row again, so rows wait for the checkpoint:
// written item by item they are neighbours, which costs a third of writing them as they come.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <optional>
#include <vector>

#include "audience/internal/compact_id.h"
#include "audience/internal/hold_row.h"
#include "base/prefetch.h"

namespace tidal::audience {

/// Each is a row with one stamp that set it and nothing else: held for good, or by one signal that
/// may be taken back. Threads: one at a time.
class UnwrittenHolds {
public:
    struct Hold {
        CompactId user;
        HybridTime set;
        StateId state;
        bool undoable = false;

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

    /// Fetches what add() reads of an item: its place, then, some items later, the end of its list.
    TIDAL_PREFETCHES void prefetch_place(Slot slot) const { items_.prefetch(slot.value()); }
    TIDAL_PREFETCHES void prefetch_end(Slot slot) const {
        const auto item = items_.find(slot.value());
        if (item != items_.end()) __builtin_prefetch(item->second.data() + item->second.size(), 1);
    }

private:
    using Holds = std::vector<Hold>;

    absl::flat_hash_map<std::uint32_t, Holds> items_;
    std::vector<std::uint32_t> order_;  ///< Has every item of items_, and some that were.
    std::size_t size_ = 0;
};

}  // namespace tidal::audience
