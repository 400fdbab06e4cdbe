// PeerTransport's contract over TCP and in simulation; then greetings, faults and priorities.
#include "cluster/peer_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "cluster/peer_packet.h"
#include "runtime/real_runtime.h"
#include "runtime/sim_network.h"

namespace tidal::cluster {
namespace peer_transport_test {

const std::string kCluster = "0123456789abcdef0123456789abcdef";

NodeIdentity node_identity(std::uint32_t node, const std::string& cluster = kCluster) {
    return {cluster, NodeId(node), std::string(31, 'c') + std::to_string(node), kFirstRegion};
}

/// What one node saw.
struct Seen {
    std::mutex mutex;
    std::vector<std::pair<Channel, std::string>> messages;
    std::vector<std::string> changes;  // "up 2", "down 2"
    std::vector<PeerInfo> infos;

    std::size_t count() {
        const std::lock_guard lock(mutex);
        return messages.size();
    }
    std::size_t changed() {
        const std::lock_guard lock(mutex);
        return changes.size();
    }
    std::string newest_change() {
        const std::lock_guard lock(mutex);
        return changes.empty() ? "" : changes.back();
    }
};

struct Node {
    Node(PeerTransportOptions options, runtime::Runtime& runtime)
        : executor(runtime.executors().create_executor("peer")),
          transport(std::make_unique<PeerTransport>(std::move(options), runtime, *executor)) {
        for (std::size_t at = 0; at < kChannelCount; ++at) {
            const auto channel = static_cast<Channel>(at);
            transport->subscribe(channel, [this, channel](NodeId, std::string bytes) {
                const std::lock_guard lock(seen.mutex);
                seen.messages.emplace_back(channel, std::move(bytes));
            });
        }
        transport->set_on_up([this](NodeId node, const PeerInfo& info) {
            const std::lock_guard lock(seen.mutex);
            seen.changes.push_back("up " + std::to_string(node.value()));
            seen.infos.push_back(info);
        });
        transport->set_on_down([this](NodeId node, const Error&) {
            const std::lock_guard lock(seen.mutex);
            seen.changes.push_back("down " + std::to_string(node.value()));
        });
    }
    ~Node() { executor->stop(); }
    bool is_up(std::uint32_t node) {
        for (const PeerStats& stats : transport->stats())
            if (stats.node == NodeId(node)) return stats.up;
        return false;
    }
    PeerStats stats_of(std::uint32_t node) {
        for (PeerStats& stats : transport->stats())
            if (stats.node == NodeId(node)) return stats;
        return {};
    }

    Seen seen;
    std::unique_ptr<runtime::Executor> executor;
    std::unique_ptr<PeerTransport> transport;
};

struct RealWorld {
    runtime::Runtime& runtime(std::uint32_t) { return *impl; }
    std::string address(std::uint32_t) { return "127.0.0.1:0"; }
    template <typename Predicate>
    bool wait(Predicate done) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));  // allowed: polls
        }
        return true;
    }
    std::unique_ptr<runtime::Runtime> impl = std::move(runtime::make_real_runtime({})).value();
};

