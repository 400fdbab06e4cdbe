// Any bytes as a packet, and as the body of a packet whose checksum is right. What is read is
// written again as the same messages, and a replica takes or refuses it without harm.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "raft/node.h"
#include "raft/wire.h"

namespace {

using namespace tidal;
using namespace tidal::raft;

void require(bool holds) {
    if (!holds) std::abort();
}

struct NoStore final : LogStore {
    Result<std::vector<Entry>> read(LogIndex, LogIndex, std::size_t) override {
        return Error(ErrorCode::kUnavailable, "nothing here");
    }
};

std::string encoded(const Message& message) {
    Encoder out;
    encode_message(message, &out);
    return out.take();
}

void read_packet(std::string_view packet) {
    const auto messages = decode_packet(packet);
    if (!messages.ok()) return;
    for (const GroupMessage& each : *messages) {
        const std::string bytes = encoded(each.message);
        Decoder again(bytes);
        const Message message = decode_message(&again);
        require(again.finish("message").ok());
        require(encoded(message) == bytes);
        NoStore store;
        const Configuration three{.voters = {PeerId(1), PeerId(2), PeerId(3)}};
        auto node = Node::create({.self = message.to == kNobody ? PeerId(1) : message.to},
                                 DurableState::base(LogIndex(0), Term(0), three), store);
        require(node.ok());
        const bool taken = (*node)->step(message).ok();
        const Ready ready = (*node)->take_ready();
        require(taken || ready.empty());
        if (ready.number != 0) (*node)->persisted(ready.number);
        (*node)->take_ready();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    read_packet(input);
    // Behind the header a correct checksum, so that the input gets to the messages.
    std::string packet("TDGR\1\0\0\0", 8);
    const std::uint32_t count = size == 0 ? 0 : data[0] % 4 + 1;
    packet.append(reinterpret_cast<const char*>(&count), 4);
    const std::string_view rest = size == 0 ? input : input.substr(1);
    const std::uint32_t crc = crc32c_extend(crc32c(packet), rest);
    packet.append(reinterpret_cast<const char*>(&crc), 4).append(rest);
    read_packet(packet);
    return 0;
}
