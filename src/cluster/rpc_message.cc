#include "cluster/internal/rpc_message.h"

#include "base/codec.h"

namespace tidal::cluster::internal {
namespace {

constexpr std::uint8_t kRpcVersion = 1;

}  // namespace

std::string encode_rpc(const RpcMessage& message) {
    Encoder out;
    out.u8(kRpcVersion);
    out.u8(static_cast<std::uint8_t>(message.kind));
    out.u64(message.life);
    out.u64(message.number);
    if (message.kind == RpcKind::kRequest) {
        out.u16(message.method.value());
        out.u32(message.timeout_ms);
    }
    out.raw(message.bytes);
    return out.take();
}

Result<RpcMessage> decode_rpc(std::string_view bytes) {
    Decoder in(bytes);
    RpcMessage message;
    if (in.u8() != kRpcVersion)
        return Error(ErrorCode::kIncompatible, "a call of another version of the protocol");
    const std::uint8_t kind = in.u8();
    message.life = in.u64();
    message.number = in.u64();
    if (kind < 1 || kind > 3 || message.number == 0) in.fail();
    message.kind = static_cast<RpcKind>(kind);
    if (message.kind == RpcKind::kRequest) {
        message.method = RpcMethod(in.u16());
        message.timeout_ms = in.u32();
    }
    message.bytes = in.rest();
    if (in.failed()) return Error(ErrorCode::kCorruption, "a call: truncated or malformed");
    return message;
}

}  // namespace tidal::cluster::internal
