// cluster/internal/send_queue.h: what waits for one peer, by channel, and which bytes go next.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <string>

#include "base/result.h"
#include "cluster/peer_packet.h"
#include "cluster/peer_transport.h"

namespace tidal::cluster::internal {

/// Fills packets with what is most urgent. A long message goes out in pieces, between which more
/// urgent ones go first; and so that the least urgent are not left standing for ever, one packet in
/// kTurns begins with the least urgent that waits.
/// Memory: at most the sum of the channels' bounds. Threads: one at a time.
class SendQueue {
public:
    static constexpr std::uint32_t kTurns = 8;

    /// kOverloaded when the channel's queue is full; kTooLarge above kPeerMessageBytesMax.
    Result<void> push(Channel channel, std::string bytes);
    bool empty() const { return waiting_ == 0; }
    /// The next packet; only when not empty().
    std::string take_packet(const Route& route);
    void clear();

    ChannelStats& stats(Channel channel) { return lane(channel).stats; }
    std::uint64_t bytes() const;

private:
    struct Lane {
        std::deque<std::string> messages;
        std::size_t front_sent = 0;      ///< Bytes of the front message that are on their way.
        std::uint64_t front_number = 0;  ///< Of a front message in pieces.
        std::uint64_t last_number = 0;   ///< Handed out.
        ChannelStats stats;
    };
    Lane& lane(Channel channel) { return lanes_[static_cast<std::size_t>(channel)]; }
    bool make_room(Channel channel, std::size_t bytes);
    /// Appends one part of the channel's front message.
    void take_part(Channel channel, std::string* packet);
    std::optional<Channel> most_urgent() const;
    std::optional<Channel> least_urgent() const;

    std::array<Lane, kChannelCount> lanes_;
    std::size_t waiting_ = 0;  ///< Messages, in all lanes.
    std::uint32_t packets_ = 0;
};

}  // namespace tidal::cluster::internal
