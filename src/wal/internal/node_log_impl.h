// wal/internal/node_log_impl.h: group commit of all shards into one file at a time.
//
//     append (any thread) -> queue_ -> flush (log executor): pending_ -> writer_ -> fdatasync
//                                                             -> files_.publish -> callbacks
//     checkpointed (any thread) -> seal (files executor): archive_, files_
//
// Invariant: a callback says success only after an fdatasync that returned behind its batch's
// bytes. Invariant: after a failed write or fsync nothing is written or acknowledged any more.
// Invariant: of one shard, no batch enters the log behind one that was refused for want of space.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "base/trouble.h"
#include "wal/internal/archive.h"
#include "wal/internal/file_preparer.h"
#include "wal/internal/log_files.h"
#include "wal/internal/log_writer.h"
#include "wal/internal/recovery.h"
#include "wal/node_log.h"

namespace tidal::wal {

class NodeLogImpl final : public NodeLog {
public:
    NodeLogImpl(runtime::Runtime& runtime, const LogOptions& options);
    ~NodeLogImpl() override;
    /// Before anything else.
    Result<void> start(Visitor& visitor);

    Result<void> append(PendingBatch batch) override;
    void checkpointed(ShardId shard, Incarnation incarnation, LogIndex index) override;
    Result<void> read(const ReadRange& range, Visitor visitor) override;
    void resume_sealing() override;
    std::shared_ptr<const void> hold_files() override;
    std::uint64_t bytes_pinned(ShardId shard) override { return files_.bytes_pinned(shard); }
    LogStats stats() override;
    void stop() override;

private:
    struct Item {
        PendingBatch batch;
        bool packed = false;   ///< The payload is compressed already.
        bool refused = false;  ///< It follows a refused batch of its shard.
        std::size_t bytes() const { return kBatchHeaderBytes + batch.payload.size(); }
    };

    // Any thread.
    Result<void> check(const PendingBatch& batch) const;
    void pack(Item& item) const;

    // The log's executor, or stop() once that has ended.
    void flush();
    void take_queue();
    /// Writes and acknowledges what fits into the file. False: nothing more can be done now.
    bool write_group();
    /// Writes pending batches, as many as the file has room for; the number handled, maybe 0.
    Result<std::size_t> fill();
    /// Makes what was written behind `before` durable and known. False: the node is dead.
    bool sync_group(const LogPosition& before);
    bool is_behind_refused(const BatchHeader& header);
    void acknowledge(std::size_t count);
    void prepare_ahead();
    /// Goes on to the next file. False: it is being made, or cannot be.
    bool roll();
    bool next_file();
    /// Takes back a group for which there was no space, and refuses what waits. False as above.
    bool scrub();
    void refuse_pending(const Error& error);
    void post_flush();
    /// Any executor: the end of this node.
    void fail(const Error& error);

    // The files executor.
    void seal();
    Result<void> seal_oldest(const LogFiles::Sealable& oldest);
    void wait_to_seal(const Error& why);
    void release_files();

    // Any thread: read().
    struct Reader;

    runtime::Runtime& runtime_;
    const LogOptions options_;
    Archive archive_;  // Self-synchronised, with files_ and preparer_.
    LogFiles files_;
    FilePreparer preparer_;
    std::atomic<bool> dead_ = false;

    // The log's executor's own.
    Trouble no_room_to_write_, no_room_for_file_;
    LogWriter writer_;
    std::deque<Item> pending_;
    ShardRanges group_ranges_;
    std::map<ShardKey, LogIndex> refused_from_;
    std::optional<Error> scrubbing_;  ///< The error to refuse with once the scrub has succeeded.
    bool waiting_for_file_ = false;
    bool draining_ = false;  ///< stop() runs flush(): no executor is left.

    std::mutex mutex_;
    // Guarded by mutex_.
    std::vector<Item> queue_;
    std::uint64_t queue_bytes_ = 0;  ///< Of queue_ and pending_.
    bool flush_posted_ = false;
    bool seal_posted_ = false;
    bool stopped_ = false;
    LogStats stats_;

    std::mutex archiving_;     ///< Files of log and archive come and go inside.
    int holds_ = 0;            ///< Guarded by archiving_.
    Trouble archive_trouble_;  ///< The files executor's own.

    // Last: their work uses all of the above.
    std::unique_ptr<runtime::Executor> files_executor_;
    /// For the file that the writer waits for: sealing one takes a good part of a second.
    std::unique_ptr<runtime::Executor> next_executor_;
    std::unique_ptr<runtime::Executor> log_executor_;
};

}  // namespace tidal::wal
