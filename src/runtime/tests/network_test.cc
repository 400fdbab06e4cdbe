// The contract of runtime/network.h over TCP and in simulation; then what only one of them does.
#include "runtime/network.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "runtime/internal/frame.h"
#include "runtime/io_executor.h"
#include "runtime/real_runtime.h"
#include "runtime/sim_network.h"

namespace tidal::runtime {
namespace network_test {

struct RealPair {
    Runtime& runtime(int) { return *impl; }
    std::unique_ptr<Executor> executor(int) { return impl->executors().create_executor("net"); }
    std::string address(int) { return "127.0.0.1:0"; }
    template <typename Predicate>
    bool wait(Predicate done) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            std::this_thread::sleep_for(std::chrono::microseconds(200));  // allowed: polls
        }
        return true;
    }
    std::unique_ptr<Runtime> impl = std::move(make_real_runtime({})).value();
};

/// Sockets on the executors' own threads.
struct IoPair : RealPair {
    std::unique_ptr<Executor> executor(int) { return create_io_executor(impl->executors(), "net"); }
};

struct SimulatedPair {
    Runtime& runtime(int node) { return node == 0 ? *a : *b; }
    std::unique_ptr<Executor> executor(int node) {
        return runtime(node).executors().create_executor("net");
    }
    std::string address(int node) { return node == 0 ? "a:1" : "b:0"; }
    template <typename Predicate>
    bool wait(Predicate done) {
        return world.run_until(done);
    }
    SimWorld world{3};
    SimDisk disk_a, disk_b;
    std::unique_ptr<SimRuntime> a = world.create_node("a", disk_a),
                                b = world.create_node("b", disk_b);
};

struct Received {
    std::mutex mutex;
    std::vector<std::pair<std::string, std::string>> messages;  // From, bytes.
    std::size_t count() {
        const std::lock_guard lock(mutex);
        return messages.size();
    }
    OnMessage handler() {
        return [this](const Sender& from, std::string bytes) {
            const std::lock_guard lock(mutex);
            messages.emplace_back(from.address, std::move(bytes));
        };
    }
};

template <typename T>
class NetworkContract : public ::testing::Test {
protected:
    struct StopFirst {
        Executor* executor;
        void operator()(Endpoint* endpoint) const {
            executor->stop();
            delete endpoint;
        }
    };
    using Open = std::unique_ptr<Endpoint, StopFirst>;

    Open listen(int node, OnMessage on_message) {
        return listen_at(node, pair_.address(node), std::move(on_message));
    }
    Open listen_at(int node, const std::string& address, OnMessage on_message) {
        executors_.push_back(pair_.executor(node));
        auto endpoint = pair_.runtime(node).network().listen(
            {.address = address}, *executors_.back(), std::move(on_message));
        return Open(std::move(endpoint).value().release(), StopFirst{executors_.back().get()});
    }
    T pair_;
    std::vector<std::unique_ptr<Executor>> executors_;
    Received at_a_, at_b_;
};

using Implementations = ::testing::Types<RealPair, IoPair, SimulatedPair>;
TYPED_TEST_SUITE(NetworkContract, Implementations);

TYPED_TEST(NetworkContract, MessagesArriveBothWaysWithTheirSender) {
    auto a = this->listen(0, this->at_a_.handler());
    auto b = this->listen(1, this->at_b_.handler());
    ASSERT_TRUE(a->send(b->address(), "ping").ok());
    ASSERT_TRUE(this->pair_.wait([&] { return this->at_b_.count() == 1; }));
    EXPECT_EQ(this->at_b_.messages[0], std::make_pair(a->address(), std::string("ping")));
    ASSERT_TRUE(b->send(this->at_b_.messages[0].first, "pong").ok());
    ASSERT_TRUE(this->pair_.wait([&] { return this->at_a_.count() == 1; }));
    EXPECT_EQ(this->at_a_.messages[0], std::make_pair(b->address(), std::string("pong")));
}

