// runtime/internal/asio_link.h: one TCP connection of an endpoint, whoever opened it: frames in,
// frames out, TLS in between where the endpoint asks for it. Includes Asio: for asio_*.cc only.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/internal/frame.h"
#include "runtime/internal/host_port.h"
#include "runtime/internal/tls_session.h"
#include "runtime/network.h"

namespace tidal::runtime::internal {

/// Where received messages go. Work on the executor may outlive the endpoint.
struct Inbox {
    Executor* executor;
    OnMessage on_message;
    std::atomic<bool> open = true;
};

class Link;

/// What a link needs of its endpoint, which outlives its handlers.
class LinkHost {
public:
    virtual ~LinkHost() = default;
    virtual const std::string& advertised() const = 0;
    virtual const std::shared_ptr<TlsContext>& tls() const = 0;  ///< Null = plain.
    virtual std::mutex& mutex() = 0;  ///< Guards the queues of all links.
    // On the I/O thread:
    /// An accepted link knows whom it leads to. @return the name answers go by.
    virtual std::string on_hello(const std::shared_ptr<Link>& link, std::string address) = 0;
    /// Once.
    virtual void on_closed(const std::shared_ptr<Link>& link, const Error& why) = 0;
};

/// Threads: enqueue() and queued_bytes() under the host's mutex; the rest on the I/O thread.
/// Lifetime: keeps itself alive until it is closed.
class Link : public std::enable_shared_from_this<Link> {
public:
    /// One that is going to be dialed, by start().
    Link(LinkHost& host, std::shared_ptr<boost::asio::io_context> io, std::shared_ptr<Inbox> inbox,
         std::string address, HostPort to);
    /// One that was accepted.
    Link(LinkHost& host, std::shared_ptr<boost::asio::io_context> io, std::shared_ptr<Inbox> inbox,
         boost::asio::ip::tcp::socket socket);

    void start();
    /// kOverloaded when the queue is full, kUnavailable when the link is closed.
    Result<void> enqueue(std::string frame, OnSent on_sent);
    /// Writes what waits, if nothing is being written.
    void kick();
    void close(const Error& why);

    bool dialed() const { return to_.has_value(); }
    bool open() const { return phase_ == Phase::kOpen; }
    const std::string& address() const { return address_; }
    const std::string& identity() const { return identity_; }

private:
    enum class Phase : std::uint8_t { kConnecting, kHandshake, kOpen, kClosed };
    struct Outgoing {
        std::string frame;
        OnSent on_sent;
    };
    template <typename Next>
    auto unless_closed(Next next);
    void connected();
    void established();
    void read();
    void on_bytes(std::string_view bytes);
    void deliver();
    void post(std::string bytes);
    void resume();
    void write();
    void written();
    void report(std::vector<OnSent> each, bool sent);

    LinkHost& host_;
    const std::shared_ptr<boost::asio::io_context> io_;
    const std::shared_ptr<Inbox> inbox_;
    const std::optional<HostPort> to_;
    boost::asio::ip::tcp::resolver resolver_;
    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    std::unique_ptr<TlsSession> tls_;
    Phase phase_ = Phase::kConnecting;
    std::string chunk_;
    FrameReader reader_;
    // Set before the first message, and not again.
    std::string address_;
    std::string identity_;
    std::string current_;               ///< Being written.
    std::vector<OnSent> current_sent_;  ///< Whose bytes end in it.
    bool writing_ = false;
    bool paused_ = false;
    std::atomic<std::size_t> unhandled_bytes_ = 0;
    // Under the host's mutex.
    std::deque<Outgoing> queue_;
    std::size_t queued_bytes_ = 0;
    bool ended_ = false;
};

}  // namespace tidal::runtime::internal
