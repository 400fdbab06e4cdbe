// audience/internal/taste_ring.h: the newest items that a user liked, or disliked.
#pragma once

#include <cstdint>
#include <vector>

#include "audience/internal/id_list.h"
#include "base/codec.h"
#include "base/hlc.h"
#include "base/ids.h"

namespace tidal::audience {

/// An item of a ring. Signals on it make one entry together.
struct RingEntry {
    EntityId item;
    UnixMillis at_ms = 0;       ///< Of the newest signal.
    std::uint32_t signals = 1;  ///< That hold it; without them it goes.
    HybridTime first;           ///< Stamp of the first of them: older ones are not among them.
    bool operator==(const RingEntry&) const = default;
};
/// By (at, item).
bool is_newer(const RingEntry& a, const RingEntry& b);

/// Ids lie apart from the rest: every signal looks through them, and at one entry more.
class TasteRing {
public:
    /// @param entries_max  Beyond them the oldest goes.
    explicit TasteRing(std::size_t entries_max) : entries_max_(entries_max) {}
    /// @param entries  The newest first.
    TasteRing(std::size_t entries_max, const std::vector<RingEntry>& entries);
    /// The newest first.
    std::vector<RingEntry> entries() const;

    /// A signal on an item. @return whether it is new in the ring.
    bool note(const EntityId& item, UnixMillis at_ms, HybridTime stamp);
    /// The signal with this stamp no longer holds the item.
    void take_back(const EntityId& item, HybridTime stamp);
    void clear();
    /// The items right before one, the newest first; none where it is not there.
    std::vector<EntityId> before(const EntityId& item, std::size_t most) const;

    void encode(Encoder* out) const;
    std::uint64_t bytes() const;
    TIDAL_PREFETCHES void prefetch() const {
        items_.prefetch();
        if (!held_.empty()) __builtin_prefetch(&held_.back(), 1);
    }

private:
    struct Held {
        UnixMillis at_ms = 0;
        HybridTime first;
        std::uint32_t signals = 1;
    };
    RingEntry entry(std::size_t at) const {
        return {items_[at].id(), held_[at].at_ms, held_[at].signals, held_[at].first};
    }
    void erase(std::size_t at);

    std::size_t entries_max_;
    IdList items_;            ///< The newest last.
    std::vector<Held> held_;  ///< Of each of them.
};

}  // namespace tidal::audience
