#include "cluster/internal/send_queue.h"

#include <algorithm>
#include <cassert>

namespace tidal::cluster::internal {
namespace {

constexpr std::size_t kPartHeaderBytesMax = 32;

}  // namespace

bool SendQueue::make_room(Channel channel, std::size_t bytes) {
    Lane& own = lane(channel);
    const ChannelRule& rule = rule_of(channel);
    if (own.stats.queued_bytes + bytes <= rule.queue_bytes_max) return true;
    if (rule.when_full == WhenFull::kRefuse) return false;
    // Not the front one when pieces of it are gone already.
    while (own.stats.queued_bytes + bytes > rule.queue_bytes_max) {
        const auto oldest = own.messages.begin() + (own.front_sent > 0 ? 1 : 0);
        if (oldest == own.messages.end()) return false;
        own.stats.queued_bytes -= oldest->size();
        own.messages.erase(oldest);
        --own.stats.queued_messages;
        --waiting_;
        ++own.stats.dropped;
    }
    return true;
}

Result<void> SendQueue::push(Channel channel, std::string bytes) {
    if (bytes.size() > kPeerMessageBytesMax)
        return Error(ErrorCode::kTooLarge, "message to a peer")
            .with("bytes", bytes.size())
            .with("bytes_max", kPeerMessageBytesMax);
    Lane& own = lane(channel);
    if (!make_room(channel, bytes.size())) {
        ++own.stats.refused;
        return Error(ErrorCode::kOverloaded, "the queue to the peer is full")
            .with("channel", rule_of(channel).name);
    }
    own.stats.queued_bytes += bytes.size();
    ++own.stats.queued_messages;
    ++waiting_;
    own.messages.push_back(std::move(bytes));
    return {};
}

std::optional<Channel> SendQueue::most_urgent() const {
    for (std::size_t at = 0; at < kChannelCount; ++at)
        if (!lanes_[at].messages.empty()) return static_cast<Channel>(at);
    return std::nullopt;
}

std::optional<Channel> SendQueue::least_urgent() const {
    for (std::size_t at = kChannelCount; at-- > 0;)
        if (!lanes_[at].messages.empty()) return static_cast<Channel>(at);
    return std::nullopt;
}

void SendQueue::take_part(Channel channel, std::string* packet) {
    Lane& own = lane(channel);
    const std::string& message = own.messages.front();
    Part part;
    part.channel = channel;
    part.total_bytes = message.size();
    if (message.size() > kPartBytesMax) {
        if (own.front_sent == 0) own.front_number = ++own.last_number;
        part.message = own.front_number;
        part.pieces =
            static_cast<std::uint32_t>((message.size() + kPartBytesMax - 1) / kPartBytesMax);
        part.piece = static_cast<std::uint32_t>(own.front_sent / kPartBytesMax);
    }
    part.bytes = std::string_view(message).substr(own.front_sent, kPartBytesMax);
    append_part(part, packet);
    own.front_sent += part.bytes.size();
    own.stats.sent_bytes += part.bytes.size();
    if (part.piece == 0) ++own.stats.sent_messages;
    if (own.front_sent < message.size()) return;
    own.stats.queued_bytes -= message.size();
    --own.stats.queued_messages;
    --waiting_;
    own.front_sent = 0;
    own.messages.pop_front();
}

std::string SendQueue::take_packet(const Route& route) {
    assert(!empty());
    std::string packet = begin_data(route);
    packet.reserve(std::min<std::size_t>(bytes() + packet.size() + kPartHeaderBytesMax * waiting_,
                                         kPacketBytes));
    if (++packets_ % kTurns == 0) take_part(*least_urgent(), &packet);
    while (const auto channel = most_urgent()) {
        const Lane& own = lane(*channel);
        const std::size_t next =
            std::min(own.messages.front().size() - own.front_sent, kPartBytesMax);
        const bool first = packet.size() < kPartHeaderBytesMax;
        if (!first && packet.size() + next + kPartHeaderBytesMax > kPacketBytes) break;
        take_part(*channel, &packet);
    }
    return packet;
}

void SendQueue::clear() {
    for (Lane& own : lanes_) {
        own.messages.clear();
        own.front_sent = 0;
        own.stats.queued_messages = 0;
        own.stats.queued_bytes = 0;
    }
    waiting_ = 0;
}

std::uint64_t SendQueue::bytes() const {
    std::uint64_t sum = 0;
    for (const Lane& own : lanes_) sum += own.stats.queued_bytes;
    return sum;
}

}  // namespace tidal::cluster::internal
