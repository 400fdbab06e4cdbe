// shard/group_events.h: what a group told its replica and the replica has not come to yet.
#pragma once

#include <cstdint>
#include <deque>
#include <variant>
#include <vector>

#include "shard/replicator.h"

namespace tidal::shard {

/// Numbers the batches a shard proposed, rising; the place in the log is known only later.
using Ticket = std::uint64_t;

struct Appended {
    Ticket ticket = 0;
    Result<LogIndex> first;
};
struct Decided {
    Ticket ticket = 0;
    Result<std::uint32_t> replicas;
};
struct Leads {
    Term term;
};
struct Follows {};
using GroupEvent = std::variant<ReplicatedRun, Appended, Decided, Leads, Follows>;

/// What is durable where, as the leader of `term` knows it.
struct DurableAt {
    Term term;
    LogIndex own;
    std::vector<LogIndex> voters;  ///< Descending: the i-th is durable on i + 1 of them.

    std::uint32_t count(LogIndex index) const {
        std::uint32_t with = 0;
        while (with < voters.size() && voters[with] >= index) ++with;
        return with;
    }
};

}  // namespace tidal::shard
