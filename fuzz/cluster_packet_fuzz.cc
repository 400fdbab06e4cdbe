// Any bytes as a packet of a peer: what decodes encodes to bytes that decode to the same, and its
// pieces never make a message longer than allowed. Before any greeting, nobody has vouched for
// them.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "cluster/internal/greeting.h"
#include "cluster/internal/reassembly.h"
#include "cluster/peer_packet.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    using namespace tidal::cluster;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto packet = decode_packet(input);
    if (!packet.ok()) {
        const auto code = packet.error().code();
        require(code == ErrorCode::kCorruption || code == ErrorCode::kIncompatible);
        return 0;
    }
    const std::string bytes = encode_packet(*packet);
    const auto again = decode_packet(bytes);
    require(again.ok() && *again == *packet);
    if (const auto* parts = std::get_if<Data>(&*packet)) {
        internal::Reassembly pieces;
        for (const Part& part : parts->parts) {
            if (part.pieces == 1) continue;
            if (const auto message = pieces.add(part))
                require(message->size() <= kPeerMessageBytesMax);
        }
    }
    if (const auto* hello = std::get_if<Hello>(&*packet)) {
        const Introduction self{{std::string(32, 'a'), NodeId(1), std::string(32, 'b')}, BootId(1)};
        const auto refusal =
            internal::judge(hello->from, hello->nonce, {self, kNoNode, "", false, true, "x"});
        require(refusal.has_value());
    }
    return 0;
}
