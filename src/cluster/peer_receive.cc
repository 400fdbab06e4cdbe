// What arrives from other nodes.
#include <algorithm>
#include <utility>

#include "cluster/internal/transport_impl.h"

namespace tidal::cluster {

void PeerTransport::Impl::receive(const runtime::Sender& sender, std::string bytes) {
    const Origin origin{std::string(sender.address), std::string(sender.identity)};
    auto packet = decode_packet(bytes);
    const bool stranger = options_.endpoint.tls != nullptr && origin.certificate.empty();
    Events events;
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) return;
        if (!packet.ok()) return note("from " + origin.address + ": " + packet.error().to_string());
        // Who shows no certificate may ask to join, and nothing else.
        if (stranger && !std::holds_alternative<Join>(*packet))
            return note("from " + origin.address + ": no certificate, and not a request to join");
        if (!std::holds_alternative<Join>(*packet))
            std::visit(
                [&](auto& body) {
                    if constexpr (!std::is_same_v<std::decay_t<decltype(body)>, Join>)
                        handle(body, origin, &events);
                },
                *packet);
    }
    fire(std::move(events));
    if (auto* join = std::get_if<Join>(&*packet); join != nullptr && !join->answer)
        answer_join(std::move(join->bytes), origin.address);
}

void PeerTransport::Impl::answer_join(std::string request, std::string address) {
    if (!on_join) return;
    on_join(std::move(request), [weak = weak_from_this(), address](std::string answer) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        const std::lock_guard lock(self->mutex_);
        if (!self->stopped_) self->post(address, Join{true, std::move(answer)});
    });
}

void PeerTransport::Impl::fire(Events events) {
    struct Caller {
        Impl* impl;
        void operator()(Up& up) const {
            if (impl->on_up) impl->on_up(up.node, up.info);
        }
        void operator()(Down& down) const {
            if (impl->on_down) impl->on_down(down.node, down.why);
        }
        void operator()(Arrived& message) const {
            auto& handler = impl->on_message[static_cast<std::size_t>(message.channel)];
            if (handler) handler(message.from, std::move(message.bytes));
        }
    };
    for (auto& event : events) std::visit(Caller{this}, event);
}

internal::GreetingRules PeerTransport::Impl::rules_for(const Peer& peer, NodeId expected,
                                                       const Origin& origin) const {
    return {self_,
            expected,
            peer.instance,
            peer.removed,
            options_.endpoint.tls != nullptr,
            origin.certificate};
}

void PeerTransport::Impl::refuse(const Refusal& refusal, const Origin& origin) {
    note(refusal.text + " (at " + origin.address + ")");
    post(origin.address, refusal);
}

/// Its greeting fits: what it sends is understood from here on.
void PeerTransport::Impl::accept(Peer* peer, const Introduction& from, const Origin& origin,
                                 Events* events) {
    if (peer->greeted && peer->boot != from.boot)
        go_down(peer, Error(ErrorCode::kUnavailable, "the node started anew"), events);
    peer->greeted = true;
    peer->boot = from.boot;
    peer->instance = from.identity.instance_id;
    peer->certificate = origin.certificate;
    peer->address = origin.address;
    peer->info = {from.identity, internal::common_version(self_, from),
                  self_.features & from.features, origin.address, from.http_address};
}

void PeerTransport::Impl::handle(const Hello& hello, const Origin& origin, Events* events) {
    const NodeIdentity& who = hello.from.identity;
    std::optional<Refusal> refusal;
    if (hello.to != kNoNode && hello.to != options_.self.node)
        refusal = Refusal{RefusalCode::kWrongNode, hello.nonce,
                          "wrong node: this is node " + std::to_string(options_.self.node.value()) +
                              ", not node " + std::to_string(hello.to.value())};
    const Peer nobody(who.node, {});
    const Peer* known = find(who.node);
    const auto judged = internal::judge(
        hello.from, hello.nonce, rules_for(known != nullptr ? *known : nobody, kNoNode, origin));
    // The cluster first: two nodes of two clusters have no numbers in common.
    if (judged && (!refusal || judged->code == RefusalCode::kWrongCluster)) refusal = judged;
    if (refusal) return refuse(*refusal, origin);
    Peer* peer = peer_of(who.node);
    if (peer == nullptr) return note("too many nodes: " + origin.address);
    accept(peer, hello.from, origin, events);
    post(origin.address, Welcome{self_, peer->info.version, hello.from.boot, hello.nonce});
}

