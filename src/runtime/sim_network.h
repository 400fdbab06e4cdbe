// runtime/sim_network.h: the network of a SimWorld: late, lossy, repeating, out of order, and cut
// where a test says so. All choices come from the world's seed. Threads: the world's.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "runtime/network.h"
#include "runtime/sim_runtime.h"

namespace tidal::runtime {

/// One direction between two nodes. Messages overtake each other as their delays fall.
struct SimLink {
    std::uint64_t delay_min_ns = 100'000;
    std::uint64_t delay_max_ns = 2'000'000;
    std::uint32_t loss_ppm = 0;
    std::uint32_t duplicate_ppm = 0;
    std::uint32_t corrupt_ppm = 0;  ///< One to three bits of a message flip on the way.
    std::size_t queue_bytes_max = kPeerQueueBytesMax;  ///< On the way at once.
};

struct SimNetworkStats {
    std::uint64_t sent = 0, delivered = 0, lost = 0, duplicated = 0, corrupted = 0;
};

/// Links are named by nodes (SimWorld::create_node), not by addresses: they hold for every life.
class SimNetwork {
public:
    explicit SimNetwork(SimWorld& world) : world_(world) {}
    SimNetwork(const SimNetwork&) = delete;
    SimNetwork& operator=(const SimNetwork&) = delete;

    /// For every pair without a link of its own.
    void set_default_link(const SimLink& link) { default_link_ = link; }
    void set_link(std::string_view from, std::string_view to, const SimLink& link);
    /// Loses everything from `from` to `to`, also what is on the way. One direction.
    void cut(std::string_view from, std::string_view to);
    /// Both directions.
    void partition(std::string_view a, std::string_view b);
    void heal(std::string_view from, std::string_view to);
    void heal_all() { cuts_.clear(); }
    const SimNetworkStats& stats() const { return stats_; }

private:
    friend class SimEndpoint;
    friend class SimNodeNetwork;
    using Pair = std::pair<std::string, std::string>;  ///< Names of nodes: from, to.
    struct Place;
    struct Message;

    const SimLink& link(const Pair& pair) const;
    std::uint64_t draw_delay(const SimLink& link);
    bool draw(std::uint32_t ppm);
    void corrupt(std::string* bytes);
    Result<void> send(const Place& from, std::string_view to, std::string bytes);
    void send_one(Message message, std::uint64_t delay_ns);
    void arrive(Message message);

    SimWorld& world_;
    SimLink default_link_;
    std::map<Pair, SimLink> links_;
    std::set<Pair> cuts_;
    std::map<Pair, std::size_t> bytes_on_the_way_;
    std::map<std::string, std::shared_ptr<Place>, std::less<>> places_;  ///< By address.
    std::uint64_t last_port_ = 0;
    SimNetworkStats stats_;
};

}  // namespace tidal::runtime
