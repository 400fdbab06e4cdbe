#include "text/segment.h"

#include "base/codec.h"
#include "base/crc32c.h"

namespace tidal::text {
namespace {

constexpr std::string_view kMagic = "tidaltxt";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kChecked = kSegmentHeadBytes - sizeof(std::uint32_t);

Error damaged_head(std::string_view what) {
    return Error(ErrorCode::kCorruption, "text segment: " + std::string(what));
}

}  // namespace

std::string encode_segment_head(const SegmentHead& head) {
    Encoder out;
    out.raw(kMagic);
    out.u32(kVersion);
    out.u16(head.shard.value());
    out.u8(static_cast<std::uint8_t>(head.kind));
    out.u8(0);
    out.u64(head.index.value());
    out.u64(head.seed);
    out.u64(head.index_bytes);
    out.u64(head.documents_bytes);
    out.u32(head.index_crc);
    out.u32(head.documents_crc);
    out.u32(0);
    out.u32(crc32c(out.view()));
    return out.take();
}

Result<SegmentHead> decode_segment_head(std::string_view bytes) {
    if (bytes.size() < kSegmentHeadBytes || !bytes.starts_with(kMagic))
        return damaged_head("not the head of one");
    bytes = bytes.substr(0, kSegmentHeadBytes);
    Decoder in(bytes.substr(kMagic.size()));
    const std::uint32_t version = in.u32();
    if (version != kVersion)
        return Error(ErrorCode::kIncompatible, "text segment of another version")
            .with("version", version);
    SegmentHead head;
    head.shard = ShardId(in.u16());
    const std::uint8_t kind = in.u8();
    const std::uint8_t reserved = in.u8();
    head.kind = static_cast<EntityKind>(kind);
    head.index = LogIndex(in.u64());
    head.seed = in.u64();
    head.index_bytes = in.u64();
    head.documents_bytes = in.u64();
    head.index_crc = in.u32();
    head.documents_crc = in.u32();
    const std::uint32_t reserved_too = in.u32();
    if (in.u32() != crc32c(bytes.substr(0, kChecked)))
        return damaged_head("the head is damaged_head");
    if (kind >= kEntityKindCount || reserved != 0 || reserved_too != 0)
        return damaged_head("a head that nobody writes");
    return head;
}

void seal_segment(Segment* segment) {
    segment->head.index_bytes = segment->index.size();
    segment->head.documents_bytes = segment->documents.size();
    segment->head.index_crc = crc32c(segment->index);
    segment->head.documents_crc = crc32c(segment->documents);
}

Result<void> check_segment(const Segment& segment) {
    const SegmentHead& head = segment.head;
    if (segment.index.size() != head.index_bytes ||
        segment.documents.size() != head.documents_bytes)
        return damaged_head("not as long as the head says");
    if (crc32c(segment.index) != head.index_crc) return damaged_head("the index is damaged_head");
    if (crc32c(segment.documents) != head.documents_crc)
        return damaged_head("the documents are damaged_head");
    return {};
}

}  // namespace tidal::text
