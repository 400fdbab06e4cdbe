#include "wal/archive_segment.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdio>

#include "base/codec.h"
#include "base/crc32c.h"
#include "wal/internal/log_format.h"
#include "wal/internal/zstd.h"

namespace tidal::wal {
namespace {

constexpr std::string_view kSegmentMagic = "TIDLSEG\n";
constexpr std::uint16_t kVersionAsLogged = 1;
constexpr std::uint16_t kVersionSealed = 2;
constexpr std::size_t kSegmentCrcAt = kSegmentHeaderBytes - 4;
constexpr std::size_t kBlockPlainBytes = 256 << 10;
constexpr std::size_t kBlockPlainBytesMax =
    kBlockPlainBytes + kBatchHeaderBytes + kBatchPayloadBytesMax;
constexpr int kCompressionLevel = 3;
constexpr std::string_view kSegmentAdvice =
    "take the segment from a replica or a backup, or remove it: the signals in it are then missing "
    "from exports";

struct SegmentLayout {
    SegmentInfo info;
    std::uint64_t index_offset = 0;
    std::uint32_t block_count = 0;
    std::uint32_t index_crc = 0;
};

std::string encode_segment_header(const SegmentLayout& layout) {
    Encoder out;
    out.raw(kSegmentMagic);
    out.u16(layout.info.sealed ? kVersionSealed : kVersionAsLogged);
    out.u16(kSegmentHeaderBytes);
    out.u32(0);  // Flags.
    const auto& info = layout.info;
    out.u16(info.key.region.value());
    out.u16(info.key.shard.value());
    out.u32(info.key.incarnation.value());
    out.u64(info.first.value());
    out.u64(info.last.value());
    out.u64(info.stamp_min.bits());
    out.u64(info.stamp_max.bits());
    out.u64(info.batches);
    out.u64(info.plain_bytes);
    out.u64(layout.index_offset);
    out.u32(layout.block_count);
    out.u32(layout.index_crc);
    out.raw(std::string(kSegmentCrcAt - out.size(), '\0'));
    out.u32(crc32c(out.view()));
    return out.take();
}

Result<SegmentLayout> decode_segment_header(std::string_view bytes) {
    const auto damaged = [](std::string_view field) {
        return Error(ErrorCode::kCorruption, "segment header: wrong " + std::string(field));
    };
    if (bytes.size() != kSegmentHeaderBytes) return damaged("size");
    Decoder in(bytes);
    if (in.raw(kSegmentMagic.size()) != kSegmentMagic) return damaged("magic");
    const auto version = in.u16();
    const auto length = in.u16();
    const auto flags = in.u32();
    SegmentLayout layout;
    auto& info = layout.info;
    info.key.region = RegionId(in.u16());
    info.key.shard = ShardId(in.u16());
    info.key.incarnation = Incarnation(in.u32());
    info.first = LogIndex(in.u64());
    info.last = LogIndex(in.u64());
    info.stamp_min = HybridTime::from_bits(in.u64());
    info.stamp_max = HybridTime::from_bits(in.u64());
    info.batches = in.u64();
    info.plain_bytes = in.u64();
    layout.index_offset = in.u64();
    layout.block_count = in.u32();
    layout.index_crc = in.u32();
    const bool spare_zero = all_zero(in.raw(kSegmentCrcAt - in.offset()));
    if (in.u32() != crc32c(bytes.substr(0, kSegmentCrcAt))) return damaged("checksum");
    info.sealed = version == kVersionSealed;
    if ((version != kVersionAsLogged && !info.sealed) || length != kSegmentHeaderBytes ||
        flags != 0 || !spare_zero)
        return Error(ErrorCode::kIncompatible, "segment header: written by a later version");
    if (layout.block_count == 0 || info.first > info.last) return damaged("range");
    if (layout.index_offset > (1ULL << 40)) return damaged("index offset");
    info.file_bytes =
        layout.index_offset + std::uint64_t{kSegmentBlockEntryBytes} * layout.block_count;
    return layout;
}

void encode_block_entry(const SegmentBlock& block, Encoder* out) {
    out->u64(block.offset);
    out->u32(block.stored_bytes);
    out->u32(block.plain_bytes);
    out->u32(block.batches);
    out->u32(block.stored_crc);
    out->u64(block.first.value());
    out->u64(block.last.value());
    out->u64(block.stamp_min.bits());
    out->u64(block.stamp_max.bits());
}

SegmentBlock decode_block_entry(Decoder& in) {
    SegmentBlock block;
    block.offset = in.u64();
    block.stored_bytes = in.u32();
    block.plain_bytes = in.u32();
    block.batches = in.u32();
    block.stored_crc = in.u32();
    block.first = LogIndex(in.u64());
    block.last = LogIndex(in.u64());
    block.stamp_min = HybridTime::from_bits(in.u64());
    block.stamp_max = HybridTime::from_bits(in.u64());
    return block;
}

template <typename T>
void widen(T& range, LogIndex first, LogIndex last, HybridTime stamp) {
    const bool empty = range.batches == 0;
    range.first = empty ? first : std::min(range.first, first);
    range.last = std::max(range.last, last);
    range.stamp_min = empty ? stamp : std::min(range.stamp_min, stamp);
    range.stamp_max = std::max(range.stamp_max, stamp);
    ++range.batches;
}

Error at(Error error, const std::string& path, std::uint64_t offset) {
    return std::move(error).with("file", path).with("offset", offset).with_hint(kSegmentAdvice);
}

/// Takes `prefix` and a decimal number off the front of `text`.
template <typename IdType>
bool take_number(std::string_view& text, std::string_view prefix, IdType* out) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    typename IdType::number_type number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc()) return false;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    *out = IdType(number);
    return true;
}

