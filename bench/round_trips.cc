// bench/round_trips.cc: one request again and again on one TCP connection; the time of each reply.
//
//     round_trips redis PORT 'ZREVRANGE top 0 19 WITHSCORES' [SECONDS = 3]
//     round_trips http  PORT '/feed?profile=trending' [SECONDS = 3]
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
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

/// An array of bulk strings.
std::size_t redis_reply(std::string_view bytes) {
    if (bytes.empty()) return 0;
    if (bytes[0] != '*') {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(bytes.size()), bytes.data());
        std::exit(1);
    }
    std::size_t at = bytes.find("\r\n"), lines = 2 * std::strtoull(bytes.data() + 1, nullptr, 10);
    for (; at != std::string_view::npos && lines > 0; --lines) at = bytes.find("\r\n", at + 2);
    return at == std::string_view::npos ? 0 : at + 2;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: round_trips redis|http PORT REQUEST [SECONDS]\n");
        return 1;
    }
    const bool http = std::string_view(argv[1]) == "http";
    const double seconds = argc > 4 ? std::strtod(argv[4], nullptr) : 3;
    const std::string request =
        http ? "GET " + std::string(argv[3]) + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
             : std::string(argv[3]) + "\r\n";
    const int fd = connect_to(std::atoi(argv[2]));
    std::vector<double> times;
    std::string bytes;
    std::size_t size = 0;
    const auto start = Clock::now();
    while (std::chrono::duration<double>(Clock::now() - start).count() < seconds) {
        const auto begin = Clock::now();
        if (write(fd, request.data(), request.size()) != static_cast<ssize_t>(request.size()))
            fail("write");
        bytes.clear();
        while ((size = http ? http_reply(bytes) : redis_reply(bytes)) == 0) {
            char part[65536];
            const ssize_t got = read(fd, part, sizeof part);
            if (got <= 0) fail("read");
            bytes.append(part, static_cast<std::size_t>(got));
        }
        times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
    close(fd);
    std::ranges::sort(times);
    std::printf("%-5s p50 %8.1f us  p99 %8.1f us  %7zu replies of %6zu bytes  %s\n", argv[1],
                times[times.size() / 2], times[times.size() * 99 / 100], times.size(), size,
                argv[3]);
    return 0;
}
