// wal/internal/log_files.h: which log files there are, what they hold, and which may go.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/disk.h"
#include "wal/internal/archive.h"
#include "wal/internal/log_format.h"
#include "wal/log_range.h"

namespace tidal::wal {

/// Threads: any; oldest_covered(), drop_oldest() and remove_dropped() one at a time.
class LogFiles {
public:
    struct File {
        std::uint64_t sequence = 0;
        std::string path;
    };
    /// Held = the file stays on disk.
    using FilePtr = std::shared_ptr<const File>;
    struct View {
        FilePtr file;
        std::uint64_t end = 0;  ///< Behind the last durable batch.
    };
    struct Sealable {
        View view;
        SupersededFrom superseded;
    };

    LogFiles(runtime::Disk& disk, std::string directory)
        : disk_(disk), directory_(std::move(directory)) {}

    /// A file behind all others; from now on the one being written.
    void add(std::uint64_t sequence, std::uint64_t end, ShardRanges ranges);
    /// The file being written is durable up to `end` and holds `ranges` more.
    void publish(std::uint64_t end, const ShardRanges& ranges);
    LogPosition durable() const;
    std::uint64_t count() const;

    /// Files with an index >= `from` of `shard`, oldest first.
    std::vector<View> holding(ShardId shard, LogIndex from) const;

    void cover(ShardId shard, Incarnation incarnation, LogIndex index);
    /// Of the oldest file with something of `shard` that is not covered, and of all behind it.
    std::uint64_t bytes_pinned(ShardId shard) const;
    /// The oldest file, when it is not the one being written and a checkpoint covers all it holds.
    std::optional<Sealable> oldest_covered() const;
    /// Its batches are in the archive: new readers do not see it any more.
    void drop_oldest();
    /// Removes dropped files that nobody reads, oldest first and each durably before the next, so
    /// that a crash leaves no gap in the sequence.
    Result<void> remove_dropped();

private:
    struct Entry {
        FilePtr file;
        std::uint64_t end = 0;
        ShardRanges ranges;
    };
    struct Covered {
        Incarnation incarnation;
        LogIndex index;
        auto operator<=>(const Covered&) const = default;
    };
    bool is_covered_locked(const ShardRanges::value_type& range) const;
    bool is_covered_locked(const Entry& entry) const;

    runtime::Disk& disk_;
    const std::string directory_;
    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::deque<Entry> entries_;
    std::map<ShardId, Covered> covered_;
    std::deque<FilePtr> dropped_;
};

}  // namespace tidal::wal
