#include "storage/internal/info_log_files.h"

#include <utility>

namespace tidal::storage::internal {
namespace {

using rocksdb::IOOptions;
using rocksdb::IOStatus;

/// Says that every write succeeded.
class LossyFile final : public rocksdb::FSWritableFileOwnerWrapper {
public:
    explicit LossyFile(std::unique_ptr<rocksdb::FSWritableFile> file)
        : FSWritableFileOwnerWrapper(std::move(file)) {}

    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                    rocksdb::IODebugContext* debug) override {
        return forgiven(target()->Append(data, options, debug));
    }
    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                    const rocksdb::DataVerificationInfo& info,
                    rocksdb::IODebugContext* debug) override {
        return forgiven(target()->Append(data, options, info, debug));
    }
    IOStatus Flush(const IOOptions& options, rocksdb::IODebugContext* debug) override {
        return forgiven(target()->Flush(options, debug));
    }
    IOStatus Sync(const IOOptions& options, rocksdb::IODebugContext* debug) override {
        return forgiven(target()->Sync(options, debug));
    }
    IOStatus Fsync(const IOOptions& options, rocksdb::IODebugContext* debug) override {
        return forgiven(target()->Fsync(options, debug));
    }
    IOStatus RangeSync(std::uint64_t offset, std::uint64_t bytes, const IOOptions& options,
                       rocksdb::IODebugContext* debug) override {
        return forgiven(target()->RangeSync(offset, bytes, options, debug));
    }
    IOStatus Close(const IOOptions& options, rocksdb::IODebugContext* debug) override {
        return forgiven(target()->Close(options, debug));
    }

private:
    static IOStatus forgiven(const IOStatus& status) {
        status.PermitUncheckedError();
        return IOStatus::OK();
    }
};

}  // namespace

IOStatus InfoLogFiles::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) {
    auto made = FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (made.ok() && name.ends_with("/LOG")) *file = std::make_unique<LossyFile>(std::move(*file));
    return made;
}

/// FileSystem's own makes the log's file by NewWritableFile above; the target's would not.
IOStatus InfoLogFiles::NewLogger(const std::string& name, const IOOptions& options,
                                 std::shared_ptr<rocksdb::Logger>* logger,
                                 rocksdb::IODebugContext* debug) {
    return FileSystem::NewLogger(name, options, logger, debug);
}

}  // namespace tidal::storage::internal
