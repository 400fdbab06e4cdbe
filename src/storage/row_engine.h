// storage/row_engine.h: the rows of all shards of a node, in atomic and durable batches.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/disk.h"
#include "runtime/executor.h"

namespace tidal::storage {

/// A map of byte strings. RocksDB for real (its own log off: a batch is durable when `commit`
/// returns), a deterministic map over Disk in simulation. Both pass the same contract tests.
/// Values up to 64 MiB. Threads: any; a scan sees one moment.
class RowEngine {
public:
    struct Change {
        std::string key;
        std::optional<std::string> value;  ///< nullopt = erase.
    };
    /// Changes in strictly rising key order, drawn one at a time so that a large batch is never in
    /// memory twice. May read the engine (which shows nothing of the batch), but not commit.
    class Source {
    public:
        virtual ~Source() = default;
        /// False at the end. The views are good until the next call.
        virtual bool next(std::string_view& key, std::optional<std::string_view>& value) = 0;
        /// Asked once next() was false. An error gives the batch up: commit() returns it, and
        /// nothing has changed.
        virtual Result<void> finish() { return {}; }
    };
    using Visitor = absl::AnyInvocable<bool(std::string_view key, std::string_view value)>;

    virtual ~RowEngine() = default;
    virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
    /// Rows in [begin, end) in key order until the visitor returns false; an empty `end` is above
    /// all keys. The visitor may read but not commit.
    virtual Result<void> scan(std::string_view begin, std::string_view end, Visitor visitor) = 0;
    /// All or nothing, durable on return. After an error the batch is not there, or its fate is
    /// open until `settle` succeeds: whole or not at all, now or after a crash. kDiskFull = retry
    /// once there is space; kIo = the medium refused.
    virtual Result<void> commit(Source& sorted) = 0;
    /// Decides the fate of failed commits: from then on what readers see is what a crash would
    /// leave. Cheap when nothing is open. `commit` begins with it.
    virtual Result<void> settle() = 0;
    /// Reads everything on the medium: kCorruption with file and place at the first damage.
    virtual Result<void> verify() = 0;

    /// The same for changes in any order; of equal keys the last wins.
    Result<void> commit(std::vector<Change> changes);
};

/// `native_directory` is made when absent. kConflict when another process has it open.
/// @param executors  One that is made with them reads long scans while their rows are visited;
///                   nullptr = who visits reads. Of real threads.
Result<std::unique_ptr<RowEngine>> open_rocksdb_rows(const std::string& native_directory,
                                                     runtime::ExecutorFactory* executors = nullptr);
/// Changes nothing in the directory; `commit` answers kUnsupported. kNotFound when absent.
Result<std::unique_ptr<RowEngine>> open_rocksdb_rows_read_only(const std::string& native_directory);
/// The disk must outlive the engine.
Result<std::unique_ptr<RowEngine>> open_simple_rows(runtime::Disk& disk,
                                                    std::string_view directory);

}  // namespace tidal::storage
