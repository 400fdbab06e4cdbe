#include "vector/graph_file.h"

#include "base/codec.h"
#include "base/crc32c.h"
#include "vector/flat_vectors.h"

namespace tidal::vector {
namespace {

constexpr std::string_view kMagic = "tidalgrf";
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kChecked = kGraphHeadBytes - sizeof(std::uint32_t);

Error damaged(std::string_view what) {
    return Error(ErrorCode::kCorruption, "graph of vectors: " + std::string(what));
}

void encode_shape(const GraphShape& shape, Encoder* out) {
    out->u32(shape.dimensions);
    out->u32(shape.row_bytes);
    out->u32(shape.nodes);
    out->u32(shape.entry);
    out->u32(shape.layers);
    out->u32(shape.upper_nodes);
    out->u32(shape.upper_lists);
}

GraphShape decode_shape(Decoder* in) {
    GraphShape out;
    out.dimensions = in->u32();
    out.row_bytes = in->u32();
    out.nodes = in->u32();
    out.entry = in->u32();
    out.layers = in->u32();
    out.upper_nodes = in->u32();
    out.upper_lists = in->u32();
    return out;
}

/// No shape that passes has parts whose offsets could overflow (GraphLayout).
bool is_possible(const GraphShape& shape) {
    return shape.dimensions != 0 && shape.dimensions <= schema::kDimensionsMax &&
           shape.row_bytes == Coder::row_bytes(shape.dimensions);
}

}  // namespace

GraphFileLayout::GraphFileLayout(const GraphHead& head)
    : rows(kGraphHeadBytes + GraphLayout(head.shape).bytes),
      row_bytes(FlatVectors::row_bytes(head.shape.dimensions, head.storage)) {
    constexpr std::size_t kAlignment = 64;
    const std::size_t end = rows + head.shape.nodes * row_bytes;
    bytes = (end + kAlignment - 1) / kAlignment * kAlignment;
}

std::string encode_graph_head(const GraphHead& head) {
    Encoder out;
    out.raw(kMagic);
    out.u32(kVersion);
    out.u16(head.shard.value());
    out.u8(static_cast<std::uint8_t>(head.kind));
    out.u8(static_cast<std::uint8_t>(head.metric));
    out.u8(static_cast<std::uint8_t>(head.storage));
    out.u8(0);
    out.u16(head.slot.value());
    out.u32(head.bytes_crc);
    out.u64(head.number);
    out.u64(head.index.value());
    out.u64(head.seed);
    encode_shape(head.shape, &out);
    out.raw(std::string(kChecked - out.size(), '\0'));
    out.u32(crc32c(out.view()));
    return out.take();
}

Result<GraphHead> decode_graph_head(std::string_view bytes) {
    if (bytes.size() < kGraphHeadBytes || !bytes.starts_with(kMagic))
        return damaged("not the head of one");
    bytes = bytes.substr(0, kGraphHeadBytes);
    Decoder in(bytes.substr(kMagic.size()));
    const std::uint32_t version = in.u32();
    if (version != kVersion)
        return Error(ErrorCode::kIncompatible, "graph of vectors of another version")
            .with("version", version);
    GraphHead head;
    head.shard = ShardId(in.u16());
    const std::uint8_t kind = in.u8(), metric = in.u8(), storage = in.u8(), reserved = in.u8();
    head.kind = static_cast<EntityKind>(kind);
    head.metric = static_cast<schema::Metric>(metric);
    head.storage = static_cast<schema::VectorStorage>(storage);
    head.slot = EmbeddingSlotId(in.u16());
    head.bytes_crc = in.u32();
    head.number = in.u64();
    head.index = LogIndex(in.u64());
    head.seed = in.u64();
    head.shape = decode_shape(&in);
    const std::string_view unused = in.raw(in.remaining() - sizeof(std::uint32_t));
    if (in.u32() != crc32c(bytes.substr(0, kChecked))) return damaged("the head is damaged");
    if (kind >= kEntityKindCount || reserved != 0 ||
        unused.find_first_not_of('\0') != std::string_view::npos || !is_possible(head.shape))
        return damaged("a head that nobody writes");
    return head;
}

}  // namespace tidal::vector
