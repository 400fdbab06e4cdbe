// storage/internal/page_file.h: one file of pages as a checkpoint writes it
// (docs/formats/pages.md).
//
//     header 64 B | table: count x {page, crc} | zeros to 4 KiB | count x 16 KiB
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/codec.h"
#include "runtime/disk.h"
#include "storage/internal/page_directory.h"

namespace tidal::storage::internal {

struct PageFileHead {
    ShardId shard;
    FileNumber number;
    LogIndex index;           ///< Checkpoint that wrote the file.
    std::uint32_t count = 0;  ///< Slots.
    std::uint32_t table_crc = 0;
};

struct PageFileSlot {
    PageId page;
    std::uint32_t crc = 0;
};

/// A page and its bytes to write.
struct PageToWrite {
    PageId page;
    const std::byte* bytes = nullptr;  ///< kPageBytes.
    std::uint32_t crc = 0;
};

std::string encode_page_file_head(const PageFileHead& head);
/// kCorruption, or kIncompatible for another version or page size.
Result<PageFileHead> decode_page_file_head(std::string_view bytes);
inline constexpr std::size_t kPageFileHeadBytes = 64;

/// Offset of a slot's bytes in a file of `count` slots.
std::uint64_t page_offset(std::uint32_t count, std::uint32_t slot);

/// "0000000042.pages".
std::string page_file_name(FileNumber number);
std::optional<FileNumber> parse_page_file_name(std::string_view name);

std::uint32_t page_crc(const std::byte* bytes);

/// Makes one page file, slot by slot; the head comes last. After an error it may exist in part.
class PageFileWriter {
public:
    /// @param  count  Slots it will have.
    static Result<PageFileWriter> create(runtime::Disk& disk, const std::string& path,
                                         std::uint32_t count);
    /// The next slot; the bytes are copied.
    Result<void> add(const PageToWrite& page);
    /// Writes head and table and syncs the file, not its folder.
    Result<void> finish(PageFileHead head);

private:
    PageFileWriter() = default;

    std::unique_ptr<runtime::File> file_;
    std::uint32_t count_ = 0;
    std::uint64_t offset_ = 0;  ///< Where buffer_ goes.
    std::string buffer_;        ///< Pages not yet written.
    Encoder table_;
};

/// Makes the file with these pages in slot order and syncs it, not its folder. After an error the
/// file may exist in part.
Result<void> write_page_file(runtime::Disk& disk, const std::string& path, PageFileHead head,
                             std::span<const PageToWrite> pages);

/// Reads one page file, checking as it goes. Every error names the path, damage also the offset.
class PageFileReader {
public:
    /// Reads header and table. kNotFound when absent, kCorruption also when it is another shard's
    /// or another number's file.
    static Result<PageFileReader> open(runtime::Disk& disk, const std::string& path, ShardId shard,
                                       FileNumber number);
    const PageFileHead& head() const { return head_; }
    const std::vector<PageFileSlot>& slots() const { return slots_; }
    /// Reads `into.size() / kPageBytes` consecutive slots, without looking at their checksums.
    Result<void> read(std::uint32_t slot, std::span<std::byte> into);
    /// The error for bytes of a slot that do not match `crc`.
    Error damaged(std::uint32_t slot, PageId page) const;

private:
    PageFileReader() = default;
    Error error(ErrorCode code, std::string_view what, std::uint64_t offset) const;
    Result<void> read_head();

    std::unique_ptr<runtime::File> file_;
    std::string path_;
    PageFileHead head_;
    std::vector<PageFileSlot> slots_;
};

}  // namespace tidal::storage::internal