void PeerTransport::Impl::handle(const Welcome& welcome, const Origin& origin, Events* events) {
    const auto found = std::ranges::find_if(peers_, [&](const auto& each) {
        return each.second.greeting_deadline_ns != 0 && each.second.nonce == welcome.nonce;
    });
    if (found == peers_.end() || welcome.to_boot != self_.boot) return;  // late
    Peer* peer = &found->second;
    if (const auto refusal =
            internal::judge(welcome.from, welcome.nonce, rules_for(*peer, peer->node, origin))) {
        peer->newest_refusal = refusal->text;
        greeting_failed(peer);
        return refuse(*refusal, origin);
    }
    accept(peer, welcome.from, origin, events);
    go_up(peer, events);  // whose ping tells the other side
}

void PeerTransport::Impl::handle(const Refusal& refusal, const Origin& origin, Events* events) {
    // It answers a greeting of ours, or the welcome that we gave to its greeting.
    note("node at " + origin.address + " refuses: " + refusal.text);
    for (auto& [node, peer] : peers_) {
        const bool ours = peer.greeting_deadline_ns != 0 && peer.nonce == refusal.nonce;
        if (!ours && peer.address != origin.address) continue;
        peer.newest_refusal = refusal.text;
        if (peer.up)
            go_down(&peer, Error(ErrorCode::kUnavailable, "refused: " + refusal.text), events);
        if (ours) {
            greeting_failed(&peer);
            peer.next_greeting_ns = now_ns() + options_.retry_max_ns;
        }
    }
}

internal::Peer* PeerTransport::Impl::follow(const Route& route, const Origin& origin,
                                            Events* events) {
    Peer* peer = find(route.from);
    const bool known = peer != nullptr && peer->greeted && peer->boot == route.from_boot &&
                       peer->certificate == origin.certificate && !peer->removed;
    if (!known || route.to_boot != self_.boot) {
        post(origin.address, Unknown{route.from_boot});
        return nullptr;
    }
    go_up(peer, events);  // it has our boot number, so it has accepted us
    peer->heard_ns = now_ns();
    peer->excused = false;
    return peer;
}

void PeerTransport::Impl::handle(const Data& data, const Origin& origin, Events* events) {
    Peer* peer = follow(data.route, origin, events);
    if (peer == nullptr) return;
    for (const Part& part : data.parts) {
        ChannelStats& stats = peer->queue.stats(part.channel);
        stats.received_bytes += part.bytes.size();
        std::optional<std::string> message;
        if (part.pieces == 1) {
            message.emplace(part.bytes);
        } else {
            message = peer->pieces.add(part);
        }
        if (!message) continue;
        ++stats.received_messages;
        events->push_back(Arrived{peer->node, part.channel, std::move(*message)});
    }
}

void PeerTransport::Impl::handle(const Ping& ping, const Origin& origin, Events* events) {
    Peer* peer = follow(ping.route, origin, events);
    if (peer == nullptr) return;
    if (!ping.answer) {
        post(peer->address, Ping{{options_.self.node, self_.boot, peer->boot}, ping.number, true});
        return;
    }
    auto& sent = peer->pings_sent_ns;
    const std::uint64_t oldest = peer->ping_number + 1 - sent.size();
    if (ping.number < oldest || ping.number > peer->ping_number) return;
    const auto answered = sent.begin() + static_cast<std::ptrdiff_t>(ping.number - oldest);
    peer->round_trip_ns = peer->heard_ns - *answered;
    sent.erase(sent.begin(), answered + 1);
}

void PeerTransport::Impl::handle(const Unknown& unknown, const Origin& origin, Events* events) {
    if (unknown.to_boot != self_.boot) return;
    for (auto& [node, peer] : peers_) {
        if (!peer.up || peer.address != origin.address || peer.certificate != origin.certificate)
            continue;
        go_down(&peer, Error(ErrorCode::kUnavailable, "the node does not know this one any more"),
                events);
        // It is known here all the same: what it sends on is no reason to tell it the like, or two
        // that do make each other forget in turn.
        peer.greeted = true;
        greet(&peer);
    }
}

}  // namespace tidal::cluster
