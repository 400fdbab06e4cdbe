// raft/message.h: what replicas of a group say to each other.
//
// Delivery may lose, repeat, delay and reorder. Every message names the sender's term at the time
// it was made. Sizes are bounded by Options (node.h): entries by message_bytes_max (or one entry),
// snapshot bytes by chunk_bytes_max.
#pragma once

#include <variant>
#include <vector>

#include "raft/configuration.h"
#include "raft/types.h"

namespace tidal::raft {

/// A complete state of the group as of one index, made by one replica.
struct SnapshotMeta {
    std::uint64_t id = 0;  ///< Names these very bytes: two snapshots with one id are equal bytes.
    LogIndex index;        ///< Last entry it includes.
    Term term;             ///< Of that entry.
    std::uint64_t bytes = 0;  ///< >= 1.
    Configuration configuration;
    bool operator==(const SnapshotMeta&) const = default;
};

/// 3.4, 9.6. `pre`: would you vote for me in `campaign_term`? Changes nothing at either side.
struct VoteRequest {
    bool pre = false;
    bool transfer = false;  ///< The leader asked for this campaign: leader stickiness is off.
    Term campaign_term;     ///< Message::term + 1 when `pre`, else Message::term.
    LogIndex last_index;
    Term last_term;
    bool operator==(const VoteRequest&) const = default;
};
struct VoteReply {
    bool pre = false;
    bool granted = false;
    Term campaign_term;  ///< Of the request.
    bool operator==(const VoteReply&) const = default;
};

/// 3.5. Entries behind (prev_index, prev_term).
struct Append {
    LogIndex prev_index;
    Term prev_term;
    LogIndex commit;
    std::vector<Entry> entries;
};
/// Also sent unasked whenever more has become durable.
struct AppendReply {
    bool rejected = false;
    LogIndex match;     ///< Equal to the leader's log and durable here; when rejected: prev_index.
    LogIndex received;  ///< Equal to the leader's log, perhaps not yet durable.
    /// When rejected: the last place, at or before prev_index, where the logs may agree, and the
    /// term there (3.5, last paragraph; one round trip per term, not per entry).
    LogIndex hint_index;
    Term hint_term;
    bool operator==(const AppendReply&) const = default;
};

/// Of no size, so that a transport can carry those of all groups between two nodes in one frame.
struct Heartbeat {
    /// Rises by one with each broadcast of a leadership, from 1. 0 = of no round: it tells one peer
    /// what is committed by now, and is not answered.
    std::uint64_t round = 0;
    LogIndex commit;  ///< Never beyond what the receiver has acknowledged.
    bool operator==(const Heartbeat&) const = default;
};
struct HeartbeatReply {
    std::uint64_t round = 0;
    LogIndex match;     ///< As in AppendReply.
    LogIndex received;  ///< As in AppendReply.
    bool operator==(const HeartbeatReply&) const = default;
};

/// 6.4, from a follower: which index do I have to have applied to read now? Number n asks for all
/// reads the follower numbered up to n since it started: `run` tells its starts apart, so that a
/// late answer confirms nothing that was asked for after a restart.
struct ReadRequest {
    std::uint64_t run = 0;
    std::uint64_t number = 0;
    bool operator==(const ReadRequest&) const = default;
};
struct ReadReply {
    std::uint64_t run = 0;
    std::uint64_t number = 0;
    LogIndex index;
    bool operator==(const ReadReply&) const = default;
};

/// 3.10: campaign now.
struct TimeoutNow {
    bool operator==(const TimeoutNow&) const = default;
};

/// Bytes offset .. offset + size of a snapshot. The core leaves `data` null: whoever sends the
/// message reads the bytes, so that no snapshot passes through the core.
struct SnapshotChunk {
    SnapshotMeta meta;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    Payload data;
};
struct SnapshotReply {
    std::uint64_t id = 0;
    std::uint64_t durable = 0;   ///< Bytes 0 .. durable are kept.
    std::uint64_t received = 0;  ///< The next chunk begins here.
    bool resend = false;         ///< A chunk is missing: go on from `received`.
    bool operator==(const SnapshotReply&) const = default;
};

using Body = std::variant<VoteRequest, VoteReply, Append, AppendReply, Heartbeat, HeartbeatReply,
                          ReadRequest, ReadReply, TimeoutNow, SnapshotChunk, SnapshotReply>;

struct Message {
    PeerId from;
    PeerId to;
    Term term;
    Body body;
};

/// "append", "vote-request", …
std::string_view message_name(const Message& message);
/// What limits in bytes count; the frame around it is not included.
std::size_t message_bytes(const Message& message);

}  // namespace tidal::raft
