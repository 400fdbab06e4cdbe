// query/viewer.h: the user of a request, and what of that user every shard needs to know.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"

namespace tidal::query {

using Creators = absl::flat_hash_set<EntityId>;

/// Read from the user's own shard before the others are asked, so that a page has one view of it.
struct Viewer {
    EntityId id;
    Creators followed;
    Creators blocked;                                  ///< Their items are never shown.
    Creators muted;                                    ///< Their items rank lower.
    absl::flat_hash_map<EntityId, double> affinities;  ///< To creators, as of the page's moment.
    std::vector<EntityId> friends;                     ///< By id.
    /// The newest first; what was liked in the page's session before all else.
    std::vector<EntityId> liked;
    std::vector<EntityId> disliked;  ///< The newest first.
    // Of the newest signal of each polarity, also one of the page's session; nullopt = none is
    // known.
    std::optional<UnixMillis> newest_positive_ms, newest_negative_ms;
    std::uint64_t session = 0;    ///< Under which the page is shown; 0 = none.
    std::vector<EntityId> shown;  ///< What its session was shown, and this page leaves out.
};

/// What an item of a muted creator keeps of its score.
inline constexpr double kMutePenalty = 0.1;

}  // namespace tidal::query
