// api/backups.h: the backups of one database in one directory: making, listing, removing.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/backup.h"
#include "api/database.h"

namespace tidal::api {

struct BackupReport {
    enum class State { kRunning, kDone, kFailed };
    std::string name;
    State state = State::kRunning;
    std::uint64_t bytes = 0;        ///< Written so far, or in all.
    std::uint64_t bytes_total = 0;  ///< While it runs: of the files; rows come on top.
    std::string error;              ///< kFailed: why.
    BackupManifest manifest;        ///< kDone.
};

/// Of a backup that is about to be made: whose it is, and under which schema.
BackupManifest manifest_of(Database& database, UnixMillis taken_ms);

/// One backup runs at a time, on the executor of checkpoints: writes and reads go on, checkpoints
/// wait for it. Threads: any; all but `create` read or write files on the caller's thread.
/// Lifetime: in a shared_ptr, which a backup under way holds; disk and runtime outlive the
/// database.
class Backups : public std::enable_shared_from_this<Backups> {
public:
    Backups(Database& database, runtime::Runtime& runtime, runtime::Disk& disk)
        : database_(database), runtime_(runtime), disk_(disk) {}

    /// Removes what a backup that did not finish left behind. Call once, before the others.
    Result<void> open();
    /// Begins one; what becomes of it, find() tells. Names are 1 to 64 letters, digits, '-' and
    /// '_'. kInvalidArgument: another name. kConflict: it exists, or another one runs. kUnsupported
    /// with --ephemeral.
    Result<BackupReport> create(const std::string& name);
    /// By name. A damaged manifest is a kFailed report.
    Result<std::vector<BackupReport>> list();
    Result<BackupReport> find(const std::string& name);
    /// kConflict while it runs. A failed one is forgotten.
    Result<void> remove(const std::string& name);
    /// Gives up the one that runs and takes no more.
    void stop();

private:
    struct Job {
        std::string name;
        BackupProgress progress;
        bool running = true;
        std::string error;
    };
    void run(const std::shared_ptr<Job>& job, const HeldFiles& files);
    BackupReport report_locked(const Job& job) const;
    Result<BackupReport> stored(const std::string& name);
    std::shared_ptr<Job> job_of(const std::string& name);

    Database& database_;
    runtime::Runtime& runtime_;
    runtime::Disk& disk_;
    std::mutex mutex_;          ///< Guards what follows.
    std::shared_ptr<Job> job_;  ///< Running, or failed last.
    bool stopped_ = false;
};

}  // namespace tidal::api
