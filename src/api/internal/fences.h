// api/internal/fences.h: when reads of this node are new enough.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "api/cluster_status.h"
#include "api/consistency.h"
#include "api/database.h"
#include "cluster/node.h"

namespace tidal::api {

/// A group confirms to this node, by a round of heartbeats that began at a moment of this node's
/// own monotonic clock, up to where it had committed then: once that is applied here, the state is
/// as new as that moment. No clock of another node is looked at, so none can lie.
///
/// While reads of bounded staleness or eventual ones come, the groups are asked every
/// `freshness_ms`, else once a second for the status.
/// Threads   Any. What groups confirm is worked off on the loop of consensus, which never waits: it
///           asks shards only what they answer without their monitor.
class Fences : public std::enable_shared_from_this<Fences> {
public:
    Fences(Database& database, runtime::Runtime& runtime, cluster::Node& node,
           std::uint64_t freshness_ms);
    void start();
    void stop() { stopped_ = true; }

    /// @param shards  Those the read looks at.
    void pass(const ReadFence& fence, std::vector<ShardId> shards, std::uint64_t timeout_ms,
              Database::FenceDone done, FenceAnswer where = FenceAnswer::kMayWait);
    /// nullopt = never confirmed.
    std::optional<std::uint64_t> staleness_ms(ShardId shard) const;
    ClusterStatus::Reads reads() const { return {at_once_, confirmed_, refused_}; }

private:
    struct Run;
    using RunPtr = std::shared_ptr<Run>;

    void begin(const RunPtr& run);
    void confirm(const RunPtr& run, ShardId shard);
    void arrive(const RunPtr& run);
    void finish(const RunPtr& run);
    void answer(const RunPtr& run, Result<FenceReply> reply);
    FenceReply reply_of(const Run& run) const;
    runtime::Executor& front() { return *database_.executors_.front(); }
    bool stale(ShardId shard, const Consistency& wanted) const;
    std::uint64_t left_ms(const Run& run) const;
    void note(ShardId shard, std::uint64_t asked_ns);
    void probe();
    std::uint64_t now_ns() const { return runtime_.clock().monotonic_ns(); }

    Database& database_;
    runtime::Runtime& runtime_;
    cluster::Node& node_;
    const std::uint64_t freshness_ns_;
    std::vector<std::atomic<std::uint64_t>> fresh_ns_;  ///< By shard; 0 = never confirmed.
    std::vector<std::atomic<bool>> probing_;            ///< By shard: one probe is under way.
    std::atomic<std::uint64_t> wanted_ns_ = 0;  ///< When a read last depended on the probes.
    std::atomic<std::uint64_t> at_once_ = 0, confirmed_ = 0, refused_ = 0;
    std::atomic<bool> stopped_ = false;
};

}  // namespace tidal::api
