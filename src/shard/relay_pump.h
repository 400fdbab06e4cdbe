// shard/relay_pump.h: carries outbox rows of one shard to their targets until acknowledged.
#pragma once

#include <absl/functional/any_invocable.h>

#include <array>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "shard/shard.h"

namespace tidal::shard {

/// How rows reach another shard: a call inside one process, a message between nodes.
class RelayTransport {
public:
    /// One mark per body, in order: how far the target has applied that stream.
    using Done = absl::AnyInvocable<void(Result<std::vector<std::uint64_t>>)>;
    virtual ~RelayTransport() = default;
    virtual ShardId shard_of(VShard vshard) = 0;
    virtual void deliver(ShardId target, std::vector<record::RelayBody> bodies, Done done) = 0;
};

/// Only committed rows are in the outbox, so only durable rows leave. One delivery is under way per
/// target shard; a failed one is sent again from the oldest row kept, and the target's mark drops
/// what it had: every effect happens exactly once. Threads: the shard's executor.
class RelayPump {
public:
    RelayPump(Shard& source, Incarnation incarnation, RelayTransport& transport,
              runtime::Executor& executor)
        : source_(source), incarnation_(incarnation), transport_(transport), executor_(executor) {}

    /// Sends what waits, where nothing is under way; only where the source may propose, since it
    /// has to log the acknowledgement. Call after records were applied, and after a change of
    /// roles.
    void poke();
    /// No delivery begins afterwards.
    void stop();

private:
    std::map<ShardId, std::vector<record::RelayBody>> gather();
    void delivered(ShardId target, std::vector<VShard> vshards,
                   Result<std::vector<std::uint64_t>> marks);
    void acknowledge(ShardId target, const std::vector<VShard>& vshards,
                     const std::vector<std::uint64_t>& marks);

    Shard& source_;
    const Incarnation incarnation_;
    RelayTransport& transport_;
    runtime::Executor& executor_;

    std::mutex mutex_;
    std::set<ShardId> under_way_;
    bool stopped_ = false;
};

}  // namespace tidal::shard
