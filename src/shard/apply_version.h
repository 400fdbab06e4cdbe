// shard/apply_version.h: which behaviour of apply() a record is for.
#pragma once

#include "base/ids.h"

namespace tidal::shard {

/// What behaviour this build knows: stamped on the records it proposes, and told to peers, who
/// have to know the same (cluster/peer_packet.h, decision 83). Raised with every record body, relay
/// row or change of apply() that earlier builds do not have; records of earlier versions are
/// applied as they were then.
inline constexpr ApplyVersion kApplyVersion{2};

/// Since then a session's signal with a key can be taken back (decision 79).
inline constexpr ApplyVersion kSessionUndoSince{2};

}  // namespace tidal::shard
