// wal/archive_segment.h: sealed, compressed, immutable pieces of one shard's log.
// Format: docs/formats/archive.md.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/disk.h"
#include "wal/log_range.h"

namespace tidal::wal {

inline constexpr std::size_t kSegmentHeaderBytes = 128;
inline constexpr std::size_t kSegmentBlockEntryBytes = 56;

/// What a segment says about itself.
struct SegmentInfo {
    ShardKey key;
    LogIndex first, last;
    HybridTime stamp_min, stamp_max;  ///< Of the batches: each batch's stamp is its last record's.
    std::uint64_t batches = 0;
    std::uint64_t plain_bytes = 0;
    std::uint64_t file_bytes = 0;
    bool sealed = false;  ///< Its payloads are an ArchiveCodec's; else as in the log.
    bool operator==(const SegmentInfo&) const = default;
};

/// A run of whole batches, compressed together.
struct SegmentBlock {
    std::uint64_t offset = 0;
    std::uint32_t stored_bytes = 0;
    std::uint32_t plain_bytes = 0;
    std::uint32_t batches = 0;
    std::uint32_t stored_crc = 0;
    LogIndex first, last;
    HybridTime stamp_min, stamp_max;
};

/// "r0001-s0003-00000000000000004096.seg". Where another incarnation of the shard already has that
/// name, "-i0000000a" (the incarnation, hexadecimal) stands before ".seg".
std::string segment_name(const ShardKey& key, LogIndex first, bool with_incarnation);
struct SegmentName {
    RegionId region;
    ShardId shard;
    LogIndex first;
};
/// nullopt when `name` is not that of a segment.
std::optional<SegmentName> parse_segment_name(std::string_view name);

/// Builds one segment in memory from batches in log order. Thread: one at a time.
class SegmentBuilder {
public:
    SegmentBuilder(const ShardKey& key, bool sealed);
    /// `bytes` = header and payload, as in the log or of an ArchiveCodec, verified by the caller.
    void add(const BatchHeader& header, std::string_view bytes);
    /// The whole file; at least one batch was added.
    std::string finish();
    const SegmentInfo& info() const { return info_; }

private:
    void close_block();

    SegmentInfo info_;
    SegmentBlock block_;
    std::string plain_;  ///< Of the block under way.
    std::string file_;
    std::vector<SegmentBlock> blocks_;
};

/// Reads one segment; memory is one block (256 KiB plus one batch) and the index.
/// Every byte lies under a checksum. Errors: kCorruption with file and offset, kIncompatible.
class SegmentReader {
public:
    /// Header alone, and that it belongs to the file's name.
    static Result<SegmentInfo> read_info(runtime::Disk& disk, const std::string& path);
    /// Header and index, verified.
    static Result<SegmentReader> open(runtime::Disk& disk, const std::string& path);

    const SegmentInfo& info() const { return info_; }
    const std::vector<SegmentBlock>& blocks() const { return blocks_; }
    /// The batches of one block as in the log: headers and payloads, one behind the other.
    Result<std::string> read_block(const SegmentBlock& block);

private:
    SegmentReader(std::string path, std::unique_ptr<runtime::File> file, const SegmentInfo& info)
        : path_(std::move(path)), file_(std::move(file)), info_(info) {}
    Result<void> read_index(std::uint64_t index_offset, std::uint32_t count, std::uint32_t crc);

    std::string path_;
    std::unique_ptr<runtime::File> file_;
    SegmentInfo info_;
    std::vector<SegmentBlock> blocks_;
};

}  // namespace tidal::wal
