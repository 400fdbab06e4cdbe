// wal/node_log.h: the one log of a node. Makes batches of all shards durable, in order.
// Formats: docs/formats/wal.md, docs/formats/archive.md.
#pragma once

#include <absl/functional/any_invocable.h>

#include <compare>
#include <memory>
#include <string>

#include "base/log.h"
#include "runtime/runtime.h"
#include "wal/archive_codec.h"
#include "wal/batch.h"

namespace tidal::wal {

/// One shard's consecutive records, ready for the log.
struct PendingBatch {
    BatchHeader header;  ///< payload_bytes, synced_distance and codec are filled in by the log.
    std::string payload;
    /// Called on the log's executor (by stop(): on its caller's thread), in append order, once the
    /// batch is durable, or with kDiskFull: then nothing of it is in the log, nor of any later
    /// batch of the shard until one begins at or before its index again. Never called when the node
    /// dies first or stops on a full disk: the batch may survive then. Must be quick.
    absl::AnyInvocable<void(Result<void>)> on_durable;
};

struct LogOptions {
    std::string directory = "wal";
    std::string archive_directory = "archive";
    std::uint64_t queue_bytes_max = 64ULL << 20;
    /// What segments hold in the place of records; nullptr = the records. Must outlive the log.
    ArchiveCodec* archive_codec = nullptr;
    std::uint64_t archive_bytes_max = 8ULL << 30;
    std::int64_t archive_age_max_ms = 30LL * 24 * 3600 * 1000;
    /// Payloads of at least this size are compressed where that makes them smaller; 0 = never.
    std::size_t compress_payload_bytes_min = 0;
    /// Of new files, a multiple of 512 from 4 KiB to 16 MiB; smaller ones are for simulations.
    std::uint64_t file_bytes = kLogFileBytes;
    /// A directory without any log file has lost its log: kCorruption, "log_missing". False = it
    /// begins one.
    bool must_exist = false;
    Logger logger;  ///< Of a full disk: when it begins and when it ends.
};

struct LogPosition {
    std::uint64_t file = 0;    ///< The number in the file's name.
    std::uint64_t offset = 0;  ///< Bytes.
    auto operator<=>(const LogPosition&) const = default;
};

/// What read() is asked for.
struct ReadRange {
    ShardId shard;
    LogIndex from{1};
    HybridTime stamp_min;                                             ///< Inclusive.
    HybridTime stamp_max = HybridTime::from_bits(~std::uint64_t{0});  ///< Inclusive.
    /// False = sealed payloads as they are, for whoever looks at headers.
    bool open_sealed = true;
};

struct LogStats {
    std::uint64_t bytes_appended = 0, batches = 0, syncs = 0;  ///< Since open().
    std::uint64_t refused_disk_full = 0;                       ///< Batches, since open().
    std::uint64_t files = 0, queue_bytes = 0;
    std::uint64_t cut_bytes = 0;  ///< Of a torn tail that open() removed.
    std::uint64_t archive_segments = 0, archive_bytes = 0, archive_damaged = 0;
    std::uint64_t archive_failures = 0;  ///< Attempts to seal a file or to expire segments.
    LogPosition durable;                 ///< Everything before it survives a crash.
};

class NodeLog {
public:
    /// Called once per batch, oldest first, in log order, payload unpacked (the header then says
    /// kPlain and the unpacked length). Superseded batches are included: a batch that begins at or
    /// before an index already seen of its (shard, incarnation) replaces all that was seen from
    /// that index on. Views are valid during the call. An error stops the replay or read and is
    /// returned.
    using Visitor = absl::AnyInvocable<Result<void>(const BatchHeader&, std::string_view payload)>;

    /// Opens or makes the log, cuts a torn tail, and replays what is there through `visitor`.
    /// @return kCorruption   damage before the last position known synced, or behind it but not by
    /// a
    ///                       torn write: file, offset and advice.
    ///         kIncompatible written by a later version, or a file that is not ours.
    ///         kDiskFull     no room for the first file.
    static Result<std::unique_ptr<NodeLog>> open(runtime::Runtime& runtime,
                                                 const LogOptions& options, Visitor visitor);
    /// Without a stop() before, what is queued is dropped, as in a crash.
    virtual ~NodeLog() = default;

    /// Queues one batch. Any thread; the order of calls is the order in the log. A write or fsync
    /// that fails otherwise than by a full disk goes to Runtime::fatal, and nothing is acknowledged
    /// after it.
    /// @return kOverloaded  the queue is full. kTooLarge  payload above 8 MiB. kInvalidArgument  no
    ///         record or index 0. kUnavailable  stopped or dead. In each case nothing is queued.
    virtual Result<void> append(PendingBatch batch) = 0;

    /// Everything of `shard` up to `index`, and all of its earlier incarnations, is in a durable
    /// checkpoint: files all of whose batches are covered are sealed into archive segments and
    /// removed, oldest first. Any thread; the work runs on the log's second executor. To be told
    /// again after every open(). The file being written stays.
    virtual void checkpointed(ShardId shard, Incarnation incarnation, LogIndex index) = 0;

    /// Seals what waited for the codec. Any thread.
    virtual void resume_sealing() = 0;
    /// As long as somebody has one, nothing is sealed, nor does a file of log or archive go. Any
    /// thread; waits for the file that is being sealed. Not to outlive the log.
    virtual std::shared_ptr<const void> hold_files() = 0;

    /// Durable batches of one shard that hold an index >= `from` and a record within the stamps
    /// (the first one may begin before, the last one end behind), from archive segments and log
    /// files, oldest first; a prefix of what is durable when called. What retention has removed is
    /// missing at the front. Memory: one log file or archive block. Any thread.
    /// @return kCorruption with file and offset.
    virtual Result<void> read(const ReadRange& range, Visitor visitor) = 0;
    Result<void> read(ShardId shard, LogIndex from, Visitor visitor) {
        return read(ReadRange{.shard = shard, .from = from}, std::move(visitor));
    }

    /// Bytes of the log from the oldest file that holds a batch of `shard` no checkpoint covers:
    /// what stays because of it. 0 when all is covered. Any thread.
    virtual std::uint64_t bytes_pinned(ShardId shard) = 0;

    /// Any thread.
    virtual LogStats stats() = 0;
    /// Writes and syncs what is queued, then stops. Idempotent. Not from a callback.
    virtual void stop() = 0;
};

}  // namespace tidal::wal
