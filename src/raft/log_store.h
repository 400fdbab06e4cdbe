// raft/log_store.h: how the core reads entries it no longer holds. Implemented over the node's log.
#pragma once

#include <vector>

#include "base/result.h"
#include "raft/types.h"

namespace tidal::raft {

/// Threads   Called from within the group's Node only.
/// Lifetime  Outlives the Node.
class LogStore {
public:
    virtual ~LogStore() = default;
    /// Durable entries from .. last (inclusive), or a prefix of them of at least one entry that
    /// ends once `bytes_max` (Entry::cost) is passed. Only asked for what persisted() and
    /// DurableState said is there and compact() has not given up.
    /// @return kUnavailable  not at hand (a read is under way, say): the core asks again after the
    ///         next heartbeat interval or applied(). Any other error is treated alike; the store
    ///         reports it where it knows more.
    virtual Result<std::vector<Entry>> read(LogIndex from, LogIndex last,
                                            std::size_t bytes_max) = 0;
};

}  // namespace tidal::raft
