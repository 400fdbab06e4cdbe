// storage/shard_store.h: one shard's checkpointed state: rows and pages, one consistent cut.
// Formats: docs/formats/pages.md, docs/formats/rows.md.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/runtime.h"
#include "storage/page_arena.h"
#include "storage/row_engine.h"

namespace tidal::storage {

/// Rows and pages of one shard. apply changes them in memory only; a checkpoint makes one cut of
/// both durable together with its log index:
///
///     begin_checkpoint(i)          in the monitor: freezes rows and pages as they are now
///     while (!copy_out(n))         in the monitor, in slices: takes frozen pages out; rows that
///                                  follow memory come as they were then (put_frozen)
///     write_checkpoint()           outside the monitor (background thread): page file synced, then
///                                  rows, index and page directory in one atomic RowEngine batch
///     finish_checkpoint(ok)        in the monitor: drops the frozen generation, or after an error
///                                  (kDiskFull) gives its changes back to the next checkpoint
///
/// Memory: the pages changed since the last checkpoint exist twice from copy_out to the end of
/// write_checkpoint. Threads: in the monitor unless said otherwise.
class ShardStore {
public:
    using Visitor = absl::AnyInvocable<bool(std::string_view key, std::string_view value)>;

    /// Reads the newest checkpoint: page directory and pages (checksummed); rows stay on disk until
    /// asked for. Removes what a checkpoint that did not finish left behind. kCorruption with file
    /// and offset when a page does not match its checksum. `disk` and `rows` must outlive the
    /// store.
    static Result<std::unique_ptr<ShardStore>> open(runtime::Disk& disk, RowEngine& rows,
                                                    ShardId shard, std::string_view directory);
    virtual ~ShardStore() = default;

    /// Newest of: change since the last freeze, frozen change, row on disk.
    virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
    virtual void put(std::string_view key, std::string_view value) = 0;
    virtual void erase(std::string_view key) = 0;
    /// A row as it was when the checkpoint under way began, for rows that follow memory; before
    /// write_checkpoint(). Without one under way it is put().
    virtual void put_frozen(std::string_view key, std::string_view value) = 0;
    /// Rows with this prefix in key order, the same merged view; no change of rows inside the
    /// visitor.
    virtual Result<void> scan(std::string_view prefix, Visitor visitor) = 0;
    virtual PageArena& pages() = 0;

    /// 0 = none yet.
    virtual LogIndex checkpoint_index() const = 0;
    virtual void begin_checkpoint(LogIndex index) = 0;
    /// At most `pages_max` more pages, some 4 to 8 µs each: 24 keep a slice below 200 µs. True when
    /// all are out.
    virtual bool copy_out(std::size_t pages_max) = 0;
    /// Outside the monitor, after copy_out returned true. kDiskFull: nothing changed, try a later
    /// checkpoint. kIo: the medium refused; after a crash either checkpoint may be the newest.
    virtual Result<void> write_checkpoint() = 0;
    /// Rows of the newest durable checkpoint, as scan(). Outside the monitor, where
    /// write_checkpoint() runs, but not beside it.
    virtual Result<void> scan_checkpoint(std::string_view prefix, Visitor visitor) = 0;
    /// `ok` = write_checkpoint succeeded. False also gives up a checkpoint that never got so far.
    virtual void finish_checkpoint(bool ok) = 0;
    virtual bool checkpoint_under_way() const = 0;
    /// Frees up to so many changed rows of the last checkpoint, which changes do as well, a few
    /// each. True when none is left.
    virtual bool shed(std::size_t rows_max) = 0;
    /// Bytes of changed rows and pages that the next checkpoint would write.
    virtual std::uint64_t dirty_bytes() const = 0;
};

/// Folder of a shard's page files below the store's folder: "s0001".
std::string shard_folder(ShardId shard);

}  // namespace tidal::storage
