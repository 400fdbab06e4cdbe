// bench/round_trips.cc: requests again and again, each on a TCP connection of its own; the time of
// each reply.
//
//     round_trips SECONDS (redis|http PORT REQUEST)...
//     round_trips 3 redis 6379 'ZREVRANGE top 0 19 WITHSCORES' http 9500 '/feed?profile=trending'
//
// They take turns of a tenth of a second until each has had SECONDS, so that whatever else the
// machine does it does to all. Prints how each compares with the first.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

int connect_to(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/// Bytes of the first reply in `bytes`, 0 while it is not whole.
std::size_t http_reply(std::string_view bytes) {
    const std::size_t head = bytes.find("\r\n\r\n");
    if (head == std::string_view::npos) return 0;
    const std::size_t length = bytes.find("ontent-Length: ");
    if (bytes.substr(9, 3) != "200" || length == std::string_view::npos) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(std::min<std::size_t>(bytes.size(), 400)),
                     bytes.data());
        std::exit(1);
    }
    const std::size_t whole = head + 4 + std::strtoull(bytes.data() + length + 15, nullptr, 10);
    return bytes.size() >= whole ? whole : 0;
}

/// An array of bulk strings, or a line.
std::size_t redis_reply(std::string_view bytes) {
    if (bytes.empty()) return 0;
    if (bytes[0] == '+') return bytes.ends_with("\r\n") ? bytes.size() : 0;
    if (bytes[0] != '*') {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(bytes.size()), bytes.data());
        std::exit(1);
    }
    std::size_t at = bytes.find("\r\n"), lines = 2 * std::strtoull(bytes.data() + 1, nullptr, 10);
    for (; at != std::string_view::npos && lines > 0; --lines) at = bytes.find("\r\n", at + 2);
    return at == std::string_view::npos ? 0 : at + 2;
}

class Peer {
public:
    Peer(std::string_view protocol, const char* port, std::string what)
        : protocol_(protocol),
          http_(protocol == "http"),
          what_(std::move(what)),
          request_(http_ ? "GET " + what_ + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
                         : what_ + "\r\n"),
          fd_(connect_to(std::atoi(port))) {}

    void ask_for(double seconds) {
        const auto start = Clock::now();
        while (std::chrono::duration<double>(Clock::now() - start).count() < seconds) ask();
    }
    /// @param first_us  p50 of the first peer; 0 = this is it.
    double print(double first_us) {
        std::ranges::sort(times_);
        const double p50 = times_[times_.size() / 2];
        std::printf("%-5s p50 %7.1f us  p99 %8.1f us  %5.2fx  %7zu replies of %6zu bytes  %s\n",
                    protocol_.c_str(), p50, times_[times_.size() * 99 / 100],
                    first_us == 0 ? 1 : first_us / p50, times_.size(), size_, what_.c_str());
        return p50;
    }

private:
    void ask() {
        const auto begin = Clock::now();
        if (write(fd_, request_.data(), request_.size()) != static_cast<ssize_t>(request_.size()))
            fail("write");
        bytes_.clear();
        while ((size_ = http_ ? http_reply(bytes_) : redis_reply(bytes_)) == 0) {
            char part[65536];
            const ssize_t got = read(fd_, part, sizeof part);
            if (got <= 0) fail("read");
            bytes_.append(part, static_cast<std::size_t>(got));
        }
        times_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }

    const std::string protocol_;
    const bool http_;
    const std::string what_, request_;
    const int fd_;
    std::vector<double> times_;
    std::string bytes_;
    std::size_t size_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::strtod(argv[1], nullptr) : 0;
    if (argc < 5 || argc % 3 != 2 || !(seconds > 0)) {
        std::fprintf(stderr, "usage: round_trips SECONDS (redis|http PORT REQUEST)...\n");
        return 1;
    }
    constexpr double kTurnSeconds = 0.1;
    std::deque<Peer> peers;
    for (int at = 2; at < argc; at += 3) peers.emplace_back(argv[at], argv[at + 1], argv[at + 2]);
    for (double left = seconds; left > 0; left -= kTurnSeconds)
        for (Peer& peer : peers) peer.ask_for(kTurnSeconds);
    double first_us = 0;
    for (Peer& peer : peers) {
        const double p50 = peer.print(first_us);
        if (first_us == 0) first_us = p50;
    }
    return 0;
}