TYPED_TEST(NetworkContract, ManyAndLargeAndEmptyMessagesArriveWhole) {
    auto a = this->listen(0, this->at_a_.handler());
    auto b = this->listen(1, this->at_b_.handler());
    std::multiset<std::string> sent;
    for (std::size_t i = 0; i < 300; ++i) {
        std::string bytes(i * 97 % 5000, static_cast<char>(i));
        if (i == 150) bytes.assign(3'000'000, 'x');
        sent.insert(bytes);
        ASSERT_TRUE(a->send(b->address(), bytes).ok());
    }
    ASSERT_TRUE(this->pair_.wait([&] { return this->at_b_.count() == 300; }));
    std::multiset<std::string> got;
    for (const auto& [from, bytes] : this->at_b_.messages) got.insert(bytes);
    EXPECT_EQ(got, sent);
}

TYPED_TEST(NetworkContract, BadSendsAreRefusedAtOnce) {
    auto a = this->listen(0, this->at_a_.handler());
    const auto large = a->send("127.0.0.1:1", std::string(kMessageBytesMax + 1, 'x'));
    ASSERT_FALSE(large.ok());
    EXPECT_EQ(large.error().code(), ErrorCode::kTooLarge);
    auto& runtime = this->pair_.runtime(0);
    for (const std::string bad : {"", "host", ":1", "host:", "host:x", "host:1x", "host:65536"}) {
        const auto endpoint = runtime.network().listen({.address = bad}, *this->executors_[0], {});
        ASSERT_FALSE(endpoint.ok()) << bad;
        EXPECT_EQ(endpoint.error().code(), ErrorCode::kInvalidArgument) << bad;
    }
    const auto taken =
        runtime.network().listen({.address = a->address()}, *this->executors_[0], {});
    ASSERT_FALSE(taken.ok());
    EXPECT_EQ(taken.error().code(), ErrorCode::kConflict);
}

TYPED_TEST(NetworkContract, AnAddressCanBeTakenAgainAndReached) {
    auto a = this->listen(0, this->at_a_.handler());
    auto b = this->listen(1, this->at_b_.handler());
    const std::string address = b->address();
    ASSERT_TRUE(a->send(address, "one").ok());
    ASSERT_TRUE(this->pair_.wait([&] { return this->at_b_.count() == 1; }));
    b.reset();
    auto again = this->listen_at(1, address, this->at_b_.handler());
    // The first ones may be lost in finding out that the old connection is gone.
    ASSERT_TRUE(this->pair_.wait([&] {
        const auto sent = a->send(address, "two");
        return (sent.ok() || sent.error().code() != ErrorCode::kInvalidArgument) &&
               this->at_b_.count() > 1;
    }));
}

TEST(AsioNetwork, APeerThatDoesNotAnswerIsUnavailableForAWhile) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto executor = runtime->executors().create_executor("net");
    Received received;
    auto endpoint = std::move(runtime->network().listen({.address = "127.0.0.1:0"}, *executor,
                                                        received.handler()))
                        .value();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    bool unavailable = false;
    while (!unavailable && std::chrono::steady_clock::now() < deadline) {
        const auto sent = endpoint->send("127.0.0.1:1", "x");  // tcpmux: nobody listens.
        unavailable = !sent.ok() && sent.error().code() == ErrorCode::kUnavailable;
    }
    EXPECT_TRUE(unavailable);
    EXPECT_EQ(endpoint->send("nowhere", "x").error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(endpoint->send("host:70000", "x").error().code(), ErrorCode::kInvalidArgument);
}

