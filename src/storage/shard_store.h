// storage/shard_store.h: one shard's checkpointed state: rows and pages, one consistent cut.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/runtime.h"
#include "storage/page_arena.h"

namespace tidal::storage {

/// The rows of all shards of a node; atomic, synced batches. RocksDB for real (its own log off:
/// a batch is durable when `commit` returns, by flush), a deterministic map over Disk in simulation.
/// Both pass the same contract tests. Threads: any.
class RowEngine {
public:
    struct Change {
        std::string key;
        std::optional<std::string> value;  ///< nullopt = erase.
    };
    virtual ~RowEngine() = default;
    virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
    /// Rows in [begin, end) in key order until the visitor returns false.
    virtual Result<void> scan(std::string_view begin, std::string_view end,
                              absl::AnyInvocable<bool(std::string_view key, std::string_view value)> visitor) = 0;
    /// All or nothing, durable on return. kDiskFull leaves the old state.
    virtual Result<void> commit(const std::vector<Change>& changes) = 0;
};
Result<std::unique_ptr<RowEngine>> open_rocksdb_rows(const std::string& native_directory);
Result<std::unique_ptr<RowEngine>> open_simple_rows(runtime::Disk& disk, std::string_view directory);

/// Rows and pages of one shard. apply changes them in memory only; a checkpoint makes one cut of
/// both durable together with its log index:
///
///     begin_checkpoint(i)          in the monitor: freezes rows and pages as they are now
///     while (!copy_out(n))         in the monitor, in slices: takes frozen pages out
///     write_checkpoint()           outside the monitor (background thread): page file synced, then
///                                  rows, index and page directory in one atomic RowEngine batch
///     finish_checkpoint(ok)        in the monitor: drops the frozen generation, or after an error
///                                  (kDiskFull) gives its changes back to the next checkpoint
///
/// Threads: in the monitor unless said otherwise.
class ShardStore {
public:
    /// Reads the newest checkpoint: page directory and pages (checksummed); rows stay on disk until
    /// asked for. kCorruption with file and offset when a page does not match its checksum.
    static Result<std::unique_ptr<ShardStore>> open(runtime::Disk& disk, RowEngine& rows, ShardId shard,
                                                    std::string_view directory);
    virtual ~ShardStore() = default;

    /// Newest of: change since the last freeze, frozen change, row on disk.
    virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
    virtual void put(std::string_view key, std::string_view value) = 0;
    virtual void erase(std::string_view key) = 0;
    /// Rows with this prefix in key order, the same merged view; no change of rows inside the visitor.
    virtual Result<void> scan(std::string_view prefix,
                              absl::AnyInvocable<bool(std::string_view key, std::string_view value)> visitor) = 0;
    virtual PageArena& pages() = 0;

    /// 0 = none yet.
    virtual LogIndex checkpoint_index() const = 0;
    virtual void begin_checkpoint(LogIndex index) = 0;
    virtual bool copy_out(std::size_t pages_max) = 0;
    virtual Result<void> write_checkpoint() = 0;
    virtual void finish_checkpoint(bool ok) = 0;
    virtual bool checkpoint_under_way() const = 0;
    /// Bytes of changed rows and pages that the next checkpoint would write.
    virtual std::uint64_t dirty_bytes() const = 0;
};

}  // namespace tidal::storage
