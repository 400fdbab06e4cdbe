// storage/internal/held_deletions.h: a RocksDB file system that can postpone deletions.
//
// IngestExternalFile deletes the table it took in when it fails. When only the sync of the manifest
// was refused, the record naming that table may be on the medium all the same, and the database
// could not be opened after a crash. So nothing is deleted while a commit runs or its fate is in
// doubt.
#pragma once

#include <rocksdb/file_system.h>

#include <mutex>
#include <string>
#include <vector>

namespace tidal::storage::internal {

/// Threads: any.
class HeldDeletions final : public rocksdb::FileSystemWrapper {
public:
    explicit HeldDeletions(const std::shared_ptr<rocksdb::FileSystem>& target)
        : FileSystemWrapper(target) {}
    const char* Name() const override { return "HeldDeletions"; }

    /// From here on DeleteFile only takes note.
    void hold();
    /// Ends the hold. The caller deletes what it finds to be unused, by `target()`; what it forgets
    /// RocksDB removes when it opens next.
    std::vector<std::string> release();

    rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* debug) override;

private:
    std::mutex mutex_;
    // Guarded by mutex_.
    bool held_ = false;
    std::vector<std::string> noted_;
};

}  // namespace tidal::storage::internal