struct OpenSegment {
    std::unique_ptr<runtime::File> file;
    SegmentLayout layout;
};

Result<OpenSegment> open_segment(runtime::Disk& disk, const std::string& path) {
    TIDAL_ASSIGN(auto file, disk.open(path, runtime::OpenMode::kRead));
    std::string bytes(kSegmentHeaderBytes, '\0');
    TIDAL_ASSIGN(const auto got, file->read_at(0, bytes));
    bytes.resize(got);
    auto layout = decode_segment_header(bytes);
    if (!layout) return at(layout.take_error(), path, 0);
    const auto& info = layout->info;
    const auto name = parse_segment_name(std::string_view(path).substr(path.rfind('/') + 1));
    if (!name || name->region != info.key.region || name->shard != info.key.shard ||
        name->first != info.first)
        return at(Error(ErrorCode::kCorruption, "a segment carries another segment's name"), path,
                  0);
    TIDAL_ASSIGN(const auto size, file->size());
    if (size != layout->info.file_bytes)
        return at(Error(ErrorCode::kCorruption, "a segment has not the size its header says"), path,
                  std::min(size, layout->info.file_bytes));
    return OpenSegment{std::move(file), *layout};
}

}  // namespace

std::string segment_name(const ShardKey& key, LogIndex first, bool with_incarnation) {
    char name[80];
    int used =
        std::snprintf(name, sizeof(name), "r%04u-s%04u-%020llu", unsigned{key.region.value()},
                      unsigned{key.shard.value()}, static_cast<unsigned long long>(first.value()));
    if (with_incarnation)
        used += std::snprintf(name + used, sizeof(name) - static_cast<std::size_t>(used), "-i%08x",
                              key.incarnation.value());
    return std::string(name, static_cast<std::size_t>(used)) + ".seg";
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
    SegmentName parsed;
    if (!take_number(name, "r", &parsed.region) || !take_number(name, "-s", &parsed.shard) ||
        !take_number(name, "-", &parsed.first))
        return std::nullopt;
    constexpr std::size_t kIncarnationBytes = 10;  // "-i" and eight digits.
    if (name.starts_with("-i") && name.size() > kIncarnationBytes)
        name.remove_prefix(kIncarnationBytes);
    if (name != ".seg") return std::nullopt;
    return parsed;
}

