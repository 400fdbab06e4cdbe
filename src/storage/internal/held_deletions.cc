#include "storage/internal/held_deletions.h"

#include <utility>

namespace tidal::storage::internal {

void HeldDeletions::hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
}

std::vector<std::string> HeldDeletions::release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    return std::exchange(noted_, {});
}

rocksdb::IOStatus HeldDeletions::DeleteFile(const std::string& name,
                                            const rocksdb::IOOptions& options,
                                            rocksdb::IODebugContext* debug) {
    {
        const std::lock_guard lock(mutex_);
        if (held_) {
            noted_.push_back(name);
            return rocksdb::IOStatus::OK();
        }
    }
    return FileSystemWrapper::DeleteFile(name, options, debug);
}

}  // namespace tidal::storage::internal
