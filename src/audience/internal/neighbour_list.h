// audience/internal/neighbour_list.h: the items that one item was liked together with.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "audience/internal/id_list.h"
#include "base/hlc.h"
#include "base/ids.h"

namespace tidal::audience {

struct Neighbour {
    EntityId item;
    double weight = 0;  ///< Decayed count of users who liked both.
    bool operator==(const Neighbour&) const = default;
};

/// What a list says, for rows: weights as of `at_ms`, of which later ones are more and earlier ones
/// less.
struct Neighbours {
    static constexpr std::size_t kEach = 256;  ///< The heaviest stay.
    static constexpr UnixMillis kHalfLifeMs = 365LL * 24 * 3'600'000;

    UnixMillis at_ms = 0;
    double events = 0;             ///< Decayed count of users who liked the item.
    std::vector<Neighbour> items;  ///< By id.
    bool operator==(const Neighbours&) const = default;
};

/// Of their rows.
inline constexpr std::uint8_t kNeighboursVersion = 1;

/// Decays forward (Cormode et al. 2009): what comes later weighs more by as much as everything
/// before has lost, so that only what an event is about changes. Threads: none of its own.
class NeighbourList {
public:
    NeighbourList() = default;
    explicit NeighbourList(const Neighbours& neighbours);
    Neighbours value() const;

    /// @param likes  Of the item itself: 1, or 0 where another's like only pairs with it.
    void count(std::span<const EntityId> others, double likes, UnixMillis now_ms);

    std::size_t size() const { return items_.size(); }
    EntityId item(std::size_t at) const { return items_.ids()[at].id(); }
    /// Of values at `now_ms`, where weights and events are multiplied by decay_to().
    double weight(std::size_t at) const { return items_.beside(at); }
    double events() const { return events_; }
    double decay_to(UnixMillis now_ms) const;

    std::string encode() const;
    /// Beside itself; a function of what it says alone.
    std::uint64_t bytes() const { return items_.bytes(); }
    TIDAL_PREFETCHES void prefetch() const { items_.prefetch(items_.size()); }

private:
    void add(const EntityId& other, double weight);
    void drop_lightest();
    void move_landmark(UnixMillis now_ms);

    UnixMillis at_ms_ = 0;  ///< The landmark: of the first event, or half-lives later.
    double events_ = 0;
    IdList<double> items_;  ///< And their weights.
};

}  // namespace tidal::audience
