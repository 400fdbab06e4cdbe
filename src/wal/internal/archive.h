// wal/internal/archive.h: the folder of archive segments: sealing, finding, retention.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/disk.h"
#include "wal/archive_codec.h"
#include "wal/archive_segment.h"

namespace tidal::wal {

/// For each shard history, the smallest index that later files begin a batch at: from there on the
/// file being sealed is superseded.
using SupersededFrom = std::map<ShardKey, LogIndex>;

struct ScannedBatch;

/// Threads: any; seal(), write() and enforce() one at a time.
class Archive {
public:
    struct Segment {
        std::string path;
        SegmentInfo info;
        std::optional<Error> damage;  ///< Of its header; `info` then holds what the name says.
    };
    /// While a reader holds one, retention leaves its file alone.
    using SegmentPtr = std::shared_ptr<const Segment>;
    struct Limits {
        std::uint64_t bytes_max;
        std::int64_t age_max_ms;
    };
    struct Size {
        std::uint64_t segments = 0, bytes = 0, damaged = 0;
    };

    /// @param codec  nullptr = segments hold what the log held.
    Archive(runtime::Disk& disk, std::string directory, const Limits& limits, ArchiveCodec* codec)
        : disk_(disk), directory_(std::move(directory)), limits_(limits), codec_(codec) {}

    /// Makes the folder, removes unfinished segments, reads the headers of the others.
    Result<void> open();
    /// One segment per shard history in a log file, in memory.
    /// @param image  The file up to its end.
    /// @return kUnavailable  ArchiveCodec::seal's.
    Result<std::vector<SegmentBuilder>> seal(std::string_view image,
                                             const SupersededFrom& superseded) const;
    /// Doing it again changes nothing.
    /// @return kDiskFull  some segments may be there already; repeat later.
    Result<void> write(std::vector<SegmentBuilder> segments);
    /// Removes what is too old (by its youngest stamp), then the oldest until the rest fits.
    Result<void> enforce(UnixMillis now_ms);
    /// By region, shard, incarnation, first index. All shards when not given.
    std::vector<SegmentPtr> segments(std::optional<ShardId> shard) const;
    Size size() const;

private:
    Result<void> fill(const std::vector<ScannedBatch>& batches, SegmentBuilder* builder) const;
    Result<void> write_segment(SegmentBuilder& builder);
    std::string path_for(const SegmentInfo& info) const;

    runtime::Disk& disk_;
    const std::string directory_;
    const Limits limits_;
    ArchiveCodec* const codec_;
    mutable std::mutex mutex_;
    std::map<std::string, SegmentPtr> segments_;  ///< By path; guarded by mutex_.
};

}  // namespace tidal::wal
