// cluster/internal/transport_impl.h: PeerTransport's inside.
//
// All state is under `mutex_`; handlers run without it, on the executor, from a list of events that
// was made under it, so that they see ups, messages and downs in their order.
#pragma once

#include <deque>
#include <variant>
#include <vector>

#include "cluster/internal/greeting.h"
#include "cluster/internal/peer.h"

namespace tidal::cluster {

class PeerTransport::Impl : public std::enable_shared_from_this<Impl> {
public:
    Impl(PeerTransportOptions options, runtime::Runtime& runtime, runtime::Executor& executor,
         Logger logger);

    Result<void> start();
    void stop();
    void set_peer(NodeId node, std::string address);
    void remove_peer(NodeId node);
    Result<void> send(NodeId to, Channel channel, std::string bytes);
    void report_call(NodeId node, bool answered);
    Result<void> allow_call(NodeId node);
    std::vector<PeerStats> stats();
    std::vector<std::string> refusals();
    runtime::Endpoint* endpoint() { return endpoint_.get(); }

    std::array<OnMessage, kChannelCount> on_message;
    OnUp on_up;
    OnDown on_down;
    OnJoin on_join;

private:
    using Peer = internal::Peer;
    struct Up {
        NodeId node;
        PeerInfo info;
    };
    struct Down {
        NodeId node;
        Error why;
    };
    struct Arrived {
        NodeId from;
        Channel channel;
        std::string bytes;
    };
    using Events = std::vector<std::variant<Up, Down, Arrived>>;
    /// Where a packet came from.
    struct Origin {
        std::string address, certificate;
    };

    void receive(const runtime::Sender& sender, std::string bytes);
    void handle(const Hello& hello, const Origin& origin, Events* events);
    void handle(const Welcome& welcome, const Origin& origin, Events* events);
    void handle(const Refusal& refusal, const Origin& origin, Events* events);
    void handle(const Data& data, const Origin& origin, Events* events);
    void handle(const Ping& ping, const Origin& origin, Events* events);
    void handle(const Unknown& unknown, const Origin& origin, Events* events);
    void answer_join(std::string request, std::string address);
    void fire(Events events);

    Peer* peer_of(NodeId node);
    /// Null when there is no such peer.
    Peer* find(NodeId node);
    /// The peer a packet belongs to; its sender is told when it is no known one.
    Peer* follow(const Route& route, const Origin& origin, Events* events);
    internal::GreetingRules rules_for(const Peer& peer, NodeId expected,
                                      const Origin& origin) const;
    void accept(Peer* peer, const Introduction& from, const Origin& origin, Events* events);
    void refuse(const Refusal& refusal, const Origin& origin);
    void go_up(Peer* peer, Events* events);
    void go_down(Peer* peer, Error why, Events* events);
    void greet(Peer* peer);
    void greeting_failed(Peer* peer);
    void schedule_greeting(Peer* peer);
    void note(std::string refusal);
    void post(const std::string& address, const Packet& packet);
    void ping(Peer* peer);
    void pump(Peer* peer);
    void on_sent(NodeId node, std::uint64_t life, bool sent);
    void tick();
    void excuse_after_stall();
    void tick_peer(Peer* peer, Events* events);
    void probe();
    std::uint64_t now_ns() { return runtime_.clock().monotonic_ns(); }

    const PeerTransportOptions options_;
    runtime::Runtime& runtime_;
    runtime::Executor& executor_;
    const Logger logger_;
    Introduction self_;
    std::unique_ptr<runtime::Endpoint> endpoint_;
    runtime::Executor::TimerId timer_ = 0;
    std::uint64_t next_probe_ns_ = 0;
    std::uint64_t ticked_ns_ = 0;  ///< 0 = not yet.
    NodeId newest_probed_;

    std::mutex mutex_;  ///< Guards what follows.
    std::map<NodeId, Peer> peers_;
    std::deque<std::string> refusals_;
    bool stopped_ = false;
};

}  // namespace tidal::cluster
