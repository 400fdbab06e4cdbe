// runtime/disk.h: the only door to files.
//
// Paths are relative to the root given at construction ("wal/00000001.log"); "..", absolute paths
// and empty parts are kInvalidArgument. "" is the root folder itself, for list, sync_directory,
// exists, create_directories and native_path. What survives a crash: bytes written before a
// `sync()` that returned; a created, renamed or removed name after a `sync_directory()` of its
// folder that returned. Nothing else may be assumed: unsynced bytes may be kept, lost or torn at
// 512 B.
//
// Errors: kNotFound, kDiskFull (nothing or a prefix was written), kIo, kConflict (name or lock
// taken). Threads: Disk, any; one File, one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidal::runtime {

/// What a file holds, read where it lies. It stays whatever becomes of the file's name.
class MappedFile {
public:
    virtual ~MappedFile() = default;
    std::string_view bytes() const { return bytes_; }
    /// Pages that have some of a part leave the process until they are read again: for what is read
    /// seldom. Advice. Threads: any, beside readers.
    virtual void leave(std::size_t /*from*/, std::size_t /*size*/) const {}

protected:
    explicit MappedFile(std::string_view bytes) : bytes_(bytes) {}

private:
    const std::string_view bytes_;
};

class File {
public:
    virtual ~File() = default;
    /// Fills `out` from `offset`; returns the bytes read, fewer only at the end of the file.
    virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) = 0;
    virtual Result<void> write_at(std::uint64_t offset, std::string_view bytes) = 0;
    /// Returns once every byte written to this file is on the medium (fdatasync).
    virtual Result<void> sync() = 0;
    virtual Result<std::uint64_t> size() = 0;
    virtual Result<void> truncate(std::uint64_t size) = 0;
    /// All of it, from an address that is a multiple of 64; a page is the process's once it is
    /// read. For files that nobody writes any more.
    /// What the medium cannot give later ends the process: whoever needs an error reads it first.
    virtual Result<std::shared_ptr<const MappedFile>> map() = 0;
};

enum class OpenMode {
    kRead,       ///< Must exist.
    kReadWrite,  ///< Must exist.
    kCreate,     ///< Made empty; kConflict when it exists.
};

/// Held = no other process (or simulated node) holds the same lock. Released by destruction.
class DiskLock {
public:
    virtual ~DiskLock() = default;
};

class Disk {
public:
    virtual ~Disk() = default;
    virtual Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) = 0;
    /// Atomic; replaces `to`.
    virtual Result<void> rename(std::string_view from, std::string_view to) = 0;
    /// A file, or an empty folder (kConflict when it is not empty). Open handles stay usable.
    virtual Result<void> remove(std::string_view path) = 0;
    /// Every missing part; their names are on the medium when it returns. No error when all exist.
    virtual Result<void> create_directories(std::string_view path) = 0;
    virtual Result<void> sync_directory(std::string_view path) = 0;
    /// Names (not paths) in a folder, sorted. An absent folder is kNotFound.
    virtual Result<std::vector<std::string>> list(std::string_view path) = 0;
    /// A file or a folder of that name.
    virtual Result<bool> exists(std::string_view path) = 0;
    /// Makes the file when absent. kConflict names the process that holds it, when known.
    virtual Result<std::unique_ptr<DiskLock>> lock(std::string_view path) = 0;
    /// The same of a directory that is only looked at: changes nothing, and works where nothing can
    /// be written. kNotFound where there is no such file: nobody holds a lock of it.
    virtual Result<std::unique_ptr<DiskLock>> lock_to_read(std::string_view path) = 0;
    virtual Result<std::uint64_t> free_bytes() = 0;
    /// Where `path` lies for libraries that open files themselves (RocksDB); empty when simulated.
    virtual std::string native_path(std::string_view path) = 0;
};

/// What is left free for the log by those whose files can wait: a full disk ends all writes.
inline constexpr std::uint64_t kFreeForLogBytes = std::uint64_t{256} << 20;

/// As list(), but nothing where the folder is absent.
Result<std::vector<std::string>> list_if_there(Disk& disk, std::string_view folder);

/// Whole small files. `write_file` is atomic: temporary file, sync, rename, sync of the folder.
Result<std::string> read_file(Disk& disk, std::string_view path);
Result<void> write_file(Disk& disk, std::string_view path, std::string_view bytes);

}  // namespace tidal::runtime
