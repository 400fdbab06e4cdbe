// storage/internal/snapshot_file.h: a shard's snapshot file, written and read front to back
// (docs/formats/shard-snapshot.md).
//
//     head 64 B | blocks of pages | blocks of rows | end block
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "storage/page_arena.h"
#include "storage/shard_snapshot.h"

namespace tidal::storage::internal {

struct SnapshotHead {
    ShardId shard;
    LogIndex index;
    std::uint32_t pages = 0;
};
inline constexpr std::size_t kSnapshotHeadBytes = 64;
std::string encode_snapshot_head(const SnapshotHead& head);
/// kCorruption, or kIncompatible for another version or page size.
Result<SnapshotHead> decode_snapshot_head(std::string_view bytes);

enum class SnapshotBlock : std::uint32_t { kPages = 1, kRows = 2, kEnd = 3 };
inline constexpr std::size_t kSnapshotBlockHeadBytes = 12;
inline constexpr std::uint32_t kSnapshotBlockPagesMax = 64;
/// The head of a block with this payload: kind, length and checksum.
std::string encode_snapshot_block_head(SnapshotBlock kind, std::string_view payload);

/// Threads: one at a time. After an error the file is of no use.
class SnapshotFileWriter {
public:
    /// kConflict when the file exists.
    static Result<SnapshotFileWriter> create(runtime::Disk& disk, const std::string& path,
                                             const SnapshotHead& head);
    /// All of SnapshotHead::pages, by rising id, before the first row.
    /// @param  bytes  kPageBytes; `crc` is theirs.
    Result<void> add_page(PageId page, std::uint32_t crc, const std::byte* bytes);
    /// By rising key. kTooLarge when no reader would take it.
    Result<void> add_row(std::string_view key, std::string_view value);
    /// Writes the end and syncs the file, not its folder.
    Result<ShardSnapshotInfo> finish();

private:
    SnapshotFileWriter() = default;
    Result<void> flush(SnapshotBlock kind);
    Result<void> write(std::string_view bytes);

    std::unique_ptr<runtime::File> file_;
    ShardSnapshotInfo info_;
    std::uint32_t pages_expected_ = 0;
    StreamHash hash_;
    std::string block_;  ///< Payload not yet written.
    std::uint32_t block_pages_ = 0;
};

/// Reads and checks as it goes: whatever comes out is as it was written, as far as read. Errors
/// name file and offset. Threads: one at a time.
class SnapshotFileReader {
public:
    struct Page {
        PageId page;
        std::uint32_t crc = 0;
        const std::byte* bytes = nullptr;  ///< kPageBytes.
    };
    struct Row {
        std::string_view key, value;
    };

    /// kCorruption also when it is a snapshot of another shard.
    static Result<SnapshotFileReader> open(runtime::Disk& disk, const std::string& path,
                                           ShardId shard);
    const SnapshotHead& head() const { return head_; }
    /// In file order, good until the next call; nullopt when there are no more.
    Result<std::optional<Page>> next_page();
    /// After the last page. nullopt once the end has been read and is right.
    Result<std::optional<Row>> next_row();
    /// Of the whole file, once next_row() gave nullopt.
    const ShardSnapshotInfo& info() const { return info_; }

private:
    SnapshotFileReader() = default;
    Error damaged(std::string_view what) const;
    Result<void> read_head(ShardId shard);
    Result<void> read_block();
    Result<void> check_end();
    Result<void> read(std::size_t size, std::string& into);

    std::unique_ptr<runtime::File> file_;
    std::string path_;
    std::uint64_t file_bytes_ = 0;
    SnapshotHead head_;
    ShardSnapshotInfo info_;
    StreamHash hash_;
    std::uint64_t offset_ = 0;        ///< Of the next block.
    std::uint64_t block_offset_ = 0;  ///< Of the current one.
    SnapshotBlock kind_ = SnapshotBlock::kPages;
    std::string block_;      ///< Payload of the current one.
    std::size_t taken_ = 0;  ///< Of block_.
    bool ended_ = false;
    PageId page_last_;
    std::string key_last_;
};

}  // namespace tidal::storage::internal
