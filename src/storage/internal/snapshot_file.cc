#include "storage/internal/snapshot_file.h"

#include <cassert>

#include "base/codec.h"
#include "base/crc32c.h"

namespace tidal::storage::internal {
namespace {

constexpr std::string_view kSnapshotMagic = "tidalsnp";
constexpr std::uint32_t kSnapshotVersion = 1;
constexpr std::size_t kRowBlockBytes = 256 * 1024;
// A value takes up to 64 MiB (row_engine.h); the rest is for its key and for rows before it.
constexpr std::size_t kBlockBytesMax = 72 << 20;
constexpr std::size_t kPageEntryBytes = 8 + kPageBytes;
constexpr std::size_t kEndBytes = 24;
// No arena holds more.
constexpr std::uint64_t kPagesMax = PageArena::Options{}.bytes_max / kPageBytes;

std::string_view view(const std::byte* bytes) {
    return {reinterpret_cast<const char*>(bytes), kPageBytes};
}

}  // namespace

std::string encode_snapshot_head(const SnapshotHead& head) {
    Encoder out;
    out.raw(kSnapshotMagic);
    out.u32(kSnapshotVersion);
    out.u32(kPageBytes);
    out.u16(head.shard.value());
    out.u16(0);
    out.u32(head.pages);
    out.u64(head.index.value());
    out.raw(std::string(kSnapshotHeadBytes - 4 - out.size(), '\0'));
    out.u32(crc32c(out.view()));
    assert(out.size() == kSnapshotHeadBytes);
    return out.take();
}

Result<SnapshotHead> decode_snapshot_head(std::string_view bytes) {
    if (bytes.size() != kSnapshotHeadBytes || !bytes.starts_with(kSnapshotMagic))
        return Error(ErrorCode::kCorruption, "not a shard snapshot");
    Decoder tail(bytes.substr(kSnapshotHeadBytes - 4));
    if (tail.u32() != crc32c(bytes.substr(0, kSnapshotHeadBytes - 4)))
        return Error(ErrorCode::kCorruption, "shard snapshot's head does not match its checksum");
    Decoder in(bytes.substr(kSnapshotMagic.size()));
    if (const auto version = in.u32(); version != kSnapshotVersion)
        return Error(ErrorCode::kIncompatible, "shard snapshot of an unknown version")
            .with("version", version)
            .with("known", kSnapshotVersion);
    if (const auto size = in.u32(); size != kPageBytes)
        return Error(ErrorCode::kIncompatible, "shard snapshot with another page size")
            .with("bytes", size)
            .with("known", kPageBytes);
    SnapshotHead head;
    head.shard = ShardId(in.u16());
    const auto reserved = in.u16();
    head.pages = in.u32();
    head.index = LogIndex(in.u64());
    const auto rest = in.raw(in.remaining() - 4);
    if (reserved != 0 || rest.find_first_not_of('\0') != rest.npos || head.pages > kPagesMax ||
        head.index.value() == 0)
        return Error(ErrorCode::kCorruption, "shard snapshot's head makes no sense");
    return head;
}

std::string encode_snapshot_block_head(SnapshotBlock kind, std::string_view payload) {
    Encoder out;
    out.u32(static_cast<std::uint32_t>(kind));
    out.u32(static_cast<std::uint32_t>(payload.size()));
    out.u32(crc32c_extend(crc32c(out.view()), payload));
    return out.take();
}

Result<SnapshotFileWriter> SnapshotFileWriter::create(runtime::Disk& disk, const std::string& path,
                                                      const SnapshotHead& head) {
    SnapshotFileWriter writer;
    writer.info_.index = head.index;
    writer.pages_expected_ = head.pages;
    TIDAL_ASSIGN(writer.file_, disk.open(path, runtime::OpenMode::kCreate));
    TIDAL_TRY(writer.write(encode_snapshot_head(head)));
    return writer;
}

Result<void> SnapshotFileWriter::write(std::string_view bytes) {
    hash_.update(bytes);
    TIDAL_TRY(file_->write_at(info_.bytes, bytes));
    info_.bytes += bytes.size();
    return {};
}

Result<void> SnapshotFileWriter::flush(SnapshotBlock kind) {
    if (block_.empty()) return {};
    TIDAL_TRY(write(encode_snapshot_block_head(kind, block_)));
    TIDAL_TRY(write(block_));
    block_.clear();
    block_pages_ = 0;
    return {};
}

Result<void> SnapshotFileWriter::add_page(PageId page, std::uint32_t crc, const std::byte* bytes) {
    assert(info_.pages < pages_expected_ && info_.rows == 0);
    Encoder entry;
    entry.u32(page.value());
    entry.u32(crc);
    block_ += entry.view();
    block_ += view(bytes);
    ++info_.pages;
    if (++block_pages_ < kSnapshotBlockPagesMax && info_.pages < pages_expected_) return {};
    return flush(SnapshotBlock::kPages);
}

Result<void> SnapshotFileWriter::add_row(std::string_view key, std::string_view value) {
    assert(info_.pages == pages_expected_);
    Encoder row;
    row.bytes(key);
    row.varint(value.size());
    if (block_.size() + row.size() + value.size() > kBlockBytesMax)
        return Error(ErrorCode::kTooLarge, "a row is too large for a snapshot")
            .with("bytes", row.size() + value.size());
    block_ += row.view();
    block_ += value;
    ++info_.rows;
    return block_.size() < kRowBlockBytes ? Result<void>() : flush(SnapshotBlock::kRows);
}

Result<ShardSnapshotInfo> SnapshotFileWriter::finish() {
    assert(info_.pages == pages_expected_);
    TIDAL_TRY(flush(SnapshotBlock::kRows));
    info_.checksum = hash_.digest().low;
    Encoder end;
    end.u64(info_.pages);
    end.u64(info_.rows);
    end.u64(info_.checksum);
    block_ = end.take();
    TIDAL_TRY(flush(SnapshotBlock::kEnd));
    TIDAL_TRY(file_->sync());
    return info_;
}

Result<SnapshotFileReader> SnapshotFileReader::open(runtime::Disk& disk, const std::string& path,
                                                    ShardId shard) {
    SnapshotFileReader reader;
    reader.path_ = path;
    TIDAL_ASSIGN(reader.file_, disk.open(path, runtime::OpenMode::kRead));
    TIDAL_ASSIGN(reader.file_bytes_, reader.file_->size());
    TIDAL_TRY(reader.read_head(shard));
    return reader;
}

Error SnapshotFileReader::damaged(std::string_view what) const {
    return Error(ErrorCode::kCorruption, "shard snapshot: " + std::string(what))
        .with("file", path_)
        .with("offset", block_offset_);
}

Result<void> SnapshotFileReader::read(std::size_t size, std::string& into) {
    // The size is checked first, so that no length makes us reserve more than the file holds.
    if (size > file_bytes_ - offset_) return damaged("is cut short");
    into.resize(size);
    TIDAL_ASSIGN(const std::size_t got, file_->read_at(offset_, into));
    if (got != size) return damaged("is cut short");
    offset_ += size;
    return {};
}

Result<void> SnapshotFileReader::read_head(ShardId shard) {
    TIDAL_TRY(read(kSnapshotHeadBytes, block_));
    auto head = decode_snapshot_head(block_);
    if (!head) return head.take_error().with("file", path_).with("offset", std::uint64_t{0});
    head_ = *head;
    if (head_.shard != shard)
        return damaged("is another shard's")
            .with("shard", head_.shard.value())
            .with("expected", shard.value());
    hash_.update(block_);
    info_.index = head_.index;
    taken_ = block_.size();
    return {};
}

Result<void> SnapshotFileReader::read_block() {
    block_offset_ = offset_;
    std::string head;
    TIDAL_TRY(read(kSnapshotBlockHeadBytes, head));
    Decoder in(head);
    const std::uint32_t kind = in.u32();
    const std::uint32_t size = in.u32();
    if (size > kBlockBytesMax) return damaged("a block of no possible length");
    kind_ = static_cast<SnapshotBlock>(kind);
    TIDAL_TRY(read(size, block_));
    if (encode_snapshot_block_head(kind_, block_) != head)
        return damaged("a block does not match its checksum");
    taken_ = 0;
    if (kind_ == SnapshotBlock::kEnd) return {};
    const bool pages = kind_ == SnapshotBlock::kPages;
    if ((!pages && kind_ != SnapshotBlock::kRows) || size == 0 ||
        pages != (info_.pages < head_.pages))
        return damaged("a block of another kind than the head promises");
    if (pages && (size % kPageEntryBytes != 0 || size / kPageEntryBytes > kSnapshotBlockPagesMax ||
                  size / kPageEntryBytes > head_.pages - info_.pages))
        return damaged("a block with another number of pages than the head promises");
    hash_.update(head);
    hash_.update(block_);
    return {};
}

Result<std::optional<SnapshotFileReader::Page>> SnapshotFileReader::next_page() {
    if (info_.pages == head_.pages) return std::optional<Page>();
    if (taken_ == block_.size()) TIDAL_TRY(read_block());
    if (kind_ != SnapshotBlock::kPages) return damaged("pages are missing");
    Decoder in(std::string_view(block_).substr(taken_));
    Page page;
    page.page = PageId(in.u32());
    page.crc = in.u32();
    const std::string_view bytes = in.raw(kPageBytes);
    taken_ += kPageEntryBytes;
    if (page.page.value() >= kPagesMax || (info_.pages > 0 && page.page <= page_last_))
        return damaged("pages are out of order").with("page", page.page.value());
    if (crc32c(bytes) != page.crc)
        return damaged("a page does not match its checksum").with("page", page.page.value());
    page.bytes = reinterpret_cast<const std::byte*>(bytes.data());
    page_last_ = page.page;
    ++info_.pages;
    return std::optional(page);
}

Result<std::optional<SnapshotFileReader::Row>> SnapshotFileReader::next_row() {
    assert(info_.pages == head_.pages);
    if (ended_) return std::optional<Row>();
    if (taken_ == block_.size()) TIDAL_TRY(read_block());
    if (kind_ == SnapshotBlock::kEnd) {
        TIDAL_TRY(check_end());
        return std::optional<Row>();
    }
    Decoder in(std::string_view(block_).substr(taken_));
    Row row;
    row.key = in.bytes();
    row.value = in.bytes();
    if (in.failed()) return damaged("a row is malformed");
    taken_ += in.offset();
    if (info_.rows > 0 && row.key <= key_last_) return damaged("rows are out of order");
    key_last_ = row.key;
    ++info_.rows;
    return std::optional(row);
}

Result<void> SnapshotFileReader::check_end() {
    if (block_.size() != kEndBytes) return damaged("the end is malformed");
    Decoder in(block_);
    const std::uint64_t pages = in.u64();
    const std::uint64_t rows = in.u64();
    info_.checksum = in.u64();
    if (pages != info_.pages || rows != info_.rows)
        return damaged("the end counts other pages or rows than there are");
    if (info_.checksum != hash_.digest().low)
        return damaged("the end does not match the checksum of all before it");
    if (offset_ != file_bytes_) return damaged("bytes follow the end");
    info_.bytes = file_bytes_;
    ended_ = true;
    return {};
}

}  // namespace tidal::storage::internal
