#include "storage/internal/page_file.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/codec.h"
#include "base/crc32c.h"

namespace tidal::storage::internal {
namespace {

constexpr std::string_view kMagic = "tidalpgs";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kSlotEntryBytes = 8;
constexpr std::size_t kAlignBytes = 4096;
constexpr std::size_t kWriteBytes = 1 << 20;
constexpr std::string_view kSuffix = ".pages";
constexpr std::size_t kNameDigits = 10;

std::string_view view(const std::byte* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::string encode_page_file_head(const PageFileHead& head) {
    Encoder out;
    out.raw(kMagic);
    out.u32(kVersion);
    out.u32(kPageBytes);
    out.u16(head.shard.value());
    out.u16(0);
    out.u32(head.count);
    out.u32(head.number.value());
    out.u32(head.table_crc);
    out.u64(head.index.value());
    out.raw(std::string(kPageFileHeadBytes - 4 - out.size(), '\0'));
    out.u32(crc32c(out.view()));
    assert(out.size() == kPageFileHeadBytes);
    return out.take();
}

Result<PageFileHead> decode_page_file_head(std::string_view bytes) {
    if (bytes.size() < kPageFileHeadBytes || !bytes.starts_with(kMagic))
        return Error(ErrorCode::kCorruption, "not a page file");
    Decoder tail(bytes.substr(kPageFileHeadBytes - 4, 4));
    if (tail.u32() != crc32c(bytes.substr(0, kPageFileHeadBytes - 4)))
        return Error(ErrorCode::kCorruption, "page file header does not match its checksum");
    Decoder in(bytes.substr(kMagic.size()));
    if (const auto version = in.u32(); version != kVersion)
        return Error(ErrorCode::kIncompatible, "page file of an unknown version")
            .with("version", version)
            .with("known", kVersion);
    if (const auto size = in.u32(); size != kPageBytes)
        return Error(ErrorCode::kIncompatible, "page file with another page size")
            .with("bytes", size)
            .with("known", kPageBytes);
    PageFileHead head;
    head.shard = ShardId(in.u16());
    in.u16();
    head.count = in.u32();
    head.number = FileNumber(in.u32());
    head.table_crc = in.u32();
    head.index = LogIndex(in.u64());
    return head;
}

std::uint64_t page_offset(std::uint32_t count, std::uint32_t slot) {
    const std::uint64_t front = kPageFileHeadBytes + std::uint64_t{count} * kSlotEntryBytes;
    return (front + kAlignBytes - 1) / kAlignBytes * kAlignBytes + std::uint64_t{slot} * kPageBytes;
}

std::string page_file_name(FileNumber number) {
    char name[32];
    std::snprintf(name, sizeof name, "%010u.pages", number.value());
    return name;
}

std::optional<FileNumber> parse_page_file_name(std::string_view name) {
    if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix))
        return std::nullopt;
    std::uint32_t number = 0;
    const char* const end = name.data() + kNameDigits;
    const auto [stop, problem] = std::from_chars(name.data(), end, number);
    if (problem != std::errc() || stop != end || number == 0) return std::nullopt;
    return FileNumber(number);
}

std::uint32_t page_crc(const std::byte* bytes) {
    return crc32c(view(bytes, kPageBytes));
}

Result<PageFileWriter> PageFileWriter::create(runtime::Disk& disk, const std::string& path,
                                              std::uint32_t count) {
    PageFileWriter writer;
    writer.count_ = count;
    writer.offset_ = page_offset(count, 0);
    TIDAL_ASSIGN(writer.file_, disk.open(path, runtime::OpenMode::kCreate));
    return writer;
}

Result<void> PageFileWriter::add(const PageToWrite& page) {
    table_.u32(page.page.value());
    table_.u32(page.crc);
    if (buffer_.capacity() < kWriteBytes) buffer_.reserve(kWriteBytes);
    buffer_ += view(page.bytes, kPageBytes);
    if (buffer_.size() < kWriteBytes) return {};
    TIDAL_TRY(file_->write_at(offset_, buffer_));
    offset_ += buffer_.size();
    buffer_.clear();
    return {};
}

Result<void> PageFileWriter::finish(PageFileHead head) {
    assert(table_.size() == std::size_t{count_} * kSlotEntryBytes);
    if (!buffer_.empty()) TIDAL_TRY(file_->write_at(offset_, buffer_));
    head.count = count_;
    head.table_crc = crc32c(table_.view());
    std::string front = encode_page_file_head(head);
    front += table_.view();
    front.resize(page_offset(count_, 0), '\0');
    TIDAL_TRY(file_->write_at(0, front));
    return file_->sync();
}

Result<void> write_page_file(runtime::Disk& disk, const std::string& path, PageFileHead head,
                             std::span<const PageToWrite> pages) {
    TIDAL_ASSIGN(auto writer,
                 PageFileWriter::create(disk, path, static_cast<std::uint32_t>(pages.size())));
    for (const PageToWrite& page : pages) TIDAL_TRY(writer.add(page));
    return writer.finish(head);
}

Result<PageFileReader> PageFileReader::open(runtime::Disk& disk, const std::string& path,
                                            ShardId shard, FileNumber number) {
    PageFileReader reader;
    reader.path_ = path;
    TIDAL_ASSIGN(reader.file_, disk.open(path, runtime::OpenMode::kRead));
    TIDAL_TRY(reader.read_head());
    if (reader.head_.shard != shard || reader.head_.number != number)
        return reader.error(ErrorCode::kCorruption, "page file of another shard or number", 0)
            .with("shard", reader.head_.shard.value())
            .with("number", reader.head_.number.value());
    return reader;
}

Error PageFileReader::error(ErrorCode code, std::string_view what, std::uint64_t offset) const {
    return Error(code, std::string(what)).with("file", path_).with("offset", offset);
}

Result<void> PageFileReader::read_head() {
    std::string head_bytes(kPageFileHeadBytes, '\0');
    TIDAL_ASSIGN(const std::size_t got, file_->read_at(0, head_bytes));
    head_bytes.resize(got);
    auto head = decode_page_file_head(head_bytes);
    if (!head) return head.take_error().with("file", path_).with("offset", std::uint64_t{0});
    head_ = *head;

    // The size is checked first, so that no count makes us reserve more than the file holds.
    TIDAL_ASSIGN(const std::uint64_t size, file_->size());
    if (size < page_offset(head_.count, head_.count))
        return error(ErrorCode::kCorruption, "page file is cut short", size);
    std::string table(std::size_t{head_.count} * kSlotEntryBytes, '\0');
    TIDAL_ASSIGN(const std::size_t table_got, file_->read_at(kPageFileHeadBytes, table));
    if (table_got != table.size() || crc32c(table) != head_.table_crc)
        return error(ErrorCode::kCorruption, "page table does not match its checksum",
                     kPageFileHeadBytes);
    Decoder in(table);
    slots_.resize(head_.count);
    for (PageFileSlot& slot : slots_) {
        slot.page = PageId(in.u32());
        slot.crc = in.u32();
    }
    return {};
}

Result<void> PageFileReader::read(std::uint32_t slot, std::span<std::byte> into) {
    const std::uint64_t offset = page_offset(head_.count, slot);
    TIDAL_ASSIGN(const std::size_t got,
                 file_->read_at(offset, {reinterpret_cast<char*>(into.data()), into.size()}));
    if (got != into.size())
        return error(ErrorCode::kCorruption, "page file is cut short", offset + got);
    return {};
}

Error PageFileReader::damaged(std::uint32_t slot, PageId page) const {
    return error(ErrorCode::kCorruption, "page does not match its checksum",
                 page_offset(head_.count, slot))
        .with("page", page.value())
        .with_hint("restore this shard from a backup or another replica");
}

}  // namespace tidal::storage::internal
