// raft/wire.h: messages as bytes. Format: docs/formats/raft-message.md.
//
// A packet carries messages of any groups from one node to another, so that the heartbeats of all
// groups between two nodes are one packet.
#pragma once

#include "base/codec.h"
#include "raft/message.h"

namespace tidal::raft {

inline constexpr std::uint8_t kWireVersion = 1;
inline constexpr std::uint32_t kPacketMagic = 0x52474454;  // "TDGR"
/// Below what a frame between nodes carries (runtime::kMessageBytesMax).
inline constexpr std::size_t kPacketBytesMax = 15 << 20;
/// Terms and indexes on the wire are below this, so that no sum of two overflows.
inline constexpr std::uint64_t kWireNumberEnd = 1ULL << 62;

/// Which group a message belongs to. Another incarnation is another group.
struct GroupKey {
    ShardId shard;
    Incarnation incarnation;
    auto operator<=>(const GroupKey&) const = default;
};

struct GroupMessage {
    GroupKey group;
    Message message;
};

/// The message must be as Node makes it: entries dense behind prev_index, terms not falling, a
/// chunk with its data.
void encode_message(const Message& message, Encoder* out);
/// Reads one message; ids, terms, indexes and lists are bounded, an Append's entries dense. The
/// decoder fails on anything encode_message() does not write.
Message decode_message(Decoder* in);

/// Fills one packet. Thread: one at a time.
class PacketWriter {
public:
    PacketWriter();
    /// False, with nothing added, when the packet would pass `bytes_max`; a first message is always
    /// taken.
    bool add(const GroupKey& group, const Message& message, std::size_t bytes_max);
    bool empty() const { return count_ == 0; }
    std::size_t messages() const { return count_; }
    std::size_t bytes() const { return body_.size(); }
    /// The packet; the writer is empty again.
    std::string take();

private:
    void begin(std::size_t bytes);

    Encoder body_;
    std::uint32_t count_ = 0;
};

/// All messages of a packet, or none.
/// @return kCorruption    magic, checksum, or anything PacketWriter does not write.
///         kTooLarge      above kPacketBytesMax.
///         kIncompatible  of a later version.
Result<std::vector<GroupMessage>> decode_packet(std::string_view packet);

}  // namespace tidal::raft
