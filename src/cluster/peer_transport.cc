// The public face, sending and time; what arrives is handled in peer_receive.cc.
#include "cluster/peer_transport.h"

#include <algorithm>
#include <utility>

#include "cluster/internal/transport_impl.h"

namespace tidal::cluster {
namespace {

// So many are handed to the network at a time: one that is being sent and one behind it. What is
// more urgent overtakes all others.
constexpr std::uint32_t kPacketsUnderWay = 2;
// The node of the smaller number calls; the other one waits a moment, so that in the usual case
// there is one connection.
constexpr std::uint64_t kPolitenessNs = 300'000'000;
constexpr std::size_t kRefusalsKept = 16;
constexpr std::size_t kPingsKept = 16;  // without an answer
constexpr std::size_t kPeersMax = 1024;

Error not_up(NodeId node, const CircuitBreaker& circuit) {
    const bool open = circuit.state() != CircuitState::kClosed;
    return Error(ErrorCode::kUnavailable, "the node does not answer")
        .with_reason(open ? "circuit_open" : "peer_down")
        .with("node", node.value());
}

}  // namespace

std::string certificate_name(const NodeIdentity& identity) {
    return "tidal://" + identity.cluster_id + "/node/" + std::to_string(identity.node.value()) +
           "/" + identity.instance_id;
}

PeerTransport::Impl::Impl(PeerTransportOptions options, runtime::Runtime& runtime,
                          runtime::Executor& executor, Logger logger)
    : options_(std::move(options)),
      runtime_(runtime),
      executor_(executor),
      logger_(std::move(logger)) {
    self_.identity = options_.self;
    self_.boot = BootId(runtime.random().u64());
    self_.features = options_.features;
    self_.http_address = options_.http_address;
}

Result<void> PeerTransport::Impl::start() {
    const auto weak = weak_from_this();
    {
        // What arrives at once waits until the endpoint is known.
        const std::lock_guard lock(mutex_);
        TIDAL_ASSIGN(endpoint_, runtime_.network().listen(
                                    options_.endpoint, executor_,
                                    [weak](const runtime::Sender& sender, std::string bytes) {
                                        if (const auto self = weak.lock())
                                            self->receive(sender, std::move(bytes));
                                    }));
    }
    executor_.post([weak] {
        if (const auto self = weak.lock()) self->tick();
    });
    return {};
}

void PeerTransport::Impl::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    executor_.cancel(timer_);
    endpoint_.reset();
}

internal::Peer* PeerTransport::Impl::find(NodeId node) {
    const auto found = peers_.find(node);
    return found == peers_.end() ? nullptr : &found->second;
}

/// Null when there are too many.
internal::Peer* PeerTransport::Impl::peer_of(NodeId node) {
    if (Peer* known = find(node)) return known;
    if (peers_.size() >= kPeersMax) return nullptr;
    return &peers_.try_emplace(node, node, options_.circuit).first->second;
}

void PeerTransport::Impl::set_peer(NodeId node, std::string address) {
    const std::lock_guard lock(mutex_);
    Peer* peer = node == options_.self.node ? nullptr : peer_of(node);
    if (peer == nullptr || peer->up) return;
    peer->address = std::move(address);
    peer->info.address = peer->address;
    if (peer->greeting_deadline_ns == 0) schedule_greeting(peer);
}

void PeerTransport::Impl::remove_peer(NodeId node) {
    Events events;
    {
        const std::lock_guard lock(mutex_);
        Peer* peer = peer_of(node);
        if (peer == nullptr) return;
        peer->removed = true;
        go_down(peer, Error(ErrorCode::kUnavailable, "the node has left the cluster"), &events);
        if (endpoint_ && !peer->address.empty()) endpoint_->disconnect(peer->address);
    }
    fire(std::move(events));
}

void PeerTransport::Impl::schedule_greeting(Peer* peer) {
    const bool waits = peer->node < options_.self.node;
    peer->next_greeting_ns = now_ns() + (waits ? kPolitenessNs : 0);
}

Result<void> PeerTransport::Impl::send(NodeId to, Channel channel, std::string bytes) {
    const std::lock_guard lock(mutex_);
    Peer* peer = find(to);
    if (peer == nullptr)
        return Error(ErrorCode::kUnavailable, "no such node")
            .with_reason("unknown_node")
            .with("node", to.value());
    if (!peer->up || stopped_) return not_up(to, peer->circuit);
    TIDAL_TRY(peer->queue.push(channel, std::move(bytes)));
    pump(peer);
    return {};
}

void PeerTransport::Impl::post(const std::string& address, const Packet& packet) {
    if (endpoint_ != nullptr) (void)endpoint_->send(address, encode_packet(packet));
}

