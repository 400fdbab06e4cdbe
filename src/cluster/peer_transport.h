// cluster/peer_transport.h: messages between the nodes of a cluster, over runtime::Network.
//
//     PeerTransport transport(options, runtime, executor);
//     transport.subscribe(Channel::kRaft, [](NodeId from, std::string bytes) { … });
//     transport.set_peer(NodeId(2), "node-2:9502");
//     transport.start();
//     transport.send(NodeId(2), Channel::kRaft, bytes);      // once on_peer_up(2) was called
//
// Two nodes greet each other before anything else: cluster, node number, instance and protocol
// version have to fit, or both sides are told what differs (refusals()). After that messages of all
// channels share one connection. Formats: docs/formats/peer.md.
#pragma once

#include <absl/functional/any_invocable.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "cluster/channel.h"
#include "cluster/circuit_breaker.h"
#include "cluster/types.h"
#include "runtime/runtime.h"

namespace tidal::cluster {

struct PeerTransportOptions {
    NodeIdentity self;
    runtime::EndpointOptions endpoint;
    std::string http_address;    ///< Told to peers, for redirects. Empty = none.
    std::uint64_t features = 0;  ///< Bits of what this node can.
    std::uint64_t tick_ns = 50'000'000;
    std::uint64_t greeting_timeout_ns = 1'000'000'000;
    std::uint64_t retry_min_ns = 50'000'000;  ///< Between greetings, doubling...
    std::uint64_t retry_max_ns = 2'000'000'000;
    std::uint64_t ping_ns = 1'000'000'000;
    /// Without anything of the peer it is down. Who is not heard is silent for its part then, so
    /// that where one direction alone is cut the other side takes as long again.
    std::uint64_t silence_ns = 3'500'000'000;
    std::uint64_t probe_ns = 1'000'000'000;  ///< Peers with an open circuit are greeted so often,
    std::uint32_t probes_per_round = 4;      ///< no more than these at a time.
    CircuitBreaker::Options circuit;
};

/// What a peer said of itself, and what was agreed on.
struct PeerInfo {
    NodeIdentity identity;
    std::uint16_t version = 0;
    std::uint64_t features = 0;  ///< Of both.
    std::string address;         ///< Where it is reached.
    std::string http_address;
};

struct ChannelStats {
    std::uint64_t queued_messages = 0, queued_bytes = 0;  ///< Now.
    std::uint64_t sent_messages = 0, sent_bytes = 0;      ///< Ever; messages begun.
    std::uint64_t received_messages = 0, received_bytes = 0;
    std::uint64_t dropped = 0;  ///< Old ones, for new ones.
    std::uint64_t refused = 0;  ///< By a full queue.
};

struct PeerStats {
    NodeId node;
    bool up = false;
    PeerInfo info;  ///< Of the newest greeting; its address also before.
    CircuitState circuit = CircuitState::kClosed;
    std::uint64_t circuit_opened = 0;
    std::uint64_t ups = 0, greetings = 0;  ///< Ever.
    std::uint64_t round_trip_ns = 0;       ///< Of the newest ping that was answered; 0 = none yet.
    std::uint64_t pieces_given_up = 0;     ///< Long messages that did not arrive whole.
    std::string newest_refusal;            ///< Empty = none since it was up.
    std::array<ChannelStats, kChannelCount> channels;
};

/// Delivery is "at most once, perhaps", as in runtime/network.h; messages of one channel may
/// overtake each other only where the network lets them.
/// Threads    send() and stats() any; the rest before start() or on the executor, on which the
///            handlers run, too.
/// Memory     Per peer the bounds of channel.h, and what arrives in pieces.
/// Lifetime   The executor outlives it. Destroy on the executor or after it has stopped.
class PeerTransport {
public:
    using OnMessage = absl::AnyInvocable<void(NodeId from, std::string bytes)>;
    using OnUp = absl::AnyInvocable<void(NodeId, const PeerInfo&)>;
    using OnDown = absl::AnyInvocable<void(NodeId, const Error& why)>;
    using JoinAnswered = absl::AnyInvocable<void(std::string answer)>;
    /// Answers a node that is no member yet. Dropping `answer` uncalled answers nothing.
    using OnJoin = absl::AnyInvocable<void(std::string request, JoinAnswered answer)>;

    PeerTransport(PeerTransportOptions options, runtime::Runtime& runtime,
                  runtime::Executor& executor, Logger logger = {});
    ~PeerTransport();

    void subscribe(Channel channel, OnMessage on_message);
    void set_on_up(OnUp on_up);
    /// Also when messages on their way may have been lost. Followed by on_up before anything else
    /// arrives.
    void set_on_down(OnDown on_down);
    void set_on_join(OnJoin on_join);

    /// Listens, and greets the peers set so far. @return as runtime::Network::listen.
    Result<void> start();
    /// Where it listens; empty before start().
    const std::string& address() const;
    /// From now on greeted, where it is not up; its address replaces an earlier one. Any node with
    /// a fitting greeting becomes a peer by itself, too.
    void set_peer(NodeId node, std::string address);
    /// Left the cluster: neither greeted nor let in again.
    void remove_peer(NodeId node);

    /// @return kUnavailable  not up: nobody of that number, circuit open, or no greeting yet.
    ///         kOverloaded   its queue is full (channel.h). kTooLarge  above 16 MiB.
    Result<void> send(NodeId to, Channel channel, std::string bytes);
    /// A request by kRpc failed for the peer's silence, or was answered: failures in a row open
    /// the peer's circuit, and calls are then refused by allow_call().
    void report_call(NodeId node, bool answered);
    /// kUnavailable while the circuit is open; else the caller's call must be reported.
    Result<void> allow_call(NodeId node);

    /// By node, ascending.
    std::vector<PeerStats> stats();
    /// The newest refusals, given and received, oldest first; at most 16.
    std::vector<std::string> refusals();
    runtime::EndpointStats endpoint_stats();

private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace tidal::cluster
