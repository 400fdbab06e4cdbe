// wal/internal/log_writer.h: fills log files: one buffer, few writes, one fdatasync per group.
//
// Invariant: what is behind `end()` in the file is zeros, but for the group under way.
// Invariant: no write ends inside a sector unless a sync follows before the next write. Otherwise a
//            crash could leave half a sector of a batch, which recovery would not take for a tear.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "runtime/disk.h"
#include "wal/internal/log_format.h"

namespace tidal::wal {

/// Makes `directory`/<sequence>.log of zeros, durably with its name, and opens it. Made under
/// another name first: a log file always has its whole size, so that a full disk shows here and not
/// in the middle of an append, and an fdatasync of the log has no metadata to write.
/// @return kDiskFull: nothing is left behind.
Result<std::unique_ptr<runtime::File>> make_log_file(runtime::Disk& disk,
                                                     const std::string& directory,
                                                     std::uint64_t sequence,
                                                     std::uint64_t file_bytes);

/// Thread: one at a time. After any error but those of scrub(), call scrub() or give up.
class LogWriter {
public:
    /// Continues `file` behind `end`; everything up to there is durable. `end` 0 = a prepared file.
    void resume(std::unique_ptr<runtime::File> file, std::uint64_t sequence,
                std::uint64_t file_bytes, std::uint64_t end);
    /// Begins a prepared file; the one before has been synced to its end.
    void start(std::unique_ptr<runtime::File> file, std::uint64_t sequence,
               std::uint64_t file_bytes);

    bool fits(std::size_t payload_bytes) const;
    /// Buffers the batch, and writes where the buffer is full. Length and distance are filled in.
    Result<void> put(BatchHeader& header, std::string_view payload);
    /// Hands what is buffered to the disk; sync() follows before the next put().
    Result<void> write();
    /// Everything written is durable afterwards. No error of it can be repaired, a full disk
    /// included.
    Result<void> sync();
    /// Takes back, durably, what was put since the last sync. May be repeated after kDiskFull.
    Result<void> scrub();

    /// Behind the last batch put; {sequence, 0} while the file is not in use.
    LogPosition end() const { return {sequence_, end_}; }

private:
    static constexpr std::size_t kBufferBytes = 1 << 20;
    struct Free {
        void operator()(char* bytes) const { std::free(bytes); }
    };

    Result<void> put_file_header();
    Result<void> put_bytes(std::string_view bytes);
    void rewind_buffer();

    const std::unique_ptr<char, Free> buffer_{
        static_cast<char*>(std::aligned_alloc(4096, kBufferBytes))};
    std::uint64_t buffer_begin_ =
        0;                       ///< File offset of the buffer's first byte, a multiple of 4096.
    std::uint64_t written_ = 0;  ///< File offset of the first byte not handed to the disk.

    std::unique_ptr<runtime::File> file_;
    std::uint64_t sequence_ = 0;
    std::uint64_t file_bytes_ = 0;
    std::uint64_t end_ = 0;
    LogPosition previous_end_;  ///< Of the file before.
    LogPosition synced_;
    std::uint64_t touched_ = 0;  ///< Nothing was ever written at or behind this offset.
};

}  // namespace tidal::wal
