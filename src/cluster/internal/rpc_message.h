// cluster/internal/rpc_message.h: what one message of Channel::kRpc holds. Format:
// docs/formats/peer.md, "Calls". Pure: bytes to values and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cluster/rpc.h"

namespace tidal::cluster::internal {

enum class RpcKind : std::uint8_t { kRequest = 1, kAnswer = 2, kError = 3 };

struct RpcMessage {
    RpcKind kind = RpcKind::kRequest;
    std::uint64_t life = 0;        ///< Of the caller: random, another after each start.
    std::uint64_t number = 0;      ///< Of the call, from 1, per caller and callee.
    RpcMethod method;              ///< Of a request.
    std::uint32_t timeout_ms = 0;  ///< Of a request.
    std::string_view bytes;        ///< Borrowed.
    bool operator==(const RpcMessage&) const = default;
};

std::string encode_rpc(const RpcMessage& message);
/// @return kCorruption  nothing encode_rpc() writes. kIncompatible  a later version.
Result<RpcMessage> decode_rpc(std::string_view bytes);

}  // namespace tidal::cluster::internal
