// storage/internal/info_log_files.h: a RocksDB file system whose info log never fails.
//
// RocksDB 7.8.3 goes on writing its info log (the file LOG) after a write of it failed, and asserts
// in WritableFileWriter::Append that nobody does. Debian builds the assertion in, so that a full
// disk would end the process with SIGABRT. What the log cannot hold is lost; nothing else is.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>
#include <string>

namespace tidal::storage::internal {

/// Threads: any. All other files are the target's.
class InfoLogFiles final : public rocksdb::FileSystemWrapper {
public:
    explicit InfoLogFiles(const std::shared_ptr<rocksdb::FileSystem>& target)
        : FileSystemWrapper(target) {}
    const char* Name() const override { return "InfoLogFiles"; }

    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus NewLogger(const std::string& name, const rocksdb::IOOptions& options,
                                std::shared_ptr<rocksdb::Logger>* logger,
                                rocksdb::IODebugContext* debug) override;
};

}  // namespace tidal::storage::internal