void PeerTransport::Impl::pump(Peer* peer) {
    while (peer->up && peer->packets_under_way < kPacketsUnderWay && !peer->queue.empty()) {
        std::string packet = peer->queue.take_packet({options_.self.node, self_.boot, peer->boot});
        ++peer->packets_under_way;
        const auto report = [weak = weak_from_this(), node = peer->node,
                             life = peer->life](bool sent) {
            if (const auto self = weak.lock()) self->on_sent(node, life, sent);
        };
        const auto sent = endpoint_->send(peer->address, std::move(packet), report);
        if (!sent.ok()) return executor_.post([report] { report(false); });
    }
}

void PeerTransport::Impl::on_sent(NodeId node, std::uint64_t life, bool sent) {
    Events events;
    {
        const std::lock_guard lock(mutex_);
        Peer* peer = find(node);
        if (peer == nullptr || peer->life != life || stopped_) return;
        --peer->packets_under_way;
        if (sent) {
            pump(peer);
        } else {
            go_down(peer, Error(ErrorCode::kUnavailable, "the connection broke"), &events);
        }
    }
    fire(std::move(events));
}

void PeerTransport::Impl::go_up(Peer* peer, Events* events) {
    if (std::exchange(peer->up, true)) return;
    ++peer->ups;
    peer->tries = 0;
    peer->greeting_deadline_ns = 0;
    peer->circuit.success();
    peer->newest_refusal.clear();
    peer->heard_ns = now_ns();
    peer->excused = false;
    peer->pings_sent_ns.clear();
    ping(peer);
    events->push_back(Up{peer->node, peer->info});
}

void PeerTransport::Impl::go_down(Peer* peer, Error why, Events* events) {
    const bool was_up = std::exchange(peer->up, false);
    ++peer->life;
    peer->greeted = false;
    peer->queue.clear();
    peer->packets_under_way = 0;
    peer->pieces.clear();
    if (peer->greeting_deadline_ns == 0) schedule_greeting(peer);
    if (was_up) events->push_back(Down{peer->node, std::move(why)});
}

void PeerTransport::Impl::greet(Peer* peer) {
    ++peer->greetings;
    peer->nonce = runtime_.random().u64();
    peer->greeting_deadline_ns = now_ns() + options_.greeting_timeout_ns;
    post(peer->address, Hello{self_, peer->node, peer->nonce});
}

void PeerTransport::Impl::greeting_failed(Peer* peer) {
    peer->greeting_deadline_ns = 0;
    const std::uint64_t now = now_ns();
    peer->circuit.failure(now);
    const std::uint32_t doublings = std::min<std::uint32_t>(peer->tries++, 16);
    const std::uint64_t delay = std::min(options_.retry_min_ns << doublings, options_.retry_max_ns);
    peer->next_greeting_ns = now + delay + runtime_.random().below(delay / 4 + 1);
}

void PeerTransport::Impl::ping(Peer* peer) {
    const std::uint64_t now = now_ns();
    peer->pings_sent_ns.push_back(now);
    if (peer->pings_sent_ns.size() > kPingsKept) peer->pings_sent_ns.pop_front();
    peer->next_ping_ns = now + options_.ping_ns;
    post(peer->address,
         Ping{{options_.self.node, self_.boot, peer->boot}, ++peer->ping_number, false});
}

void PeerTransport::Impl::tick() {
    Events events;
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) return;
        excuse_after_stall();
        for (auto& [node, peer] : peers_) tick_peer(&peer, &events);
        if (now_ns() >= next_probe_ns_) probe();
    }
    fire(std::move(events));
    timer_ = executor_.post_after(options_.tick_ns, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->tick();
    });
}

/// After this node itself stood still what came meanwhile is still to be looked at, behind this
/// tick: peers get the time for one more ping, once until they are heard of.
void PeerTransport::Impl::excuse_after_stall() {
    const std::uint64_t now = now_ns();
    const std::uint64_t ticked = std::exchange(ticked_ns_, now);
    if (ticked == 0 || now - ticked <= options_.tick_ns + options_.ping_ns) return;
    const std::uint64_t quiet_ns =
        options_.silence_ns - std::min(options_.silence_ns, options_.ping_ns);
    for (auto& [node, peer] : peers_)
        if (peer.up && !std::exchange(peer.excused, true))
            peer.heard_ns = std::max(peer.heard_ns, now - std::min(now, quiet_ns));
}

void PeerTransport::Impl::tick_peer(Peer* peer, Events* events) {
    const std::uint64_t now = now_ns();
    if (peer->up) {
        if (now - peer->heard_ns > options_.silence_ns) {
            peer->circuit.failure(now);
            endpoint_->disconnect(peer->address);
            go_down(peer, Error(ErrorCode::kUnavailable, "the node fell silent"), events);
        } else if (now >= peer->next_ping_ns) {
            ping(peer);
        }
        return;
    }
    if (peer->removed || peer->address.empty()) return;
    if (peer->greeting_deadline_ns != 0) {
        if (now >= peer->greeting_deadline_ns) greeting_failed(peer);
        return;
    }
    if (now >= peer->next_greeting_ns && peer->circuit.allow(now)) greet(peer);
}

