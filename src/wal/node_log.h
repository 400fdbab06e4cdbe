// wal/node_log.h: the one log of a node. Makes batches of all shards durable, in order.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/runtime.h"
#include "wal/batch.h"

namespace tidal::wal {

/// One shard's consecutive records, ready for the log.
struct PendingBatch {
    BatchHeader header;   ///< payload_bytes, synced_distance and codec are filled in by the log.
    std::string payload;
    /// Called on the log's executor, in append order, once the batch is durable, or with kDiskFull
    /// (nothing of this batch is in the log; the shard may append the same indexes again).
    absl::AnyInvocable<void(Result<void>)> on_durable;
};

struct LogOptions {
    std::string directory = "wal";
    std::string archive_directory = "archive";
    std::uint64_t queue_bytes_max = 64ULL << 20;
    std::uint64_t archive_bytes_max = 8ULL << 30;
    std::int64_t archive_age_max_ms = 30LL * 24 * 3600 * 1000;
};

struct LogPosition {
    std::uint64_t file = 0;
    std::uint64_t offset = 0;
    auto operator<=>(const LogPosition&) const = default;
};

struct LogStats {
    std::uint64_t bytes_appended = 0, batches = 0, syncs = 0, files = 0, queue_bytes = 0;
    std::uint64_t archive_segments = 0, archive_bytes = 0;
};

class NodeLog {
public:
    /// Called once per batch of the log, oldest first; superseded batches (a later one at the same
    /// shard and index) included, in log order. An error stops the replay and the start.
    using Visitor = absl::AnyInvocable<Result<void>(const BatchHeader&, std::string_view payload)>;

    /// Opens or makes the log, cuts a torn tail (cluster.md: how far "synced distance" reaches), and
    /// replays what is there through `visitor`. kCorruption with file, offset and advice when damage
    /// lies before the last position known synced.
    static Result<std::unique_ptr<NodeLog>> open(runtime::Runtime& runtime, const LogOptions& options,
                                                 Visitor visitor);
    virtual ~NodeLog() = default;

    /// Queues one batch. kOverloaded when the queue is full (nothing queued). Any thread; the order
    /// of calls is the order in the log. A failed fsync goes to Runtime::fatal.
    virtual Result<void> append(PendingBatch batch) = 0;

    /// Everything of `shard` up to `index` is in a durable checkpoint: files all of whose batches
    /// are covered are sealed into archive segments and removed. Runs on the log's executor.
    virtual void checkpointed(ShardId shard, Incarnation incarnation, LogIndex index) = 0;

    /// Batches of one shard with first_index >= `from` that are durable, from archive segments and
    /// log files, oldest first. Any thread; sees a prefix of what is durable when it is called.
    virtual Result<void> read(ShardId shard, LogIndex from, Visitor visitor) = 0;

    virtual LogStats stats() = 0;
    /// Writes and syncs what is queued, then stops. Idempotent.
    virtual void stop() = 0;
};

}  // namespace tidal::wal
