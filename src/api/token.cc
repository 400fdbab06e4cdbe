#include "api/token.h"

#include "base/base64url.h"
#include "base/codec.h"

namespace tidal::api {
namespace {

constexpr std::uint8_t kTokenVersion = 1;

}  // namespace

std::string encode_token(const Token& token) {
    Encoder out;
    out.u8(kTokenVersion);
    out.varint(token.applied.size());
    for (const auto& [shard, index] : token.applied) {
        out.varint(shard.value());
        out.varint(index.value());
    }
    out.varint(token.streams.size());
    for (const shard::StreamPosition& stream : token.streams) {
        out.varint(stream.source.value());
        out.varint(stream.source_incarnation.value());
        out.varint(stream.target.value());
        out.varint(stream.sequence);
    }
    return base64url_encode(out.view());
}

Result<Token> decode_token(std::string_view text) {
    const auto malformed = [] {
        return Error(ErrorCode::kInvalidArgument, "not a token of this database")
            .with_field("token")
            .with_hint("send the `token` of a write's reply unchanged");
    };
    const auto bytes = base64url_decode(text);
    if (!bytes) return malformed();
    Decoder in(*bytes);
    if (in.u8() != kTokenVersion) return malformed();
    Token token;
    const std::size_t applied = in.count(2);
    for (std::size_t i = 0; i < applied && !in.failed(); ++i) {
        const ShardId shard(static_cast<std::uint16_t>(in.varint()));
        token.applied.emplace_back(shard, LogIndex(in.varint()));
    }
    const std::size_t streams = in.count(4);
    for (std::size_t i = 0; i < streams && !in.failed(); ++i) {
        shard::StreamPosition stream;
        stream.source = ShardId(static_cast<std::uint16_t>(in.varint()));
        stream.source_incarnation = Incarnation(static_cast<std::uint32_t>(in.varint()));
        stream.target = VShard(static_cast<std::uint16_t>(in.varint()));
        stream.sequence = in.varint();
        token.streams.push_back(stream);
    }
    if (!in.finish("token")) return malformed();
    return token;
}

}  // namespace tidal::api
