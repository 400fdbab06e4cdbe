// cluster/internal/snapshot_files.h: snapshots on their way in, as files. Format:
// docs/formats/raft-message.md, "A snapshot half received".
#pragma once

#include <optional>

#include "raft/node.h"
#include "raft/wire.h"
#include "runtime/disk.h"

namespace tidal::cluster {

/// Threads   One at a time; each call blocks on the disk.
class SnapshotFiles {
public:
    SnapshotFiles(runtime::Disk& disk, std::string directory)
        : disk_(disk), directory_(std::move(directory)) {}

    struct Partial {
        raft::SnapshotMeta meta;
        std::uint64_t bytes = 0;  ///< Durable.
    };
    /// What a crash left of the snapshot a group was receiving. Damaged: nothing, and removed.
    /// @param  chunk_bytes_max  What may have been written and not synced at the end.
    Result<std::optional<Partial>> recover(const raft::GroupKey& group,
                                           std::uint64_t chunk_bytes_max);
    /// Durable when it returns. Offset 0 removes what there is of another snapshot.
    Result<void> write(const raft::GroupKey& group, const raft::ChunkToStore& chunk);
    /// All of the group's.
    Result<void> remove(const raft::GroupKey& group);
    std::string path(const raft::GroupKey& group, std::uint64_t id) const;

    /// Bytes offset .. offset + size of any file; kCorruption when it ends before.
    Result<std::string> read(const std::string& path, std::uint64_t offset, std::uint64_t size);

private:
    Result<void> begin(const raft::GroupKey& group, const raft::SnapshotMeta& meta);

    runtime::Disk& disk_;
    const std::string directory_;
};

}  // namespace tidal::cluster
