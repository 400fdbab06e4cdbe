// cluster/internal/peer.h: what a node keeps of one other node.
#pragma once

#include <deque>
#include <string>

#include "cluster/internal/reassembly.h"
#include "cluster/internal/send_queue.h"
#include "cluster/peer_transport.h"

namespace tidal::cluster::internal {

/// Times are monotonic nanoseconds.
struct Peer {
    Peer(NodeId number, const CircuitBreaker::Options& options) : node(number), circuit(options) {}

    NodeId node;
    std::string address;  ///< Empty = not known, so it has to greet first.
    bool removed = false;
    std::string instance;     ///< Pinned by the first greeting; empty before.
    std::string certificate;  ///< Name in the certificate it greeted with.

    bool greeted = false;  ///< Its boot number is known: what it sends is understood.
    bool up = false;       ///< It is known to understand us, too.
    BootId boot;
    PeerInfo info;
    std::uint64_t life = 0;  ///< Rises when it goes down: reports about earlier packets are old.

    SendQueue queue;
    std::uint32_t packets_under_way = 0;
    Reassembly pieces;

    CircuitBreaker circuit;
    std::uint64_t nonce = 0;                 ///< Of the greeting under way, or the newest.
    std::uint64_t greeting_deadline_ns = 0;  ///< 0 = none is under way.
    std::uint64_t next_greeting_ns = 0;
    std::uint32_t tries = 0;  ///< Greetings without success, in a row.

    std::uint64_t ping_number = 0;
    std::uint64_t next_ping_ns = 0;
    /// When pings were sent that are not answered yet, the newest last: its number is ping_number.
    std::deque<std::uint64_t> pings_sent_ns;
    std::uint64_t heard_ns = 0;  ///< Anything of it came.
    bool excused = false;        ///< Silent since this node itself stood still.
    std::uint64_t round_trip_ns = 0;

    std::uint64_t ups = 0, greetings = 0;
    std::string newest_refusal;
};

}  // namespace tidal::cluster::internal
