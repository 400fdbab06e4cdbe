// wal/internal/file_preparer.h: makes the next log file ahead of its use, off the log's executor.
//
// Zero-filling 16 MiB takes tens of milliseconds: done between two groups it would be the p99.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "runtime/runtime.h"

namespace tidal::wal {

/// Threads: any. Outlives the executor it is given.
class FilePreparer {
public:
    enum class State { kIdle, kMaking, kReady, kFailed };

    FilePreparer(runtime::Disk& disk, std::string directory, std::uint64_t file_bytes)
        : disk_(disk), directory_(std::move(directory)), file_bytes_(file_bytes) {}

    /// A file found at start.
    void adopt(std::unique_ptr<runtime::File> file);
    /// Makes file `sequence` on `executor` and then calls `done` there. Only when kIdle.
    void request(std::uint64_t sequence, runtime::Executor& executor, runtime::Work done);
    /// Makes it here and now, also where an executor was stopped before it began. Not when kReady.
    void make(std::uint64_t sequence);
    State state() const;
    /// Takes what kReady or kFailed holds; kIdle afterwards.
    Result<std::unique_ptr<runtime::File>> take();

private:
    runtime::Disk& disk_;
    const std::string directory_;
    const std::uint64_t file_bytes_;
    mutable std::mutex mutex_;
    // Guarded by mutex_.
    State state_ = State::kIdle;
    std::optional<Result<std::unique_ptr<runtime::File>>> made_;
};

}  // namespace tidal::wal