TEST(AsioNetwork, TheQueueOfAPeerThatDoesNotReadIsBounded) {
    auto runtime = std::move(make_real_runtime({})).value();
    auto executor = runtime->executors().create_executor("net");
    auto stuck = runtime->executors().create_executor("stuck");
    std::atomic<bool> release = false;
    stuck->post([&] {
        while (!release) std::this_thread::yield();
    });
    Received received, unused;
    auto to =
        std::move(runtime->network().listen({.address = "127.0.0.1:0"}, *stuck, received.handler()))
            .value();
    auto from = std::move(runtime->network().listen({.address = "127.0.0.1:0"}, *executor,
                                                    unused.handler()))
                    .value();
    std::size_t accepted = 0;
    bool full = false;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
    while (!full && std::chrono::steady_clock::now() < deadline && accepted < 100) {
        const auto sent = from->send(to->address(), std::string(4 << 20, 'x'));
        if (sent.ok()) ++accepted;
        // Full now may only mean that the sockets are slow; full after a pause means stuck.
        if (!sent.ok() && sent.error().code() == ErrorCode::kOverloaded) full = accepted >= 32;
    }
    EXPECT_TRUE(full) << accepted << " messages of 4 MiB were accepted";
    release = true;
    while (received.count() < accepted && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // allowed: polls
    EXPECT_EQ(received.count(), accepted) << "reading goes on once there is room";
    to.reset();
    from.reset();
}

struct SimNodes {
    explicit SimNodes(std::uint64_t seed) : world(seed) {
        for (int i = 0; i < 2; ++i) {
            executors[i] = nodes[i]->executors().create_executor("net");
            endpoints[i] =
                std::move(nodes[i]->network().listen({.address = i == 0 ? "a:1" : "b:1"},
                                                     *executors[i], received[i].handler()))
                    .value();
        }
    }
    SimWorld world;
    SimDisk disks[2];
    std::unique_ptr<SimRuntime> nodes[2] = {world.create_node("a", disks[0]),
                                            world.create_node("b", disks[1])};
    Received received[2];
    std::unique_ptr<Executor> executors[2];
    std::unique_ptr<Endpoint> endpoints[2];
};

TEST(SimNetwork, LosesRepeatsAndReordersAsAsked) {
    SimNodes sim(5);
    sim.world.network().set_default_link({.delay_min_ns = 1000,
                                          .delay_max_ns = 1'000'000,
                                          .loss_ppm = 200'000,
                                          .duplicate_ppm = 100'000});
    for (int i = 0; i < 1000; ++i)
        ASSERT_TRUE(sim.endpoints[0]->send("b:1", std::to_string(i)).ok());
    sim.world.advance(10'000'000);
    const auto& stats = sim.world.network().stats();
    EXPECT_EQ(stats.sent, 1000U);
    EXPECT_NEAR(static_cast<double>(stats.lost), 200, 60);
    EXPECT_NEAR(static_cast<double>(stats.duplicated), 80, 40);
    EXPECT_EQ(stats.delivered, 1000 - stats.lost + stats.duplicated);
    EXPECT_EQ(sim.received[1].count(), stats.delivered);
    std::vector<int> numbers;
    for (const auto& [from, bytes] : sim.received[1].messages) numbers.push_back(std::stoi(bytes));
    EXPECT_FALSE(std::is_sorted(numbers.begin(), numbers.end()));
}

TEST(SimNetwork, DamagesMessagesAsAsked) {
    SimNodes sim(5);
    sim.world.network().set_default_link({.delay_max_ns = 1'000'000, .corrupt_ppm = 250'000});
    for (int i = 0; i < 400; ++i) ASSERT_TRUE(sim.endpoints[0]->send("b:1", "message").ok());
    sim.world.advance(10'000'000);
    const auto damaged = std::ranges::count_if(
        sim.received[1].messages, [](const auto& each) { return each.second != "message"; });
    EXPECT_EQ(sim.received[1].count(), 400U);
    EXPECT_NEAR(static_cast<double>(damaged), 100, 40);
    EXPECT_GE(sim.world.network().stats().corrupted, static_cast<std::uint64_t>(damaged));
}

TEST(SimNetwork, CutsOneDirectionAndHeals) {
    SimNodes sim(5);
    auto& network = sim.world.network();
    network.cut("a", "b");
    ASSERT_TRUE(sim.endpoints[0]->send("b:1", "lost").ok());
    ASSERT_TRUE(sim.endpoints[1]->send("a:1", "arrives").ok());
    sim.world.advance(1'000'000'000);
    EXPECT_EQ(sim.received[0].count(), 1U);
    EXPECT_EQ(sim.received[1].count(), 0U);
    network.partition("a", "b");
    ASSERT_TRUE(sim.endpoints[1]->send("a:1", "lost").ok());
    sim.world.advance(1'000'000'000);
    EXPECT_EQ(sim.received[0].count(), 1U);
    network.heal("a", "b");
    network.heal("b", "a");
    ASSERT_TRUE(sim.endpoints[0]->send("b:1", "arrives").ok());
    sim.world.advance(1'000'000'000);
    EXPECT_EQ(sim.received[1].count(), 1U);
}

TEST(SimNetwork, ACrashedNodeHearsNothingAndItsNextLifeTakesTheAddress) {
    SimNodes sim(5);
    sim.nodes[1]->kill();
    EXPECT_FALSE(sim.endpoints[1]->send("a:1", "from the dead").ok());
    ASSERT_TRUE(sim.endpoints[0]->send("b:1", "to the dead").ok());
    sim.world.advance(1'000'000'000);
    EXPECT_EQ(sim.received[1].count(), 0U);
    sim.disks[1].crash();
    auto next = sim.world.create_node("b", sim.disks[1]);
    auto executor = next->executors().create_executor("net");
    auto endpoint =
        std::move(next->network().listen({.address = "b:1"}, *executor, sim.received[1].handler()))
            .value();
    sim.endpoints[1].reset();
    ASSERT_TRUE(sim.endpoints[0]->send("b:1", "hello").ok());
    sim.world.advance(1'000'000'000);
    EXPECT_EQ(sim.received[1].count(), 1U);
}

TEST(SimNetwork, ItsQueueIsBounded) {
    SimNodes sim(5);
    sim.world.network().set_link("a", "b", {.queue_bytes_max = 100});
    ASSERT_TRUE(sim.endpoints[0]->send("b:1", std::string(90, 'x')).ok());
    const auto full = sim.endpoints[0]->send("b:1", std::string(11, 'x'));
    ASSERT_FALSE(full.ok());
    EXPECT_EQ(full.error().code(), ErrorCode::kOverloaded);
    sim.world.advance(1'000'000'000);
    EXPECT_TRUE(sim.endpoints[0]->send("b:1", std::string(100, 'x')).ok());
    EXPECT_EQ(sim.endpoints[0]->send("c:1", "x").error().code(), ErrorCode::kUnavailable);
}

TEST(SimNetwork, TheSameSeedDeliversTheSame) {
    const auto life = [](std::uint64_t seed) {
        SimNodes sim(seed);
        sim.world.network().set_default_link({.loss_ppm = 100'000, .duplicate_ppm = 100'000});
        for (int i = 0; i < 50; ++i) (void)sim.endpoints[0]->send("b:1", std::to_string(i));
        sim.world.advance(1'000'000'000);
        return sim.world.trace_hash();
    };
    EXPECT_EQ(life(1), life(1));
    EXPECT_NE(life(1), life(2));
}

using internal::encode_frame;
using internal::FrameKind;
using internal::FrameReader;

RC_GTEST_PROP(Frame, AnyFramesInAnyPiecesComeOutAgain, ()) {
    const auto payloads = *rc::gen::arbitrary<std::vector<std::string>>();
    std::string stream;
    for (const auto& payload : payloads) stream += encode_frame(FrameKind::kMessage, payload);
    FrameReader reader;
    std::vector<std::string> got;
    for (std::size_t at = 0; at < stream.size();) {
        const auto size = *rc::gen::inRange<std::size_t>(1, 40);
        reader.feed(std::string_view(stream).substr(at, size));
        at += size;
        while (true) {
            auto frame = reader.next();
            RC_ASSERT(frame.ok());
            if (!frame->has_value()) break;
            got.push_back((*frame)->payload);
        }
    }
    RC_ASSERT(got == payloads);
}

TEST(Frame, EveryFlippedBitIsNoticed) {
    const std::string good = encode_frame(FrameKind::kMessage, "payload");
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
        FrameReader reader;
        reader.feed(bad);
        const auto frame = reader.next();
        EXPECT_TRUE(!frame.ok() || !frame->has_value()) << "bit " << bit;
    }
}

TEST(Frame, TheGoldenFileStaysReadable) {
    std::ifstream file(TIDAL_TESTDATA_DIR "/frames_v1.bin", std::ios::binary);
    const std::string golden((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(golden, encode_frame(FrameKind::kHello, "node-1.example:7946") +
                          encode_frame(FrameKind::kMessage, "") +
                          encode_frame(FrameKind::kMessage, std::string("a\0b", 3)));
    FrameReader reader;
    reader.feed(golden);
    EXPECT_EQ(reader.next()->value().payload, "node-1.example:7946");
    EXPECT_EQ(reader.next()->value().payload, "");
    EXPECT_EQ(reader.next()->value().payload, std::string("a\0b", 3));
    EXPECT_FALSE(reader.next()->has_value());
}

}  // namespace network_test
}  // namespace tidal::runtime
