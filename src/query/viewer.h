// query/viewer.h: the user of a request, and what of that user every shard needs to know.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <vector>

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
    std::vector<EntityId> liked, disliked;             ///< The newest first.
};

/// What an item of a muted creator keeps of its score.
inline constexpr double kMutePenalty = 0.1;

}  // namespace tidal::query
