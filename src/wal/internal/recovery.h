// wal/internal/recovery.h: what a start does with the files it finds.
//
// Invariants on return: every batch handed to the visitor is durable and will be found again; what
// lies behind the end of the log is zeros, durably, so that no remnant can follow a later append.
#pragma once

#include <optional>
#include <vector>

#include "runtime/disk.h"
#include "wal/internal/batch_scanner.h"
#include "wal/log_range.h"
#include "wal/node_log.h"

namespace tidal::wal {

struct RecoveredFile {
    std::uint64_t sequence = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t end = 0;  ///< Behind its last batch.
    ShardRanges ranges;
};

struct RecoveredLog {
    std::vector<RecoveredFile> files;  ///< In use, oldest first; the last one takes the next batch.
    std::optional<std::uint64_t> prepared;  ///< Sequence of a zero-filled file not in use yet.
    std::uint64_t cut_bytes = 0;            ///< Of a torn tail that was removed.
};

/// Runs once. Thread: the caller's. Holds one file at a time in memory.
class Recovery {
public:
    Recovery(runtime::Disk& disk, const LogOptions& options, NodeLog::Visitor& visitor)
        : disk_(disk), options_(options), visitor_(visitor) {}
    Result<RecoveredLog> run();

private:
    Result<void> list_files();
    /// The damage that ends the log in this file; nullopt when the file is good to its end.
    Result<std::optional<Damage>> scan_file(std::size_t file);
    Result<void> check_header(std::size_t file, std::uint64_t file_bytes,
                              std::uint64_t previous_end) const;
    Result<std::optional<Damage>> deliver(std::size_t file);
    /// Decides between a cut and a refusal to start.
    Result<void> resolve(std::size_t file, const Damage& damage);
    Result<std::uint64_t> latest_synced_behind(std::size_t file, const Damage& damage);
    Result<void> cut(std::size_t file, std::uint64_t offset);
    Result<void> make_tail_durable();
    Result<void> remove_file(std::size_t file);
    std::string path_of(std::size_t file) const;
    Error refuse(std::size_t file, std::uint64_t offset, std::string_view what,
                 const Error* cause) const;

    runtime::Disk& disk_;
    const LogOptions& options_;
    NodeLog::Visitor& visitor_;
    std::vector<std::uint64_t> sequences_;
    RecoveredLog log_;
    std::string image_;         ///< Of the file under way.
    std::uint64_t synced_ = 0;  ///< Greatest linear position that good headers say was synced.
};

/// The first `bytes_max` bytes of a file, or all there are, into `image`.
Result<void> read_image(runtime::Disk& disk, std::string_view path, std::uint64_t bytes_max,
                        std::string* image);
/// Hands a batch on with its payload unpacked: the header then says plain and the unpacked length.
Result<void> visit_unpacked(const ScannedBatch& batch, std::string* scratch,
                            NodeLog::Visitor& visitor);
/// Zeros from `begin` to `end`; the caller syncs.
Result<void> write_zeros(runtime::File& file, std::uint64_t begin, std::uint64_t end);

}  // namespace tidal::wal
