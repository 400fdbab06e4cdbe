// One thread, poll(2). A direction that is cut is neither read nor written: as with a real cut,
// both ends see a connection on which nothing moves, and their buffers fill. Nothing of it is
// dropped, since TCP would have sent it again.
#include "tests/history/proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>

#include "tests/history/socket_owner.h"

namespace tidal::history {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTick = std::chrono::milliseconds(10);
constexpr auto kUnknownFor = std::chrono::seconds(1);
constexpr std::size_t kPipeBytesMax = 1 << 20;
constexpr std::size_t kPieceBytes = 64 << 10;

/// Owns a descriptor.
class Socket {
public:
    explicit Socket(int fd = -1) : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    int fd() const { return fd_; }
    bool open() const { return fd_ >= 0; }

private:
    int fd_;
};

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
}

Socket make_socket() {
    Socket out(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    if (out.open()) ::setsockopt(out.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return out;
}

std::uint16_t local_port(int fd) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

/// Bytes on their way in one direction.
struct Pipe {
    struct Piece {
        Clock::time_point due;
        std::string bytes;
    };
    std::deque<Piece> pieces;
    std::size_t size = 0;
    std::size_t undamaged = 0;  ///< Bytes since the last that was, on a link that damages some.
    bool ended = false;         ///< The source has closed; what is here still goes out.

    bool has_due(Clock::time_point now) const { return !pieces.empty() && pieces[0].due <= now; }
    bool has_room() const { return !ended && size < kPipeBytesMax; }
};

struct Connection {
    Socket near;  ///< Of who opened it.
    Socket far;   ///< To the target; not open until both links are.
    bool far_ready = false;
    std::uint32_t from = 0;  ///< 0 until its process is known.
    std::uint32_t to = 0;
    std::uint16_t near_port = 0;
    std::uint16_t listen_port = 0;  ///< Where it was accepted.
    Clock::time_point accepted;
    Pipe there, back;
    bool dead = false;
};

class PollProxy final : public Proxy {
public:
    PollProxy(std::vector<ProxyNode> nodes, const Links& links)
        : nodes_(std::move(nodes)),
          links_(links),
          bytes_((nodes_.size() + 1) * (nodes_.size() + 1)) {}

    Result<void> start() {
        for (std::uint32_t node = 1; node <= nodes_.size(); ++node) {
            ProxyNode& of = nodes_[node - 1];
            TIDAL_ASSIGN(of.listen_port, listen_on(of.listen_port, node));
            if (of.other_port == 0) continue;
            TIDAL_ASSIGN(of.other_port, listen_on(of.other_port, node));
        }
        return {};
    }

    std::uint16_t listen_port(std::uint32_t node) const override {
        return nodes_[node - 1].listen_port;
    }
    void stop() override { stopped_ = true; }
    const ProxyStats& stats() const override { return stats_; }
    std::uint64_t bytes(std::uint32_t from, std::uint32_t to) const override {
        return bytes_[from * (nodes_.size() + 1) + to];
    }

    void run() override {
        while (!stopped_) {
            for (auto& one : connections_) advance(*one);
            std::erase_if(connections_, [](const auto& one) { return one->dead; });
            wait();
        }
    }

private:
    /// Of connections to a node.
    struct Listener {
        Socket socket;
        std::uint16_t port = 0;
        std::uint32_t to = 0;
    };

    /// @return the port.
    Result<std::uint16_t> listen_on(std::uint16_t port, std::uint32_t node) {
        Socket socket = make_socket();
        const int on = 1;
        ::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        const sockaddr_in address = loopback(port);
        if (::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(socket.fd(), 128) != 0)
            return Error(ErrorCode::kConflict, "cannot listen").with("port", port);
        const std::uint16_t taken = local_port(socket.fd());
        listeners_.push_back({std::move(socket), taken, node});
        return taken;
    }

    bool open(std::uint32_t from, std::uint32_t to) const {
        return links_.get(from, to).state == LinkState::kOpen;
    }
    bool reset(const Connection& one) const {
        return one.from != 0 && (links_.get(one.from, one.to).state == LinkState::kReset ||
                                 links_.get(one.to, one.from).state == LinkState::kReset);
    }

    /// What does not wait for a socket.
    void advance(Connection& one) {
        if (one.from == 0) identify(one);
        if (reset(one)) one.dead = true;
        if (one.dead || one.from == 0) return;
        if (!one.far.open() && open(one.from, one.to) && open(one.to, one.from)) dial(one);
        // An end is told on when all before it was.
        const bool there_done = one.there.ended && one.there.pieces.empty();
        const bool back_done = one.back.ended && one.back.pieces.empty();
        if ((there_done && open(one.from, one.to)) || (back_done && open(one.to, one.from)))
            one.dead = true;
    }

    void identify(Connection& one) {
        std::vector<pid_t> pids;
        for (const ProxyNode& node : nodes_) pids.push_back(node.pid());
        const auto owner = find_owner(one.near_port, one.listen_port, pids);
        if (owner) {
            one.from = static_cast<std::uint32_t>(*owner + 1);
        } else if (Clock::now() - one.accepted > kUnknownFor) {
            one.dead = true;
            ++stats_.strangers;
        }
    }

    void dial(Connection& one) {
        one.far = make_socket();
        const sockaddr_in address = loopback(nodes_[one.to - 1].target_port);
        if (::connect(one.far.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
                0 &&
            errno != EINPROGRESS)
            one.dead = true;
    }

    void wait() {
        const auto now = Clock::now();
        std::vector<pollfd> polled;
        for (const Listener& each : listeners_) polled.push_back({each.socket.fd(), POLLIN, 0});
        for (const auto& one : connections_) {
            polled.push_back(near_poll(*one, now));
            polled.push_back(far_poll(*one, now));
        }
        ::poll(polled.data(), polled.size(), static_cast<int>(kTick.count()));
        for (std::size_t i = 0; i < connections_.size(); ++i)
            carry(*connections_[i], polled[listeners_.size() + 2 * i].revents,
                  polled[listeners_.size() + 2 * i + 1].revents);
        for (std::size_t i = 0; i < listeners_.size(); ++i)
            if ((polled[i].revents & POLLIN) != 0) accept(listeners_[i]);
    }

    /// A descriptor that waits for nothing is left out: poll would tell of its end again and again.
    static pollfd poll_for(int fd, bool in, bool out) {
        const int events = (in ? POLLIN : 0) | (out ? POLLOUT : 0);
        return {events == 0 ? -1 : fd, static_cast<short>(events), 0};
    }

    pollfd near_poll(const Connection& one, Clock::time_point now) const {
        if (!one.far_ready) return {-1, 0, 0};
        return poll_for(one.near.fd(), open(one.from, one.to) && one.there.has_room(),
                        open(one.to, one.from) && one.back.has_due(now));
    }
    pollfd far_poll(const Connection& one, Clock::time_point now) const {
        if (!one.far.open()) return {-1, 0, 0};
        if (!one.far_ready) return {one.far.fd(), POLLOUT, 0};
        return poll_for(one.far.fd(), open(one.to, one.from) && one.back.has_room(),
                        open(one.from, one.to) && one.there.has_due(now));
    }

    void carry(Connection& one, short near, short far) {
        if (!one.far_ready) {
            if (far != 0) finish_dial(one);
            return;
        }
        constexpr short kEnd = POLLHUP | POLLERR;
        if ((near & (POLLIN | kEnd)) != 0 && open(one.from, one.to))
            read(one, one.near.fd(), &one.there, one.from, one.to);
        if ((far & (POLLIN | kEnd)) != 0 && open(one.to, one.from))
            read(one, one.far.fd(), &one.back, one.to, one.from);
        if ((near & POLLOUT) != 0) write(one, one.near.fd(), &one.back);
        if ((far & POLLOUT) != 0) write(one, one.far.fd(), &one.there);
    }

    void finish_dial(Connection& one) {
        int failed = 0;
        socklen_t size = sizeof failed;
        ::getsockopt(one.far.fd(), SOL_SOCKET, SO_ERROR, &failed, &size);
        one.far_ready = failed == 0;
        one.dead = failed != 0;
    }

    void read(Connection& one, int fd, Pipe* pipe, std::uint32_t from, std::uint32_t to) {
        if (!pipe->has_room()) return;
        const Link link = links_.get(from, to);
        std::string bytes(kPieceBytes, '\0');
        const ssize_t size = ::recv(fd, bytes.data(), bytes.size(), 0);
        if (size > 0) {
            bytes.resize(static_cast<std::size_t>(size));
            pipe->size += bytes.size();
            stats_.bytes += bytes.size();
            bytes_[from * (nodes_.size() + 1) + to] += bytes.size();
            if (link.damage > 0) damage(link.damage, &bytes, pipe);
            pipe->pieces.push_back({Clock::now() + link.delay, std::move(bytes)});
        } else if (size == 0) {
            pipe->ended = true;
        } else if (errno != EAGAIN && errno != EINTR) {
            one.dead = true;
        }
    }

    void damage(std::uint32_t every, std::string* bytes, Pipe* pipe) {
        for (std::size_t at = every - 1 - pipe->undamaged % every; at < bytes->size();
             at += every) {
            (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << stats_.damaged % 8));
            ++stats_.damaged;
        }
        pipe->undamaged = (pipe->undamaged + bytes->size()) % every;
    }

    static void write(Connection& one, int fd, Pipe* pipe) {
        if (pipe->pieces.empty()) return;
        std::string& bytes = pipe->pieces[0].bytes;
        const ssize_t size = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size < 0) {
            one.dead = one.dead || (errno != EAGAIN && errno != EINTR);
            return;
        }
        pipe->size -= static_cast<std::size_t>(size);
        bytes.erase(0, static_cast<std::size_t>(size));
        if (bytes.empty()) pipe->pieces.pop_front();
    }

    void accept(const Listener& at) {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        Socket socket(::accept4(at.socket.fd(), reinterpret_cast<sockaddr*>(&peer), &size,
                                SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!socket.open()) return;
        const int on = 1;
        ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        ++stats_.connections;
        auto one = std::make_unique<Connection>();
        one->near = std::move(socket);
        one->to = at.to;
        one->listen_port = at.port;
        one->near_port = ntohs(peer.sin_port);
        one->accepted = Clock::now();
        connections_.push_back(std::move(one));
    }

    std::vector<ProxyNode> nodes_;
    const Links& links_;
    std::vector<Listener> listeners_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::atomic<bool> stopped_{false};
    ProxyStats stats_;
    std::vector<std::atomic<std::uint64_t>> bytes_;  ///< By from and to.
};

}  // namespace

Result<std::unique_ptr<Proxy>> Proxy::listen(std::vector<ProxyNode> nodes, const Links& links) {
    if (nodes.empty() || nodes.size() != links.count())
        return Error(ErrorCode::kInvalidArgument, "as many nodes as links are made for");
    auto out = std::make_unique<PollProxy>(std::move(nodes), links);
    TIDAL_TRY(out->start());
    return std::unique_ptr<Proxy>(std::move(out));
}

}  // namespace tidal::history
