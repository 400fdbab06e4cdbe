// cluster/peer_packet.h: what one message of runtime::Network between two nodes holds. Format:
// docs/formats/peer.md. Pure: bytes to values and back.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cluster/channel.h"
#include "cluster/types.h"
#include "shard/apply_version.h"

namespace tidal::cluster {

inline constexpr std::uint32_t kPacketMagic = 0x504c4454;  // "TDLP"
/// Versions of the protocol this program speaks: it goes with how records are applied, so that
/// replicas of two builds that would apply one log otherwise do not meet (decision 83). What only
/// packets have anew and may do without is a feature bit.
inline constexpr std::uint16_t kPeerVersionMin = shard::kApplyVersion.value();
inline constexpr std::uint16_t kPeerVersionMax = shard::kApplyVersion.value();
/// Message parts per packet are filled up to this; a single part adds no more than as much again.
inline constexpr std::size_t kPacketBytes = 64 << 10;
inline constexpr std::size_t kPartBytesMax = 32 << 10;
inline constexpr std::size_t kPeerMessageBytesMax = 16 << 20;
inline constexpr std::size_t kRefusalBytesMax = 512;
inline constexpr std::size_t kAddressBytesMax = 300;
inline constexpr std::size_t kJoinBytesMax = 16 << 10;

/// A life of a node's process: random, another after each start.
using BootId = Id<struct PeerBootTag, std::uint64_t>;

/// Who speaks.
struct Introduction {
    NodeIdentity identity;
    BootId boot;
    std::uint16_t version_min = kPeerVersionMin;
    std::uint16_t version_max = kPeerVersionMax;
    std::uint64_t features = 0;  ///< Bits; what both have may be used.
    std::string http_address;    ///< Where clients reach it; empty = nowhere.
    bool operator==(const Introduction&) const = default;
};
struct Hello {
    Introduction from;
    NodeId to;  ///< Whom the sender takes the receiver for; kNoNode = it does not know.
    std::uint64_t nonce = 0;
    bool operator==(const Hello&) const = default;
};
struct Welcome {
    Introduction from;
    std::uint16_t version = 0;  ///< Spoken from here on.
    BootId to_boot;
    std::uint64_t nonce = 0;  ///< Of the Hello.
    bool operator==(const Welcome&) const = default;
};
enum class RefusalCode : std::uint8_t {
    kWrongCluster = 1,
    kWrongNode = 2,      ///< Not the one the sender looked for, or not what its certificate says.
    kWrongInstance = 3,  ///< The node's number belongs to another disk.
    kNoCommonVersion = 4,
    kNotAdmitted = 5,
};
struct Refusal {
    RefusalCode code = RefusalCode::kNotAdmitted;
    std::uint64_t nonce = 0;  ///< Of the Hello, or of the Hello whose Welcome is refused.
    std::string text;         ///< With both sides' values; at most kRefusalBytesMax.
    bool operator==(const Refusal&) const = default;
};

/// Of everything after the greeting.
struct Route {
    NodeId from;
    BootId from_boot;
    BootId to_boot;
    bool operator==(const Route&) const = default;
};
/// A message, or one piece of it. Pieces but the last are kPartBytesMax long.
struct Part {
    Channel channel = Channel::kHeartbeat;
    std::uint64_t message = 0;  ///< Numbers the messages of a channel that come in pieces.
    std::uint32_t piece = 0;
    std::uint32_t pieces = 1;  ///< 1: the whole message, not numbered.
    std::uint64_t total_bytes = 0;
    std::string_view bytes;  ///< Borrowed from the packet.
    bool operator==(const Part&) const = default;
};
struct Data {
    Route route;
    std::vector<Part> parts;
    bool operator==(const Data&) const = default;
};
struct Ping {
    Route route;
    std::uint64_t number = 0;
    bool answer = false;
    bool operator==(const Ping&) const = default;
};
/// The receiver of a packet does not know its route: greet again.
struct Unknown {
    BootId to_boot;  ///< The sender's, of the packet.
    bool operator==(const Unknown&) const = default;
};
/// One message from, and one to, a node that is not a member yet (cluster/join.h).
struct Join {
    bool answer = false;
    std::string bytes;
    bool operator==(const Join&) const = default;
};

using Packet = std::variant<Hello, Welcome, Refusal, Data, Ping, Unknown, Join>;

std::string encode_packet(const Packet& packet);
/// @return kCorruption  nothing encode_packet() writes. kIncompatible  a later layout of packets.
Result<Packet> decode_packet(std::string_view bytes);

/// For senders that fill a packet part by part.
std::string begin_data(const Route& route);
void append_part(const Part& part, std::string* packet);

}  // namespace tidal::cluster
