// storage/shard_snapshot.h: a shard's newest checkpoint as one file, and back.
// Format: docs/formats/shard-snapshot.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "runtime/disk.h"
#include "storage/row_engine.h"

namespace tidal::storage {

struct ShardSnapshotInfo {
    LogIndex index;              ///< Of the checkpoint: the last record whose effect is in it.
    std::uint64_t bytes = 0;     ///< Of the file.
    std::uint64_t checksum = 0;  ///< Of all bytes before the end: names these very bytes.
    std::uint64_t rows = 0;
    std::uint64_t pages = 0;
    bool operator==(const ShardSnapshotInfo&) const = default;
};

/// Copies rows and pages of the newest durable checkpoint of `shard` into a new file at `path`,
/// and syncs it and its folder. A file already there is replaced: who reads the old one keeps it.
/// Memory: some MiB, one row (64 MiB at most), and 20 bytes a page. Threads: any, beside the shard
/// at work, but no checkpoint of the shard may be written (ShardStore::write_checkpoint) meanwhile.
/// @param  directory  The shard's page files, as given to ShardStore::open.
/// @param  path       On `disk`; its folder exists.
/// @return kNotFound      the shard has no checkpoint yet.
///         kCorruption    a page of the checkpoint does not match its checksum; names file, offset.
///         kDiskFull, kIo also of the file; nothing is left at `path`, unless it cannot be removed.
Result<ShardSnapshotInfo> write_shard_snapshot(runtime::Disk& disk, RowEngine& rows, ShardId shard,
                                               std::string_view directory, const std::string& path);

/// Reads the whole file and believes nothing: checksums, order, counts, the end.
/// @return kCorruption    with file and offset; also when it is another shard's.
///         kIncompatible  a version not known here.
Result<ShardSnapshotInfo> check_shard_snapshot(runtime::Disk& disk, const std::string& path,
                                               ShardId shard);

/// Makes the snapshot the shard's checkpoint, durably; ShardStore::open then gives exactly its
/// state. A crash at any moment leaves the old checkpoint or the new one, whole: new page files are
/// synced first, then one batch of the row engine erases the old rows and brings the new ones, the
/// page directory and the index. What is left of the old page files goes at ShardStore::open, what
/// a failed call leaves at the next call or open. Reads the file once and checks it on the way.
/// No ShardStore may be open for the shard meanwhile. Memory: as for writing, and the engine's.
/// @return kCorruption, kIncompatible  as check_shard_snapshot; the old checkpoint stays.
///         kDiskFull                   the old checkpoint stays; may be tried again.
///         kIo                         the medium refused; after a crash either may be the newest.
Result<ShardSnapshotInfo> install_shard_snapshot(runtime::Disk& disk, RowEngine& rows,
                                                 ShardId shard, std::string_view directory,
                                                 const std::string& path);

}  // namespace tidal::storage