struct SimulatedWorld {
    runtime::Runtime& runtime(std::uint32_t node) {
        auto& made = nodes[node];
        if (!made) made = world.create_node(std::to_string(node), disks[node]);
        return *made;
    }
    std::string address(std::uint32_t node) { return "node-" + std::to_string(node) + ":1"; }
    template <typename Predicate>
    bool wait(Predicate done) {
        return world.run_until(done, 60'000'000'000);
    }
    runtime::SimWorld world{7};
    std::map<std::uint32_t, runtime::SimDisk> disks;
    std::map<std::uint32_t, std::unique_ptr<runtime::SimRuntime>> nodes;
};

template <typename World>
class PeerTransportContract : public ::testing::Test {
protected:
    PeerTransportOptions options(std::uint32_t node) {
        PeerTransportOptions options;
        options.self = node_identity(node);
        options.endpoint.address = world_.address(node);
        options.http_address = "http-" + std::to_string(node) + ":9500";
        return options;
    }
    std::unique_ptr<Node> start(const PeerTransportOptions& options) {
        auto node = std::make_unique<Node>(options, world_.runtime(options.self.node.value()));
        const auto started = node->transport->start();
        EXPECT_TRUE(started.ok()) << started.error().to_string();
        return node;
    }
    std::unique_ptr<Node> start(std::uint32_t node) { return start(options(node)); }
    void introduce(Node& a, std::uint32_t a_number, Node& b, std::uint32_t b_number) {
        a.transport->set_peer(NodeId(b_number), b.transport->address());
        b.transport->set_peer(NodeId(a_number), a.transport->address());
    }
    World world_;
};

using Worlds = ::testing::Types<RealWorld, SimulatedWorld>;
TYPED_TEST_SUITE(PeerTransportContract, Worlds);

TYPED_TEST(PeerTransportContract, NodesGreetEachOtherAndMessagesArriveOnTheirChannels) {
    auto one = this->start(1), two = this->start(2);
    EXPECT_EQ(one->transport->send(NodeId(2), Channel::kRaft, "x").error().reason(),
              "unknown_node");
    this->introduce(*one, 1, *two, 2);
    ASSERT_TRUE(this->world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    ASSERT_TRUE(one->transport->send(NodeId(2), Channel::kRaft, "entries").ok());
    ASSERT_TRUE(one->transport->send(NodeId(2), Channel::kHeartbeat, "").ok());
    ASSERT_TRUE(two->transport->send(NodeId(1), Channel::kRpc, "request").ok());
    ASSERT_TRUE(
        this->world_.wait([&] { return one->seen.count() == 1 && two->seen.count() == 2; }));
    EXPECT_EQ(one->seen.messages[0], std::make_pair(Channel::kRpc, std::string("request")));
    ASSERT_EQ(two->seen.infos.size(), 1U);
    EXPECT_EQ(two->seen.infos[0].identity, node_identity(1));
    EXPECT_EQ(two->seen.infos[0].http_address, "http-1:9500");
    EXPECT_EQ(two->seen.infos[0].version, kPeerVersionMax);
    ASSERT_TRUE(this->world_.wait([&] { return one->stats_of(2).round_trip_ns > 0; }));
    const PeerStats stats = two->stats_of(1);
    EXPECT_EQ(stats.channels[static_cast<std::size_t>(Channel::kRaft)].received_messages, 1U);
    EXPECT_EQ(stats.channels[static_cast<std::size_t>(Channel::kRpc)].sent_bytes, 7U);
    EXPECT_TRUE(one->transport->refusals().empty());
}

TYPED_TEST(PeerTransportContract, OneSideMayKnowTheOtherAlone) {
    auto one = this->start(1), two = this->start(2);
    two->transport->set_peer(NodeId(1), one->transport->address());
    ASSERT_TRUE(this->world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    ASSERT_TRUE(one->transport->send(NodeId(2), Channel::kGossip, "hello").ok());
    ASSERT_TRUE(this->world_.wait([&] { return two->seen.count() == 1; }));
}

TYPED_TEST(PeerTransportContract, LongMessagesArriveWhole) {
    auto one = this->start(1), two = this->start(2);
    this->introduce(*one, 1, *two, 2);
    ASSERT_TRUE(this->world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    const std::string large(3'000'001, 'x');
    ASSERT_TRUE(one->transport->send(NodeId(2), Channel::kSnapshot, large).ok());
    ASSERT_TRUE(one->transport->send(NodeId(2), Channel::kRaft, large).ok());
    EXPECT_EQ(one->transport->send(NodeId(2), Channel::kRaft, std::string((16 << 20) + 1, 'x'))
                  .error()
                  .code(),
              ErrorCode::kTooLarge);
    ASSERT_TRUE(this->world_.wait([&] { return two->seen.count() == 2; }));
    for (const auto& [channel, bytes] : two->seen.messages) EXPECT_TRUE(bytes == large);
    EXPECT_EQ(one->stats_of(2).channels[static_cast<std::size_t>(Channel::kRaft)].queued_bytes, 0U);
}

TYPED_TEST(PeerTransportContract, AnotherClusterIsRefusedBothWaysNamingBoth) {
    auto one = this->start(1);
    auto other_options = this->options(2);
    other_options.self = node_identity(2, std::string(32, 'b'));
    auto two = this->start(other_options);
    this->introduce(*one, 1, *two, 2);
    const auto named_by = [](Node& node) {
        const auto refusals = node.transport->refusals();
        return std::ranges::any_of(refusals, [](const std::string& text) {
            return text.find(kCluster) != std::string::npos &&
                   text.find(std::string(32, 'b')) != std::string::npos;
        });
    };
    ASSERT_TRUE(this->world_.wait([&] { return named_by(*one) && named_by(*two); }));
    EXPECT_NE(one->transport->refusals().back().find("wrong cluster"), std::string::npos);
    EXPECT_FALSE(one->is_up(2));
    EXPECT_FALSE(two->is_up(1));
    EXPECT_EQ(one->seen.changed(), 0U);
    const auto sent = one->transport->send(NodeId(2), Channel::kRaft, "x");
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.error().code(), ErrorCode::kUnavailable);
}

TYPED_TEST(PeerTransportContract, AWrongNodeAndAnotherDiskAreRefused) {
    auto one = this->start(1), two = this->start(2);
    one->transport->set_peer(NodeId(3), two->transport->address());
    const auto says = [&](Node& node, std::string_view text) {
        const auto refusals = node.transport->refusals();
        return std::ranges::any_of(refusals, [&](const std::string& refusal) {
            return refusal.find(text) != std::string::npos;
        });
    };
    ASSERT_TRUE(this->world_.wait([&] { return says(*one, "this is node 2, not node 3"); }));
    EXPECT_FALSE(one->is_up(3));
    this->introduce(*one, 1, *two, 2);
    ASSERT_TRUE(this->world_.wait([&] { return one->is_up(2); }));
    // Node 2 comes back with its number and an empty disk.
    two.reset();
    auto options = this->options(2);
    options.self.instance_id = std::string(32, 'd');
    two = this->start(options);
    two->transport->set_peer(NodeId(1), one->transport->address());
    ASSERT_TRUE(this->world_.wait([&] { return says(*two, "has to join as a new one"); }));
    EXPECT_TRUE(this->world_.wait([&] { return !one->is_up(2); }));
}

TYPED_TEST(PeerTransportContract, ARestartedPeerIsDownAndUpAgain) {
    auto one = this->start(1), two = this->start(2);
    this->introduce(*one, 1, *two, 2);
    ASSERT_TRUE(this->world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    const std::string address = two->transport->address();
    two.reset();
    auto options = this->options(2);
    options.endpoint.address = address;
    two = this->start(options);
    // Node 1 finds out by its ping at the latest.
    ASSERT_TRUE(this->world_.wait([&] { return one->seen.changed() == 3 && two->is_up(1); }));
    ASSERT_TRUE(one->transport->send(NodeId(2), Channel::kRaft, "again").ok());
    ASSERT_TRUE(this->world_.wait([&] { return two->seen.count() == 1; }));
    const std::lock_guard lock(one->seen.mutex);
    EXPECT_EQ(one->seen.changes, (std::vector<std::string>{"up 2", "down 2", "up 2"}));
}

TYPED_TEST(PeerTransportContract, ARemovedNodeIsNotLetInAgain) {
    auto one = this->start(1), two = this->start(2);
    this->introduce(*one, 1, *two, 2);
    ASSERT_TRUE(this->world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    one->executor->post([&] { one->transport->remove_peer(NodeId(2)); });
    ASSERT_TRUE(this->world_.wait([&] {
        const auto refusals = two->transport->refusals();
        return !refusals.empty() && refusals.back().find("has left") != std::string::npos;
    }));
    EXPECT_FALSE(one->is_up(2));
    EXPECT_EQ(one->seen.newest_change(), "down 2");
}

TYPED_TEST(PeerTransportContract, OnlyAJoinRequestNeedsNoGreeting) {
    auto one = this->start(1);
    one->transport->set_on_join(
        [](std::string request, PeerTransport::JoinAnswered answer) { answer("re: " + request); });
    auto executor = this->world_.runtime(9).executors().create_executor("joiner");
    std::mutex mutex;
    std::string got;
    auto endpoint = std::move(this->world_.runtime(9).network().listen(
                                  {.address = this->world_.address(9)}, *executor,
                                  [&](const runtime::Sender&, std::string bytes) {
                                      const std::lock_guard lock(mutex);
                                      const auto packet = decode_packet(bytes);
                                      if (packet.ok() && std::holds_alternative<Join>(*packet))
                                          got = std::get<Join>(*packet).bytes;
                                  }))
                        .value();
    ASSERT_TRUE(
        endpoint->send(one->transport->address(), encode_packet(Join{false, "please"})).ok());
    EXPECT_TRUE(this->world_.wait([&] {
        const std::lock_guard lock(mutex);
        return got == "re: please";
    }));
    executor->stop();
    endpoint.reset();
}

TYPED_TEST(PeerTransportContract, ABuildThatAppliesRecordsOtherwiseIsRefusedInWords) {
    auto one = this->start(1);
    auto executor = this->world_.runtime(9).executors().create_executor("older");
    std::mutex mutex;
    std::optional<Refusal> refused;
    auto endpoint = std::move(this->world_.runtime(9).network().listen(
                                  {.address = this->world_.address(9)}, *executor,
                                  [&](const runtime::Sender&, std::string bytes) {
                                      const std::lock_guard lock(mutex);
                                      const auto packet = decode_packet(bytes);
                                      if (packet.ok() && std::holds_alternative<Refusal>(*packet))
                                          refused = std::get<Refusal>(*packet);
                                  }))
                        .value();
    Introduction older{node_identity(2), BootId(5)};
    older.version_min = older.version_max = kPeerVersionMax - 1;
    ASSERT_TRUE(
        endpoint->send(one->transport->address(), encode_packet(Hello{older, NodeId(1), 7})).ok());
    ASSERT_TRUE(this->world_.wait([&] {
        const std::lock_guard lock(mutex);
        return refused.has_value();
    }));
    EXPECT_EQ(refused->code, RefusalCode::kNoCommonVersion);
    EXPECT_EQ(refused->text,
              "no common version: node 1 has protocol version " + std::to_string(kPeerVersionMax) +
                  ", node 2 version " + std::to_string(kPeerVersionMax - 1) +
                  "; builds of both versions do not run in one cluster: stop all nodes and start "
                  "each with the newer build");
    EXPECT_FALSE(one->is_up(2));
    executor->stop();
    endpoint.reset();
}

TYPED_TEST(PeerTransportContract, BeforeItsStartItIsNowhere) {
    const auto made = std::make_unique<Node>(this->options(1), this->world_.runtime(1));
    EXPECT_EQ(made->transport->address(), "");
    EXPECT_EQ(made->transport->endpoint_stats().refused, 0u);
}

using SimulatedTransport = PeerTransportContract<SimulatedWorld>;

TEST_F(SimulatedTransport, ASilentPeerIsDownAfterAWhileAndUpOnceHealed) {
    auto one = start(1), two = start(2);
    introduce(*one, 1, *two, 2);
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    for (const bool both : {true, false}) {
        world_.world.network().cut("1", "2");
        if (both) world_.world.network().cut("2", "1");
        const std::uint64_t cut_ns = world_.world.now_ns();
        ASSERT_TRUE(world_.wait([&] { return !one->is_up(2) && !two->is_up(1); }));
        // One direction alone: whoever hears nothing goes silent, and is silent for the other then.
        EXPECT_LT(world_.world.now_ns() - cut_ns, both ? 5'000'000'000U : 8'500'000'000U)
            << "both=" << both;
        EXPECT_EQ(one->transport->send(NodeId(2), Channel::kRaft, "x").error().reason(),
                  "peer_down");
        world_.world.network().heal_all();
        const std::uint64_t healed_ns = world_.world.now_ns();
        ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
        EXPECT_LT(world_.world.now_ns() - healed_ns, 3'000'000'000U);
    }
}

TEST_F(SimulatedTransport, ASlowWayIsNoSilence) {
    auto one = start(1), two = start(2);
    introduce(*one, 1, *two, 2);
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    // Answers take longer than the time between two pings.
    world_.world.network().set_default_link(
        {.delay_min_ns = 800'000'000, .delay_max_ns = 810'000'000});
    world_.world.advance(30'000'000'000);
    for (Node* each : {one.get(), two.get()}) EXPECT_EQ(each->seen.changed(), 1U);
    EXPECT_GT(one->stats_of(2).round_trip_ns, 1'600'000'000U);
    EXPECT_LT(one->stats_of(2).round_trip_ns, 1'700'000'000U);
}

TEST_F(SimulatedTransport, WhatAPeerSendsIsASignOfLife) {
    PeerTransportOptions rare = options(1);
    rare.ping_ns = 60'000'000'000;
    auto one = start(rare);
    rare.self = node_identity(2);
    rare.endpoint.address = world_.address(2);
    auto two = start(rare);
    introduce(*one, 1, *two, 2);
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    for (int second = 0; second < 30; ++second) {
        ASSERT_TRUE(one->transport->send(NodeId(2), Channel::kRaft, "x").ok()) << second;
        ASSERT_TRUE(two->transport->send(NodeId(1), Channel::kRaft, "y").ok()) << second;
        world_.world.advance(1'000'000'000);
    }
    EXPECT_EQ(one->seen.changed(), 1U);
    EXPECT_EQ(two->seen.changed(), 1U);
    world_.world.advance(5'000'000'000);
    EXPECT_GT(one->seen.changed(), 1U) << "it says nothing any more";
}

using RealTransport = PeerTransportContract<RealWorld>;

// What came meanwhile lies behind the timer that is overdue.
TEST_F(RealTransport, WhoStoodStillLooksAtWhatCameBeforeItHangsUp) {
    PeerTransportOptions quick = options(1), patient = options(2);
    quick.ping_ns = patient.ping_ns = 300'000'000;
    quick.silence_ns = 1'000'000'000;
    patient.silence_ns = 60'000'000'000;
    auto one = start(quick), two = start(patient);
    introduce(*one, 1, *two, 2);
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    const auto past = [&](std::uint64_t ns) {
        return [&clock = world_.impl->clock(), until = world_.impl->clock().monotonic_ns() + ns] {
            return clock.monotonic_ns() > until;
        };
    };
    std::promise<void> gate;
    one->executor->post([opens = gate.get_future().share()] { opens.wait(); });
    EXPECT_TRUE(world_.wait(past(1'500'000'000)));
    gate.set_value();
    EXPECT_TRUE(world_.wait(past(200'000'000)));
    EXPECT_EQ(one->seen.changed(), 1U) << one->seen.newest_change();
}

TEST_F(SimulatedTransport, WhoWentWhileANodeStoodStillGetsOneMorePing) {
    PeerTransportOptions patient = options(2);
    patient.silence_ns = 60'000'000'000;
    auto one = start(1), two = start(patient);
    introduce(*one, 1, *two, 2);
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    for (int time = 0; time < 3; ++time) {
        world_.nodes[1]->pause(6'000'000'000, "peer");
        world_.world.advance(10'000'000'000);
        EXPECT_EQ(one->seen.changed(), 1U) << one->seen.newest_change();
    }
    // A peer that went at the same time gets one more ping, no more.
    world_.world.network().partition("1", "2");
    world_.nodes[1]->pause(5'000'000'000, "peer");
    world_.world.advance(5'000'000'000);
    const std::uint64_t awake_ns = world_.world.now_ns();
    ASSERT_TRUE(world_.wait([&] { return !one->is_up(2); }));
    EXPECT_LT(world_.world.now_ns() - awake_ns, 1'200'000'000U);
}

// The other side has hung up on a node that stood still, which goes on sending, and greets it: what
// each sends before it hears the greeting must not make the two forget each other in turn, for
// ever.
TEST_F(SimulatedTransport, WhoStoodStillAndWhoHungUpFindEachOtherAgain) {
    // In order, and as fast both ways: in lockstep.
    world_.world.network().set_default_link({.delay_min_ns = 300'000, .delay_max_ns = 300'000});
    auto one = start(1), two = start(2);
    introduce(*one, 1, *two, 2);
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    const auto traffic = [&](int ms) {
        for (int at = 0; at < ms; ++at) {
            (void)one->transport->send(NodeId(2), Channel::kHeartbeat, "x");
            (void)two->transport->send(NodeId(1), Channel::kHeartbeat, "y");
            world_.world.advance(1'000'000);
        }
    };
    for (std::uint32_t round = 0; round < 6; ++round) {
        world_.nodes[1 + round % 2]->pause(5'000'000'000 + round * 13'000'000, "peer");
        traffic(6'000);
        const std::size_t settled = one->seen.changed() + two->seen.changed();
        traffic(1'000);
        ASSERT_EQ(one->seen.changed() + two->seen.changed(), settled) << "round " << round;
        ASSERT_TRUE(one->is_up(2) && two->is_up(1)) << "round " << round;
    }
}

TEST_F(SimulatedTransport, ALongCutOpensTheCircuitAndProbesHealIt) {
    auto one = start(1), two = start(2);
    introduce(*one, 1, *two, 2);
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    world_.world.network().partition("1", "2");
    ASSERT_TRUE(world_.wait([&] { return one->stats_of(2).circuit == CircuitState::kOpen; }));
    EXPECT_EQ(one->transport->allow_call(NodeId(2)).error().reason(), "circuit_open");
    world_.world.advance(60'000'000'000);
    const std::uint64_t greetings = one->stats_of(2).greetings;
    world_.world.advance(10'000'000'000);
    // One probe a second, each of which takes a second to fail.
    EXPECT_LE(one->stats_of(2).greetings - greetings, 11U);
    world_.world.network().heal_all();
    const std::uint64_t healed_ns = world_.world.now_ns();
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    EXPECT_LT(world_.world.now_ns() - healed_ns, 3'000'000'000U);
    EXPECT_EQ(one->stats_of(2).circuit, CircuitState::kClosed);
}

TEST_F(SimulatedTransport, CallsWithoutAnswerOpenTheCircuitOfAPeerThatIsUp) {
    auto one = start(1), two = start(2);
    introduce(*one, 1, *two, 2);
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(one->transport->allow_call(NodeId(2)).ok());
        one->transport->report_call(NodeId(2), false);
    }
    EXPECT_FALSE(one->transport->allow_call(NodeId(2)).ok());
    EXPECT_TRUE(one->transport->send(NodeId(2), Channel::kRaft, "still").ok())
        << "consensus does not wait for calls";
    world_.world.advance(10'000'000'000);
    EXPECT_TRUE(one->transport->allow_call(NodeId(2)).ok()) << "the trial";
    EXPECT_FALSE(one->transport->allow_call(NodeId(2)).ok());
    one->transport->report_call(NodeId(2), true);
    EXPECT_TRUE(one->transport->allow_call(NodeId(2)).ok());
}

TEST_F(SimulatedTransport, OverALossyNetworkMessagesAreLostButNeverMangled) {
    world_.world.network().set_default_link({.loss_ppm = 50'000, .duplicate_ppm = 50'000});
    auto one = start(1), two = start(2);
    introduce(*one, 1, *two, 2);
    ASSERT_TRUE(world_.wait([&] { return one->is_up(2) && two->is_up(1); }));
    std::set<std::string> sent;
    for (int i = 0; i < 200; ++i) {
        std::string bytes = std::to_string(i) + std::string(i % 7 == 0 ? 100'000 : i, 'x');
        if (one->transport->send(NodeId(2), Channel::kRaft, bytes).ok()) sent.insert(bytes);
        world_.world.advance(5'000'000);
    }
    world_.world.advance(2'000'000'000);
    std::set<std::string> got;
    for (const auto& [channel, bytes] : two->seen.messages) got.insert(bytes);
    for (const std::string& bytes : got) EXPECT_TRUE(sent.contains(bytes));
    EXPECT_GT(got.size(), sent.size() * 3 / 4);
}

TEST_F(SimulatedTransport, TheSameSeedIsTheSameLife) {
    const auto life = [] {
        SimulatedWorld world;
        std::vector<std::unique_ptr<Node>> nodes;
        for (std::uint32_t i = 1; i <= 3; ++i) {
            PeerTransportOptions options;
            options.self = node_identity(i);
            options.endpoint.address = world.address(i);
            nodes.push_back(std::make_unique<Node>(options, world.runtime(i)));
            EXPECT_TRUE(nodes.back()->transport->start().ok());
        }
        for (std::uint32_t i = 1; i <= 3; ++i)
            for (std::uint32_t j = 1; j <= 3; ++j)
                if (i != j) nodes[i - 1]->transport->set_peer(NodeId(j), world.address(j));
        world.world.advance(10'000'000'000);
        return world.world.trace_hash();
    };
    EXPECT_EQ(life(), life());
}

}  // namespace peer_transport_test
}  // namespace tidal::cluster
