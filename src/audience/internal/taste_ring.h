// audience/internal/taste_ring.h: the newest items that a user liked, or disliked.
#pragma once

#include <cstdint>
#include <optional>
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

/// A full one is a ring in memory as well, so that what is newest takes the place of the oldest.
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
    /// The signal with this stamp no longer holds the item. @return whether it did.
    bool take_back(const EntityId& item, HybridTime stamp);
    void clear();
    /// The items right before one, the newest first; none where it is not there.
    std::vector<EntityId> before(const EntityId& item, std::size_t most) const;

    /// nullopt = it is empty.
    std::optional<UnixMillis> newest_ms() const {
        if (items_.size() == 0) return std::nullopt;
        return items_.beside(place(items_.size() - 1)).at_ms;
    }

    void encode(Encoder* out) const;
    std::uint64_t bytes() const { return items_.bytes(); }
    TIDAL_PREFETCHES void prefetch() const {
        items_.prefetch(items_.size() == entries_max_ ? oldest_ : items_.size());
    }

private:
    struct Held {
        UnixMillis at_ms = 0;
        HybridTime first;
        std::uint32_t signals = 1;
    };
    /// Of the `age`th in memory, the oldest being 0; and the way back.
    std::size_t place(std::size_t age) const { return (oldest_ + age) % items_.size(); }
    std::size_t age(std::size_t place) const {
        return (place + items_.size() - oldest_) % items_.size();
    }
    RingEntry entry(std::size_t place) const {
        const Held& held = items_.beside(place);
        return {items_.ids()[place].id(), held.at_ms, held.signals, held.first};
    }
    /// Whether an entry is newer than the one at a place.
    bool is_newer_than(const RingEntry& added, std::size_t place) const;
    /// The oldest is the first in memory then.
    void straighten();
    void erase(std::size_t place);

    std::size_t entries_max_;
    std::size_t oldest_ = 0;  ///< Place of it; those that follow are newer, around the end.
    IdList<Held> items_;
};

}  // namespace tidal::audience
