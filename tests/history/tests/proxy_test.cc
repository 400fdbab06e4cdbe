#include "tests/history/proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <thread>

namespace tidal::history {
namespace {

using Clock = std::chrono::steady_clock;

int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
}

/// What arrives until `size` bytes are there or the other side has closed; "" when nothing does in
/// `wait`.
std::string receive(int fd, std::size_t size, std::chrono::milliseconds wait) {
    std::string out;
    char bytes[4096];
    while (out.size() < size) {
        pollfd one{fd, POLLIN, 0};
        if (::poll(&one, 1, static_cast<int>(wait.count())) == 0) return out;
        const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
        if (got <= 0) return out + "(end)";
        out.append(bytes, static_cast<std::size_t>(got));
    }
    return out;
}

constexpr std::chrono::milliseconds kSoon{10'000};  // given up after
constexpr std::chrono::milliseconds kNot{150};      // nothing has come in

/// Node 1 is this process, node 2 one that only accepts.
class ProxyTest : public testing::Test {
protected:
    void SetUp() override {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ASSERT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ASSERT_EQ(::listen(listener_, 8), 0);
        socklen_t size = sizeof address;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        std::vector<ProxyNode> nodes(2);
        nodes[0].target_port = 1;
        nodes[0].pid = [this] { return pid_.load(); };
        nodes[1].other_port = other_port_ = free_port();
        nodes[1].target_port = ntohs(address.sin_port);
        nodes[1].pid = [] { return pid_t{0}; };
        auto proxy = Proxy::listen(std::move(nodes), links_);
        ASSERT_TRUE(proxy.ok()) << proxy.error().to_string();
        proxy_ = std::move(*proxy);
        thread_ = std::thread([this] { proxy_->run(); });
    }
    void TearDown() override {
        proxy_->stop();
        thread_.join();
        for (const int fd : {client_, server_, listener_}) ::close(fd);
    }

    static std::uint16_t free_port() {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        socklen_t size = sizeof address;
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
        ::close(fd);
        return ntohs(address.sin_port);
    }
    void connect() { client_ = connect_to(proxy_->listen_port(2)); }
    void accept() {
        pollfd one{listener_, POLLIN, 0};
        ASSERT_EQ(::poll(&one, 1, static_cast<int>(kSoon.count())), 1);
        server_ = ::accept(listener_, nullptr, nullptr);
    }
    void set(const char* commands) {
        const auto done = links_.command(commands);
        ASSERT_TRUE(done.ok()) << done.error().to_string();
    }
    static void send(int fd, const std::string& bytes) {
        ASSERT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }

    std::atomic<pid_t> pid_ = ::getpid();
    Links links_{2};
    std::unique_ptr<Proxy> proxy_;
    std::thread thread_;
    std::uint16_t other_port_ = 0;  ///< Of node 2.
    int listener_ = -1, client_ = -1, server_ = -1;
};

TEST_F(ProxyTest, CarriesBothWaysAndTheEnd) {
    connect();
    accept();
    send(client_, "there");
    EXPECT_EQ(receive(server_, 5, kSoon), "there");
    send(server_, "back");
    EXPECT_EQ(receive(client_, 4, kSoon), "back");
    send(client_, "last");
    ::shutdown(client_, SHUT_WR);
    EXPECT_EQ(receive(server_, 100, kSoon), "last(end)");
    EXPECT_EQ(proxy_->stats().bytes, 13u);
}

TEST_F(ProxyTest, ANodeHasTwoAddressesOfOneLink) {
    client_ = connect_to(other_port_);
    accept();
    send(client_, "there");
    EXPECT_EQ(receive(server_, 5, kSoon), "there");
    set("1>2 reset");
    EXPECT_EQ(receive(client_, 1, kSoon), "(end)");
}

TEST_F(ProxyTest, CutHoldsOneDirectionUntilItIsOpen) {
    connect();
    accept();
    send(client_, "a");
    EXPECT_EQ(receive(server_, 1, kSoon), "a");
    set("2>1 cut");
    // From here on within a tick, and the tick is short beside kNot.
    EXPECT_EQ(receive(client_, 1, kNot), "");
    send(server_, "held");
    send(client_, "goes");
    EXPECT_EQ(receive(server_, 4, kSoon), "goes");
    EXPECT_EQ(receive(client_, 4, kNot), "");
    set("2>1 open");
    EXPECT_EQ(receive(client_, 4, kSoon), "held");
}

TEST_F(ProxyTest, NobodyGetsThroughACutAndTheConnectionWaits) {
    set("*>* cut");
    connect();
    send(client_, "late");
    pollfd one{listener_, POLLIN, 0};
    EXPECT_EQ(::poll(&one, 1, static_cast<int>(kNot.count())), 0);
    set("1>2 open, 2>1 open");
    accept();
    EXPECT_EQ(receive(server_, 4, kSoon), "late");
}

TEST_F(ProxyTest, ResetEndsConnectionsAndRefusesNewOnes) {
    connect();
    accept();
    send(client_, "a");
    EXPECT_EQ(receive(server_, 1, kSoon), "a");
    set("1>2 reset");
    EXPECT_EQ(receive(client_, 1, kSoon), "(end)");
    EXPECT_EQ(receive(server_, 1, kSoon), "(end)");
    const int again = connect_to(proxy_->listen_port(2));
    EXPECT_EQ(receive(again, 1, kSoon), "(end)");
    ::close(again);
}

TEST_F(ProxyTest, DelayIsKept) {
    set("1>2 delay 60");
    connect();
    accept();
    const auto start = Clock::now();
    send(client_, "slow");
    EXPECT_EQ(receive(server_, 4, kSoon), "slow");
    EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(60));
}

TEST_F(ProxyTest, DamageFlipsABitOfEverySoManyBytes) {
    set("1>2 damage 3");
    connect();
    accept();
    send(client_, "aaaa");
    std::string got = receive(server_, 4, kSoon);
    send(client_, "aaa");
    got += receive(server_, 3, kSoon);
    ASSERT_EQ(got.size(), 7u);
    for (std::size_t at = 0; at < got.size(); ++at)
        EXPECT_EQ(std::popcount(static_cast<unsigned>(got[at] ^ 'a')), at % 3 == 2 ? 1 : 0) << at;
    send(server_, "whole");
    EXPECT_EQ(receive(client_, 5, kSoon), "whole");
    EXPECT_EQ(proxy_->stats().damaged, 2u);
    EXPECT_EQ(proxy_->bytes(1, 2), 7u);
    EXPECT_EQ(proxy_->bytes(2, 1), 5u);
}

TEST_F(ProxyTest, StrangersAreNotCarried) {
    pid_ = ::getppid();
    connect();
    EXPECT_EQ(receive(client_, 1, kSoon), "(end)");
    EXPECT_EQ(proxy_->stats().strangers, 1u);
}

TEST(Links, CommandsAreAllOrNothing) {
    Links links(3);
    EXPECT_TRUE(links.command("1>* cut, 3>2 delay 15,2>3 reset, 3>1 damage 900").ok());
    EXPECT_EQ(links.to_text(),
              "1>1 cut\n1>2 cut\n1>3 cut\n2>3 reset\n3>1 damage 900\n3>2 delay 15\n");
    for (const char* bad : {"1>2", "1>4 cut", "0>1 cut", "1 cut", "1>2 gone", "1>2 delay x",
                            "1>2 delay", "1>2 damage 0", "1>2 damage", "1>2 open, x"})
        EXPECT_FALSE(links.command(bad).ok()) << bad;
    EXPECT_EQ(links.get(1, 2).state, LinkState::kCut);
    EXPECT_TRUE(links.command("*>* open\n").ok());
    EXPECT_EQ(links.to_text(), "");
}

}  // namespace
}  // namespace tidal::history