/// Peers whose circuit is open are asked by nobody: so that a quiet cluster heals all the same.
void PeerTransport::Impl::probe() {
    next_probe_ns_ = now_ns() + options_.probe_ns;
    std::uint32_t left = options_.probes_per_round;
    auto at = peers_.upper_bound(newest_probed_);
    for (std::size_t seen = 0; seen < peers_.size() && left > 0; ++seen, ++at) {
        if (at == peers_.end()) at = peers_.begin();
        Peer& peer = at->second;
        const bool waits = !peer.up && !peer.removed && !peer.address.empty() &&
                           peer.greeting_deadline_ns == 0 &&
                           peer.circuit.state() == CircuitState::kOpen;
        if (!waits) continue;
        newest_probed_ = peer.node;
        --left;
        greet(&peer);
    }
}

void PeerTransport::Impl::note(std::string refusal) {
    logger_.warning("peer refused", {{"why", refusal}});
    refusals_.push_back(std::move(refusal));
    if (refusals_.size() > kRefusalsKept) refusals_.pop_front();
}

void PeerTransport::Impl::report_call(NodeId node, bool answered) {
    const std::lock_guard lock(mutex_);
    Peer* peer = find(node);
    if (peer == nullptr) return;
    if (answered) {
        peer->circuit.success();
    } else {
        peer->circuit.failure(now_ns());
    }
}

Result<void> PeerTransport::Impl::allow_call(NodeId node) {
    const std::lock_guard lock(mutex_);
    Peer* peer = find(node);
    if (peer == nullptr || !peer->up || !peer->circuit.allow(now_ns()))
        return not_up(node, peer == nullptr ? CircuitBreaker({}) : peer->circuit);
    return {};
}

std::vector<PeerStats> PeerTransport::Impl::stats() {
    const std::lock_guard lock(mutex_);
    std::vector<PeerStats> all;
    for (auto& [node, peer] : peers_) {
        PeerStats stats;
        stats.node = node;
        stats.up = peer.up;
        stats.info = peer.info;
        stats.circuit = peer.circuit.state();
        stats.circuit_opened = peer.circuit.opened();
        stats.ups = peer.ups;
        stats.greetings = peer.greetings;
        stats.round_trip_ns = peer.round_trip_ns;
        stats.pieces_given_up = peer.pieces.given_up();
        stats.newest_refusal = peer.newest_refusal;
        for (std::size_t at = 0; at < kChannelCount; ++at)
            stats.channels[at] = peer.queue.stats(static_cast<Channel>(at));
        all.push_back(std::move(stats));
    }
    return all;
}

std::vector<std::string> PeerTransport::Impl::refusals() {
    const std::lock_guard lock(mutex_);
    return {refusals_.begin(), refusals_.end()};
}

PeerTransport::PeerTransport(PeerTransportOptions options, runtime::Runtime& runtime,
                             runtime::Executor& executor, Logger logger)
    : impl_(std::make_shared<Impl>(std::move(options), runtime, executor, std::move(logger))) {}
PeerTransport::~PeerTransport() {
    impl_->stop();
}
void PeerTransport::subscribe(Channel channel, OnMessage on_message) {
    impl_->on_message[static_cast<std::size_t>(channel)] = std::move(on_message);
}
void PeerTransport::set_on_up(OnUp on_up) {
    impl_->on_up = std::move(on_up);
}
void PeerTransport::set_on_down(OnDown on_down) {
    impl_->on_down = std::move(on_down);
}
void PeerTransport::set_on_join(OnJoin on_join) {
    impl_->on_join = std::move(on_join);
}
Result<void> PeerTransport::start() {
    return impl_->start();
}
const std::string& PeerTransport::address() const {
    static const std::string kNowhere;
    const runtime::Endpoint* const endpoint = impl_->endpoint();
    return endpoint == nullptr ? kNowhere : endpoint->address();
}
void PeerTransport::set_peer(NodeId node, std::string address) {
    impl_->set_peer(node, std::move(address));
}
void PeerTransport::remove_peer(NodeId node) {
    impl_->remove_peer(node);
}
Result<void> PeerTransport::send(NodeId to, Channel channel, std::string bytes) {
    return impl_->send(to, channel, std::move(bytes));
}
void PeerTransport::report_call(NodeId node, bool answered) {
    impl_->report_call(node, answered);
}
Result<void> PeerTransport::allow_call(NodeId node) {
    return impl_->allow_call(node);
}
std::vector<PeerStats> PeerTransport::stats() {
    return impl_->stats();
}
std::vector<std::string> PeerTransport::refusals() {
    return impl_->refusals();
}
runtime::EndpointStats PeerTransport::endpoint_stats() {
    runtime::Endpoint* const endpoint = impl_->endpoint();
    return endpoint == nullptr ? runtime::EndpointStats() : endpoint->stats();
}

}  // namespace tidal::cluster
