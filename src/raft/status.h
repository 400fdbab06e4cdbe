// raft/status.h: what a replica knows of itself and its peers, for operators and tests.
#pragma once

#include <vector>

#include "raft/configuration.h"

namespace tidal::raft {

enum class Flow : std::uint8_t {
    kProbe,      ///< Looking for where the logs agree: one Append per heartbeat interval.
    kReplicate,  ///< Pipelined up to the in-flight limits.
    kSnapshot,   ///< Receives a snapshot; no entries.
};
std::string_view flow_name(Flow flow);

/// A leader's view.
struct PeerStatus {
    PeerId peer;
    Flow flow = Flow::kProbe;
    bool active = false;  ///< Answered since the last check of the quorum.
    LogIndex match;       ///< Known durable there.
    LogIndex next;        ///< The next entry to send.
    std::uint32_t inflight_messages = 0;
    std::size_t inflight_bytes = 0;
    std::uint64_t snapshot_id = 0;      ///< Being sent; 0 = none.
    std::uint64_t snapshot_offset = 0;  ///< Bytes known durable there.
};

/// What is asked for all the time.
struct Brief {
    Role role = Role::kFollower;
    Term term;
    PeerId leader;  ///< kNobody when unknown.
    LogIndex durable;
    LogIndex applied;
};

struct Status {
    PeerId self;
    Role role = Role::kFollower;
    Term term;
    PeerId vote;
    PeerId leader;  ///< kNobody when unknown.
    PeerId transferee;
    LogIndex first;  ///< First entry in the log; last + 1 when there is none.
    LogIndex last;
    LogIndex durable;
    LogIndex commit;
    LogIndex applied;
    std::size_t uncommitted_bytes = 0;
    std::size_t cache_bytes = 0;
    std::size_t reads = 0;  ///< Waiting.
    Configuration configuration;
    LogIndex configuration_index;   ///< Committed once `commit` has reached it.
    std::vector<PeerStatus> peers;  ///< Without self, ascending; empty unless leader.
};

}  // namespace tidal::raft
