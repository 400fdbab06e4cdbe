#include "raft/message.h"

namespace tidal::raft {

std::string_view message_name(const Message& message) {
    constexpr std::string_view names[] = {"vote-request",   "vote-reply",    "append",
                                          "append-reply",   "heartbeat",     "heartbeat-reply",
                                          "read-request",   "read-reply",    "timeout-now",
                                          "snapshot-chunk", "snapshot-reply"};
    static_assert(std::size(names) == std::variant_size_v<Body>);
    return names[message.body.index()];
}

std::size_t message_bytes(const Message& message) {
    std::size_t bytes = 64;
    if (const auto* append = std::get_if<Append>(&message.body))
        for (const Entry& entry : append->entries) bytes += entry.cost();
    if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body))
        bytes += chunk->size + 8 * chunk->meta.configuration.all().size();
    return bytes;
}

}  // namespace tidal::raft
