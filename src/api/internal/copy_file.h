// api/internal/copy_file.h: bytes from one disk to another, with their checksum.
#pragma once

#include <functional>
#include <string>

#include "api/backup_manifest.h"
#include "runtime/disk.h"

namespace tidal::api {

inline constexpr std::size_t kCopyChunkBytes = 1 << 20;

/// Reads a whole file in pieces.
using ChunkVisitor = std::function<Result<void>(std::string_view)>;
Result<void> read_chunks(runtime::Disk& disk, const std::string& path, const ChunkVisitor& visit);

/// A new file, written from front to back.
class FileWriter {
public:
    static Result<FileWriter> create(runtime::Disk& disk, const std::string& path);
    Result<void> write(std::string_view bytes);
    /// Synced; length and checksum of what was written.
    Result<BackupFile> finish(std::string path);
    std::uint64_t bytes() const { return written_.bytes; }

private:
    std::unique_ptr<runtime::File> file_;
    BackupFile written_;
};

std::string parent_of(std::string_view path);

}  // namespace tidal::api
