// The port between nodes with TLS, over real sockets.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <thread>

#include "cluster/certificates.h"
#include "cluster/peer_packet.h"
#include "cluster/peer_transport.h"
#include "runtime/real_runtime.h"

namespace tidal::cluster {
namespace tls_test {

const std::string kCluster = "0123456789abcdef0123456789abcdef";

NodeIdentity node(std::uint32_t number) {
    return {kCluster, NodeId(number), std::string(31, 'c') + std::to_string(number), kFirstRegion};
}

template <typename Predicate>
bool wait(Predicate done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
    while (!done()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // allowed: polls
    }
    return true;
}

class Tls : public ::testing::Test {
protected:
    static UnixMillis now_ms() {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }
    std::shared_ptr<runtime::TlsOptions> keys(const NodeIdentity& named,
                                              const KeyAndCertificate& authority) {
        auto tls = std::make_shared<runtime::TlsOptions>();
        tls->authority = authority.certificate;
        tls->key = std::move(create_key()).value();
        tls->certificate =
            std::move(issue_certificate(authority, *public_key_of(tls->key), named, now_ms()))
                .value();
        tls->accept_anonymous = true;
        return tls;
    }
    struct Node {
        ~Node() { executor->stop(); }
        bool is_up(std::uint32_t number) {
            for (const PeerStats& stats : transport->stats())
                if (stats.node == NodeId(number)) return stats.up;
            return false;
        }
        bool says(std::string_view text) {
            const auto refusals = transport->refusals();
            return std::ranges::any_of(refusals, [&](const std::string& refusal) {
                return refusal.find(text) != std::string::npos;
            });
        }
        std::unique_ptr<runtime::Executor> executor;
        std::unique_ptr<PeerTransport> transport;
        std::atomic<std::size_t> received = 0;
    };
    std::unique_ptr<Node> start(const NodeIdentity& self,
                                std::shared_ptr<const runtime::TlsOptions> tls) {
        auto node = std::make_unique<Node>();
        node->executor = runtime_->executors().create_executor("peer");
        PeerTransportOptions options;
        options.self = self;
        options.endpoint.address = "127.0.0.1:0";
        options.endpoint.tls = std::move(tls);
        node->transport = std::make_unique<PeerTransport>(options, *runtime_, *node->executor);
        node->transport->subscribe(Channel::kRaft, [raw = node.get()](NodeId, std::string bytes) {
            raw->received += bytes.size();
        });
        const auto started = node->transport->start();
        EXPECT_TRUE(started.ok()) << started.error().to_string();
        return node;
    }
    /// Two nodes that were told of each other.
    void introduce(Node& one, Node& two) {
        one.transport->set_peer(NodeId(2), two.transport->address());
        two.transport->set_peer(NodeId(1), one.transport->address());
    }

