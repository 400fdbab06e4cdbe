// A client that sends exactly what a test says, for what well-behaved libraries cannot send.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace tidal::http {

struct RawReply {
    int status = 0;  ///< 0 = the connection ended first.
    std::map<std::string, std::string> headers;
    std::string body;
};

class RawClient {
public:
    explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int one = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    ~RawClient() { close(); }
    RawClient(RawClient&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)),
          connected_(other.connected_),
          in_(std::move(other.in_)) {}

    bool connected() const { return connected_; }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    /// The server sees the end of what we send, and can still answer.
    void shut_sending() { ::shutdown(fd_, SHUT_WR); }

    /// False when the server does not take it all within `timeout_ms` or the connection is gone.
    bool send(std::string_view bytes, int timeout_ms = 10'000) {
        return send_some(bytes, timeout_ms) == bytes.size();
    }
    std::size_t send_some(std::string_view bytes, int timeout_ms) {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            pollfd waiting{fd_, POLLOUT, 0};
            if (::poll(&waiting, 1, timeout_ms) <= 0) return sent;
            const ssize_t n =
                ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n <= 0) return sent;
            sent += static_cast<std::size_t>(n);
        }
        return sent;
    }

    /// Everything up to the end of the connection.
    std::string read_all() {
        while (fill()) {
        }
        return std::exchange(in_, {});
    }
    /// Up to and with `mark`; what came when the connection ends first.
    std::string read_through(std::string_view mark) {
        for (;;) {
            const std::size_t at = in_.find(mark);
            if (at != std::string::npos) return take(at + mark.size());
            if (!fill()) return std::exchange(in_, {});
        }
    }
    /// One reply, by Content-Length or chunks; `head_only` for replies to HEAD.
    RawReply read_reply(bool head_only = false) {
        RawReply reply;
        const std::string head = read_through("\r\n\r\n");
        if (head.size() < 12) return reply;
        reply.status = std::atoi(head.c_str() + 9);
        std::size_t at = head.find("\r\n") + 2;
        while (at < head.size() && head.compare(at, 2, "\r\n") != 0) {
            const std::size_t colon = head.find(": ", at);
            const std::size_t end = head.find("\r\n", at);
            reply.headers[head.substr(at, colon - at)] = head.substr(colon + 2, end - colon - 2);
            at = end + 2;
        }
        if (head_only || reply.status < 200) return reply;
        if (reply.headers.count("Content-Length") != 0) {
            const auto length = std::stoul(reply.headers["Content-Length"]);
            while (in_.size() < length && fill()) {
            }
            reply.body = take(length);
        } else if (reply.headers.count("Transfer-Encoding") != 0) {
            for (std::string chunk = read_chunk(); !chunk.empty(); chunk = read_chunk())
                reply.body += chunk;
        }
        return reply;
    }
    /// Of a chunked reply; empty = the last one, or the connection ended.
    std::string read_chunk() {
        const std::string size_line = read_through("\r\n");
        const auto size = std::strtoul(size_line.c_str(), nullptr, 16);
        while (in_.size() < size + 2 && fill()) {
        }
        std::string chunk = take(size);
        take(2);
        return chunk;
    }
    RawReply ask(std::string_view bytes) {
        send(bytes);
        return read_reply();
    }
    /// True when the server closes within the time a test gives.
    bool is_closed() { return read_all().empty(); }

private:
    std::string take(std::size_t size) {
        std::string out = in_.substr(0, size);
        in_.erase(0, out.size());
        return out;
    }
    /// False at the end of the connection, or after ten seconds of silence.
    bool fill() {
        pollfd waiting{fd_, POLLIN, 0};
        if (::poll(&waiting, 1, 10'000) <= 0) return false;
        char buffer[16 * 1024];
        const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n <= 0) return false;
        in_.append(buffer, static_cast<std::size_t>(n));
        return true;
    }

    int fd_;
    bool connected_ = false;
    std::string in_;
};

}  // namespace tidal::http