SegmentBuilder::SegmentBuilder(const ShardKey& key, bool sealed)
    : file_(kSegmentHeaderBytes, '\0') {
    info_.key = key;
    info_.sealed = sealed;
}

void SegmentBuilder::add(const BatchHeader& header, std::string_view bytes) {
    assert(key_of(header) == info_.key);
    if (!plain_.empty() && plain_.size() + bytes.size() > kBlockPlainBytes) close_block();
    widen(info_, header.first_index, header.last_index(), header.stamp);
    widen(block_, header.first_index, header.last_index(), header.stamp);
    plain_.append(bytes);
}

void SegmentBuilder::close_block() {
    const auto packed = zstd_pack(plain_, kCompressionLevel);
    block_.offset = file_.size();
    block_.stored_bytes = static_cast<std::uint32_t>(packed.size());
    block_.plain_bytes = static_cast<std::uint32_t>(plain_.size());
    block_.stored_crc = crc32c(packed);
    info_.plain_bytes += plain_.size();
    blocks_.push_back(block_);
    file_.append(packed);
    block_ = {};
    plain_.clear();
}

std::string SegmentBuilder::finish() {
    close_block();
    Encoder index;
    for (const auto& block : blocks_) encode_block_entry(block, &index);
    const SegmentLayout layout{info_, file_.size(), static_cast<std::uint32_t>(blocks_.size()),
                               crc32c(index.view())};
    file_.append(index.view());
    file_.replace(0, kSegmentHeaderBytes, encode_segment_header(layout));
    info_.file_bytes = file_.size();
    return std::move(file_);
}

Result<SegmentInfo> SegmentReader::read_info(runtime::Disk& disk, const std::string& path) {
    TIDAL_ASSIGN(const auto segment, open_segment(disk, path));
    return segment.layout.info;
}

Result<SegmentReader> SegmentReader::open(runtime::Disk& disk, const std::string& path) {
    TIDAL_ASSIGN(auto segment, open_segment(disk, path));
    const auto& layout = segment.layout;
    SegmentReader reader(path, std::move(segment.file), layout.info);
    TIDAL_TRY(reader.read_index(layout.index_offset, layout.block_count, layout.index_crc));
    return reader;
}

Result<void> SegmentReader::read_index(std::uint64_t index_offset, std::uint32_t count,
                                       std::uint32_t crc) {
    std::string bytes(std::size_t{kSegmentBlockEntryBytes} * count, '\0');
    TIDAL_ASSIGN(const auto got, file_->read_at(index_offset, bytes));
    bytes.resize(got);
    const auto damaged = [&](std::string_view what) {
        return at(Error(ErrorCode::kCorruption, std::string(what)), path_, index_offset);
    };
    if (crc32c(bytes) != crc) return damaged("the index of a segment has a wrong checksum");
    Decoder in(bytes);
    std::uint64_t expected_offset = kSegmentHeaderBytes;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto block = decode_block_entry(in);
        if (block.offset != expected_offset || block.plain_bytes > kBlockPlainBytesMax)
            return damaged("the blocks of a segment do not follow one another");
        expected_offset += block.stored_bytes;
        blocks_.push_back(block);
    }
    if (expected_offset != index_offset)
        return damaged("the blocks of a segment do not end where its index begins");
    return {};
}

Result<std::string> SegmentReader::read_block(const SegmentBlock& block) {
    std::string stored(block.stored_bytes, '\0');
    TIDAL_ASSIGN(const auto got, file_->read_at(block.offset, stored));
    stored.resize(got);
    if (crc32c(stored) != block.stored_crc)
        return at(Error(ErrorCode::kCorruption, "a block of a segment has a wrong checksum"), path_,
                  block.offset);
    std::string plain;
    if (auto unpacked = zstd_unpack(stored, block.plain_bytes, &plain); !unpacked)
        return at(unpacked.take_error(), path_, block.offset);
    return plain;
}

}  // namespace tidal::wal
