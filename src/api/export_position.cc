#include "api/internal/export_position.h"

#include "base/base64url.h"
#include "base/codec.h"

namespace tidal::api {
namespace {
constexpr std::uint8_t kPositionVersion = 2;
}

std::string encode_position(const ExportPosition& position) {
    Encoder out;
    out.u8(kPositionVersion);
    out.varint(position.at.value());
    out.varint(position.next.size());
    for (const LogIndex index : position.next) out.varint(index.value());
    return base64url_encode(out.view());
}

Result<ExportPosition> decode_position(const std::string& text, std::size_t shards) {
    ExportPosition position(shards);
    if (text.empty()) return position;
    const auto bytes = base64url_decode(text);
    Decoder in(bytes ? std::string_view(*bytes) : std::string_view());
    const bool version = in.u8() == kPositionVersion;
    const std::uint64_t at = in.varint();
    const bool fits = version && at > 0 && at <= shards && in.varint() == shards;
    position.at = ShardId(static_cast<std::uint16_t>(at));
    for (std::size_t i = 0; fits && i < shards; ++i) position.next[i] = LogIndex(in.varint());
    if (fits && in.finish("position")) return position;
    return Error(ErrorCode::kInvalidArgument, "not a position of an export")
        .with_field("position")
        .with_hint("send the `position` of an earlier page unchanged");
}

}  // namespace tidal::api
