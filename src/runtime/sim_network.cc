#include "runtime/sim_network.h"

#include <algorithm>

#include "runtime/internal/host_port.h"
#include "runtime/internal/sim_node_network.h"

namespace tidal::runtime {

using internal::SimNodeState;

struct SimNetwork::Place {
    std::shared_ptr<SimNodeState> node;
    std::string address;
    Executor* executor;
    OnMessage on_message;
    bool open = true;
};

struct SimNetwork::Message {
    Pair pair;  ///< The nodes it goes between.
    std::string from, to;
    std::string bytes;
};

class SimEndpoint final : public Endpoint {
public:
    SimEndpoint(SimNetwork& network, std::shared_ptr<SimNetwork::Place> place)
        : network_(network), place_(std::move(place)) {}
    ~SimEndpoint() override {
        place_->open = false;
        // The next life of a crashed node may have taken the address already.
        const auto at = network_.places_.find(place_->address);
        if (at != network_.places_.end() && at->second == place_) network_.places_.erase(at);
    }
    const std::string& address() const override { return place_->address; }
    using Endpoint::send;
    Result<void> send(std::string_view to, std::string bytes, OnSent on_sent) override {
        TIDAL_TRY(network_.send(*place_, to, std::move(bytes)));
        if (on_sent)
            place_->executor->post([place = place_, on_sent = std::move(on_sent)]() mutable {
                if (place->open) on_sent(true);
            });
        return {};
    }
    void disconnect(std::string_view) override {}
    EndpointStats stats() override { return {}; }

private:
    SimNetwork& network_;
    const std::shared_ptr<SimNetwork::Place> place_;
};

Result<std::unique_ptr<Endpoint>> SimNodeNetwork::listen(const EndpointOptions& options,
                                                         Executor& executor, OnMessage on_message) {
    std::string address = options.advertised.empty() ? options.address : options.advertised;
    TIDAL_ASSIGN(const auto parts, internal::parse_host_port(address));
    if (node_.crashed) return Error(ErrorCode::kIo, "the simulated node has crashed");
    if (parts.port == "0")
        address = parts.host + ":" + std::to_string(40'000 + ++network_.last_port_);
    const auto taken = network_.places_.find(address);
    if (taken != network_.places_.end() && !taken->second->node->crashed)
        return Error(ErrorCode::kConflict, "the address is taken").with("address", address);
    auto place = std::make_shared<SimNetwork::Place>(
        SimNetwork::Place{node_.self.lock(), address, &executor, std::move(on_message)});
    network_.places_.insert_or_assign(address, place);
    return std::unique_ptr<Endpoint>(std::make_unique<SimEndpoint>(network_, std::move(place)));
}

void SimNetwork::set_link(std::string_view from, std::string_view to, const SimLink& link) {
    links_.insert_or_assign(Pair(from, to), link);
}

void SimNetwork::cut(std::string_view from, std::string_view to) {
    cuts_.emplace(from, to);
}

void SimNetwork::partition(std::string_view a, std::string_view b) {
    cut(a, b);
    cut(b, a);
}

void SimNetwork::heal(std::string_view from, std::string_view to) {
    cuts_.erase(Pair(from, to));
}

const SimLink& SimNetwork::link(const Pair& pair) const {
    const auto own = links_.find(pair);
    return own == links_.end() ? default_link_ : own->second;
}

std::uint64_t SimNetwork::draw_delay(const SimLink& link) {
    const auto spread = std::max(link.delay_max_ns, link.delay_min_ns) - link.delay_min_ns;
    return link.delay_min_ns + world_.random().below(spread + 1);
}

bool SimNetwork::draw(std::uint32_t ppm) {
    return ppm > 0 && world_.random().below(1'000'000) < ppm;
}

void SimNetwork::corrupt(std::string* bytes) {
    if (bytes->empty()) return;
    ++stats_.corrupted;
    for (std::uint64_t flips = 1 + world_.random().below(3); flips > 0; --flips) {
        char& byte = (*bytes)[world_.random().below(bytes->size())];
        byte = static_cast<char>(byte ^ (1 << world_.random().below(8)));
    }
}

Result<void> SimNetwork::send(const Place& from, std::string_view to, std::string bytes) {
    if (bytes.size() > kMessageBytesMax)
        return Error(ErrorCode::kTooLarge, "message to a peer").with("bytes", bytes.size());
    if (from.node->crashed) return Error(ErrorCode::kIo, "the simulated node has crashed");
    const auto place = places_.find(to);
    if (place == places_.end())
        return Error(ErrorCode::kUnavailable, "the peer does not answer").with("peer", to);
    const Pair pair(from.node->name, place->second->node->name);
    const SimLink& way = link(pair);
    if (bytes_on_the_way_[pair] + bytes.size() > way.queue_bytes_max)
        return Error(ErrorCode::kOverloaded, "the queue to the peer is full").with("peer", to);
    ++stats_.sent;
    world_.note(to);
    world_.note(bytes);
    if (draw(way.loss_ppm)) {
        ++stats_.lost;
        return {};
    }
    Message message{pair, from.address, std::string(to), std::move(bytes)};
    if (draw(way.duplicate_ppm)) {
        ++stats_.duplicated;
        send_one(message, draw_delay(way));
    }
    if (draw(way.corrupt_ppm)) corrupt(&message.bytes);
    send_one(std::move(message), draw_delay(way));
    return {};
}

void SimNetwork::send_one(Message message, std::uint64_t delay_ns) {
    bytes_on_the_way_[message.pair] += message.bytes.size();
    world_.at(world_.now_ns() + delay_ns,
              [this, message = std::move(message)]() mutable { arrive(std::move(message)); });
}

void SimNetwork::arrive(Message message) {
    bytes_on_the_way_[message.pair] -= message.bytes.size();
    const auto found = places_.find(message.to);
    if (found == places_.end() || cuts_.contains(message.pair) || found->second->node->crashed) {
        ++stats_.lost;
        return;
    }
    ++stats_.delivered;
    auto place = found->second;
    place->executor->post([place, message = std::move(message)]() mutable {
        if (place->open) place->on_message({message.from, {}}, std::move(message.bytes));
    });
}

}  // namespace tidal::runtime