    std::unique_ptr<runtime::Runtime> runtime_ = std::move(runtime::make_real_runtime({})).value();
    KeyAndCertificate authority_ = std::move(create_authority(kCluster, now_ms())).value();
};

TEST_F(Tls, NodesWithCertificatesOfOneAuthoritySpeak) {
    auto one = start(node(1), keys(node(1), authority_));
    auto two = start(node(2), keys(node(2), authority_));
    introduce(*one, *two);
    ASSERT_TRUE(wait([&] { return one->is_up(2) && two->is_up(1); }))
        << one->transport->endpoint_stats().newest_refusal;
    ASSERT_TRUE(one->transport->send(NodeId(2), Channel::kRaft, std::string(3'000'000, 'x')).ok());
    ASSERT_TRUE(two->transport->send(NodeId(1), Channel::kRaft, "back").ok());
    EXPECT_TRUE(wait([&] { return two->received == 3'000'000 && one->received == 4; }));
    EXPECT_EQ(one->transport->endpoint_stats().refused, 0U);
    EXPECT_EQ(
        one->transport->endpoint_stats().connections + two->transport->endpoint_stats().connections,
        2U)
        << "one connection, seen from both ends";
}

TEST_F(Tls, ACertificateOfAnotherAuthorityIsRefused) {
    const auto strangers = std::move(create_authority(kCluster, now_ms())).value();
    auto one = start(node(1), keys(node(1), authority_));
    auto two = start(node(2), keys(node(2), strangers));
    introduce(*one, *two);
    ASSERT_TRUE(wait([&] {
        return one->transport->endpoint_stats().refused > 0 &&
               two->transport->endpoint_stats().refused > 0;
    }));
    for (const Node* each : {one.get(), two.get()}) {
        const std::string refusal = each->transport->endpoint_stats().newest_refusal;
        EXPECT_NE(refusal.find("TLS"), std::string::npos) << refusal;
        EXPECT_NE(refusal.find("nodes of one cluster have one authority"), std::string::npos)
            << refusal;
    }
    EXPECT_FALSE(one->is_up(2));
    EXPECT_FALSE(two->is_up(1));
}

TEST_F(Tls, ANodeCannotSpeakWithTheCertificateOfAnother) {
    auto one = start(node(1), keys(node(1), authority_));
    auto two = start(node(2), keys(node(3), authority_));  // says 2, shows 3
    two->transport->set_peer(NodeId(1), one->transport->address());
    ASSERT_TRUE(wait([&] { return one->says("wrong certificate"); }));
    EXPECT_TRUE(one->says("/node/3/"));
    EXPECT_TRUE(one->says("/node/2/"));
    EXPECT_FALSE(one->is_up(2));
}

TEST_F(Tls, APlainNodeIsRefused) {
    auto one = start(node(1), keys(node(1), authority_));
    auto two = start(node(2), nullptr);
    introduce(*one, *two);
    ASSERT_TRUE(wait([&] { return one->transport->endpoint_stats().refused > 0; }));
    EXPECT_FALSE(one->is_up(2));
    EXPECT_FALSE(two->is_up(1));
}

TEST_F(Tls, APlainTcpClientGetsNothingButAnAlert) {
    auto one = start(node(1), keys(node(1), authority_));
    const std::string address = one->transport->address();
    namespace asio = boost::asio;
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    asio::ip::tcp::resolver resolver(io);
    asio::connect(socket, resolver.resolve("127.0.0.1", address.substr(address.rfind(':') + 1)));
    asio::write(socket, asio::buffer(std::string("GET / HTTP/1.1\r\n\r\n")));
    std::string answer;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(answer), error);  // to its end
    EXPECT_LT(answer.size(), 16U);
    ASSERT_TRUE(wait([&] { return one->transport->endpoint_stats().refused == 1; }));
    EXPECT_NE(one->transport->endpoint_stats().newest_refusal.find("TLS handshake failed"),
              std::string::npos);
}

TEST_F(Tls, WithoutACertificateOneMayAskToJoinAndNothingElse) {
    auto one = start(node(1), keys(node(1), authority_));
    one->executor->post([&] {
        one->transport->set_on_join([](std::string request, PeerTransport::JoinAnswered answer) {
            answer("re: " + request);
        });
    });
    auto tls = std::make_shared<runtime::TlsOptions>();
    tls->pin = *certificate_hash(authority_.certificate);
    auto executor = runtime_->executors().create_executor("joiner");
    std::mutex mutex;
    std::string got;
    std::string sender;
    auto endpoint =
        std::move(runtime_->network().listen(
                      {.address = "127.0.0.1:0", .advertised = "", .tls = tls}, *executor,
                      [&](const runtime::Sender& from, std::string bytes) {
                          const std::lock_guard lock(mutex);
                          const auto packet = decode_packet(bytes);
                          if (packet.ok() && std::holds_alternative<Join>(*packet))
                              got = std::get<Join>(*packet).bytes;
                          sender = from.identity;
                      }))
            .value();
    const std::string address = one->transport->address();
    ASSERT_TRUE(endpoint->send(address, encode_packet(Join{false, "please"})).ok());
    EXPECT_TRUE(wait([&] {
        const std::lock_guard lock(mutex);
        return got == "re: please";
    })) << endpoint->stats().newest_refusal;
    EXPECT_EQ(sender, certificate_name(node(1)));
    const Introduction stranger{node(2), BootId(1)};
    ASSERT_TRUE(endpoint->send(address, encode_packet(Hello{stranger, NodeId(1), 5})).ok());
    EXPECT_TRUE(wait([&] { return one->says("no certificate"); }));
    EXPECT_FALSE(one->is_up(2));
    executor->stop();
    endpoint.reset();
}

TEST_F(Tls, APinOfAnotherAuthorityEndsTheJoinersHandshake) {
    auto one = start(node(1), keys(node(1), authority_));
    const auto strangers = std::move(create_authority(kCluster, now_ms())).value();
    auto tls = std::make_shared<runtime::TlsOptions>();
    tls->pin = *certificate_hash(strangers.certificate);
    auto executor = runtime_->executors().create_executor("joiner");
    auto endpoint = std::move(runtime_->network().listen(
                                  {.address = "127.0.0.1:0", .advertised = "", .tls = tls},
                                  *executor, [](const runtime::Sender&, std::string) {}))
                        .value();
    ASSERT_TRUE(
        endpoint->send(one->transport->address(), encode_packet(Join{false, "secret"})).ok());
    EXPECT_TRUE(wait([&] { return endpoint->stats().refused > 0; }));
    executor->stop();
    endpoint.reset();
}

TEST_F(Tls, OptionsThatDoNotFitTogetherAreRefusedAtOnce) {
    auto executor = runtime_->executors().create_executor("net");
    const auto refused = [&](runtime::TlsOptions tls) {
        const auto endpoint = runtime_->network().listen(
            {.address = "127.0.0.1:0",
             .advertised = "",
             .tls = std::make_shared<runtime::TlsOptions>(std::move(tls))},
            *executor, [](const runtime::Sender&, std::string) {});
        return endpoint.ok() ? "" : endpoint.error().field();
    };
    const auto good = keys(node(1), authority_);
    EXPECT_EQ(refused(*good), "");
    auto tls = *good;
    tls.key = keys(node(1), authority_)->key;
    EXPECT_EQ(refused(tls), "tls.key");
    tls = *good;
    tls.authority = "nonsense";
    EXPECT_EQ(refused(tls), "tls.authority");
    tls = *good;
    tls.certificate = authority_.certificate;
    EXPECT_EQ(refused(tls), "tls.certificate") << "it names no node";
    EXPECT_EQ(refused({}), "tls.pin");
}

}  // namespace tls_test
}  // namespace tidal::cluster
