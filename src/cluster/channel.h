// cluster/channel.h: the kinds of traffic between two nodes, each with a queue of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidal::cluster {

/// In order of priority, the most urgent first.
enum class Channel : std::uint8_t {
    kHeartbeat = 0,  ///< Votes, heartbeats and their answers, closed timestamps: small, and stale
                     ///< soon.
    kRaft = 1,       ///< Log entries.
    kRpc = 2,        ///< Forwarded requests and their answers.
    kGossip = 3,     ///< Who is where.
    kSnapshot = 4,   ///< Chunks of snapshots: much, and never urgent.
};
inline constexpr std::size_t kChannelCount = 5;

/// A full queue drops its oldest messages, or refuses new ones so that the sender knows.
enum class WhenFull : std::uint8_t { kDropOldest, kRefuse };

struct ChannelRule {
    std::string_view name;
    std::size_t queue_bytes_max;  ///< Per peer.
    WhenFull when_full;
};
inline constexpr std::array<ChannelRule, kChannelCount> kChannelRules{{
    {"heartbeat", 1 << 20, WhenFull::kDropOldest},
    {"raft", 32 << 20, WhenFull::kRefuse},
    {"rpc", 32 << 20, WhenFull::kRefuse},
    {"gossip", 256 << 10, WhenFull::kDropOldest},
    {"snapshot", 18 << 20, WhenFull::kRefuse},
}};
constexpr const ChannelRule& rule_of(Channel channel) {
    return kChannelRules[static_cast<std::size_t>(channel)];
}

}  // namespace tidal::cluster
