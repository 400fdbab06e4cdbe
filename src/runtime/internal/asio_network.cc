// Network over TCP. The only file of this module that includes Asio (4 s to compile).
//
// One outbound connection per peer, made on the first send; one inbound per peer that sends here.
// Everything of a connection happens on the endpoint's one I/O thread; senders only touch queues,
// under the endpoint's mutex. A connection that fails loses what was queued on it (delivery is "at
// most once, perhaps") and its peer is left alone for kRetryAfter.
#include "runtime/internal/asio_network.h"

#include <pthread.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "runtime/internal/frame.h"
#include "runtime/internal/host_port.h"

namespace tidal::runtime::internal {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorNumber = boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kConnectTimeout = std::chrono::seconds(5);
constexpr auto kRetryAfter = std::chrono::milliseconds(200);
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kInboundMax = 1024;
constexpr std::size_t kAddressBytesMax = 300;

/// Where received messages go. Work on the executor may outlive the endpoint.
struct Inbox {
    Executor* executor;
    OnMessage on_message;
    std::atomic<bool> open = true;
};

class Inbound;
class Outbound;

/// The sockets of one endpoint and the thread that runs them.
class AsioEndpoint final : public Endpoint {
public:
    AsioEndpoint(std::string advertised, std::shared_ptr<Inbox> inbox)
        : advertised_(std::move(advertised)), inbox_(std::move(inbox)) {}
    ~AsioEndpoint() override;

    Result<void> open(const HostPort& at);
    const std::string& address() const override { return advertised_; }
    Result<void> send(std::string_view to, std::string bytes) override;

    // For the connections; all but `mutex` and `io` on the I/O thread.
    asio::io_context& io() { return *io_; }
    std::shared_ptr<asio::io_context> shared_io() { return io_; }
    std::mutex& mutex() { return mutex_; }
    const std::shared_ptr<Inbox>& inbox() { return inbox_; }
    void forget(const std::shared_ptr<Inbound>& inbound) { inbounds_.erase(inbound); }

private:
    void accept();
    void accept_later();
    void close_all();

    std::string advertised_;
    const std::shared_ptr<Inbox> inbox_;
    std::shared_ptr<asio::io_context> io_ = std::make_shared<asio::io_context>(1);
    tcp::acceptor acceptor_{*io_};
    asio::steady_timer accept_timer_{*io_};
    std::set<std::shared_ptr<Inbound>> inbounds_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Outbound>, std::less<>> outbounds_;  ///< Under mutex_.
    bool closing_ = false;
    std::thread thread_;
};

/// Reads one peer's frames and hands them to the inbox, no more than kPeerQueueBytesMax at a time.
class Inbound : public std::enable_shared_from_this<Inbound> {
public:
    Inbound(AsioEndpoint& endpoint, tcp::socket socket)
        : endpoint_(endpoint),
          io_(endpoint.shared_io()),
          inbox_(endpoint.inbox()),
          socket_(std::move(socket)),
          chunk_(kReadBytes, '\0') {}

    void read() {
        socket_.async_read_some(
            asio::buffer(chunk_),
            [self = shared_from_this()](const ErrorNumber& error, std::size_t got) {
                if (error) return self->end();
                self->reader_.feed(std::string_view(self->chunk_).substr(0, got));
                self->deliver();
            });
    }

    void close() {
        ErrorNumber ignored;
        socket_.close(ignored);
    }

private:
    void end() {
        close();
        endpoint_.forget(shared_from_this());
    }

    void deliver() {
        while (true) {
            auto frame = reader_.next();
            // A damaged stream cannot be cut into frames again: the peer has to start anew.
            if (!frame) return end();
            if (!frame->has_value()) break;
            const bool hello = (*frame)->kind == FrameKind::kHello;
            auto& payload = (*frame)->payload;
            if (hello != from_.empty()) return end();
            if (hello && (payload.empty() || payload.size() > kAddressBytesMax)) return end();
            if (hello)
                from_ = std::move(payload);
            else
                post(std::move(payload));
        }
        // Should the executor make room after this look, it posts a resume().
        paused_ = unhandled_bytes_.load() > kPeerQueueBytesMax;
        if (!paused_) read();
    }

    void post(std::string bytes) {
        const std::size_t size = bytes.size();
        unhandled_bytes_ += size;
        inbox_->executor->post(
            [self = shared_from_this(), size, bytes = std::move(bytes)]() mutable {
                if (self->inbox_->open) self->inbox_->on_message(self->from_, std::move(bytes));
                const bool was_full = self->unhandled_bytes_.fetch_sub(size) > kPeerQueueBytesMax;
                if (!was_full) return;
                // Weak: the context may never run again, and must not own what owns it.
                asio::post(*self->io_, [weak = self->weak_from_this()] {
                    if (const auto inbound = weak.lock()) inbound->resume();
                });
            });
    }

    void resume() {
        if (!paused_ || !socket_.is_open() || unhandled_bytes_.load() > kPeerQueueBytesMax) return;
        paused_ = false;
        read();
    }

    AsioEndpoint& endpoint_;  ///< Outlives the handlers; work on the executor does not use it.
    const std::shared_ptr<asio::io_context> io_;
    const std::shared_ptr<Inbox> inbox_;
    tcp::socket socket_;
    std::string chunk_;
    FrameReader reader_;
    std::string from_;  ///< Set once, before the first message.
    std::atomic<std::size_t> unhandled_bytes_ = 0;
    bool paused_ = false;
};

/// Sends to one peer.
class Outbound : public std::enable_shared_from_this<Outbound> {
public:
    Outbound(AsioEndpoint& endpoint, HostPort to)
        : endpoint_(endpoint),
          to_(std::move(to)),
          resolver_(endpoint.io()),
          socket_(endpoint.io()),
          timer_(endpoint.io()) {}

    /// Under the endpoint's mutex.
    Result<void> enqueue(std::string frame, std::string_view name) {
        if (SteadyClock::now() < retry_at_)
            return Error(ErrorCode::kUnavailable, "the peer does not answer").with("peer", name);
        if (queued_bytes_ + frame.size() > kPeerQueueBytesMax)
            return Error(ErrorCode::kOverloaded, "the queue to the peer is full")
                .with("peer", name);
        queued_bytes_ += frame.size();
        queue_.push_back(std::move(frame));
        return {};
    }

    void kick() {
        if (closed_) return;
        if (phase_ == Phase::kIdle) return connect();
        if (phase_ == Phase::kOpen && !writing_) write_next();
    }

    void close() {
        closed_ = true;
        fail();
    }

private:
    enum class Phase { kIdle, kConnecting, kOpen };

    /// Handlers of an attempt that has failed since must do nothing.
    template <typename Next>
    auto of_this_attempt(Next next) {
        return [self = shared_from_this(), attempt = attempt_, next](const ErrorNumber& error,
                                                                     auto&&... results) {
            if (attempt != self->attempt_) return;
            if (error) return self->fail();
            next(*self, std::forward<decltype(results)>(results)...);
        };
    }

    void connect() {
        phase_ = Phase::kConnecting;
        timer_.expires_after(kConnectTimeout);
        timer_.async_wait(
            [self = shared_from_this(), attempt = attempt_](const ErrorNumber& error) {
                const bool late = self->phase_ == Phase::kConnecting && attempt == self->attempt_;
                if (!error && late) self->fail();
            });
        resolver_.async_resolve(
            to_.host, to_.port,
            of_this_attempt([](Outbound& self, const tcp::resolver::results_type& found) {
                asio::async_connect(
                    self.socket_, found,
                    self.of_this_attempt([](Outbound& connected, auto&&) { connected.start(); }));
            }));
    }

    void start() {
        timer_.cancel();
        phase_ = Phase::kOpen;
        ErrorNumber ignored;
        socket_.set_option(tcp::no_delay(true), ignored);
        // A peer never sends on this connection: anything that arrives is its end.
        socket_.async_read_some(asio::buffer(&unexpected_, 1),
                                of_this_attempt([](Outbound& self, std::size_t) { self.fail(); }));
        write(encode_frame(FrameKind::kHello, endpoint_.address()));
    }

    void write_next() {
        std::string frame;
        {
            const std::lock_guard lock(endpoint_.mutex());
            if (queue_.empty()) return;
            frame = std::move(queue_.front());
            queue_.pop_front();
            queued_bytes_ -= frame.size();
        }
        write(std::move(frame));
    }

    void write(std::string frame) {
        writing_ = true;
        current_ = std::move(frame);
        asio::async_write(socket_, asio::buffer(current_),
                          of_this_attempt([](Outbound& self, std::size_t) {
                              self.writing_ = false;
                              self.write_next();
                          }));
    }

    void fail() {
        ++attempt_;
        phase_ = Phase::kIdle;
        writing_ = false;
        resolver_.cancel();
        timer_.cancel();
        ErrorNumber ignored;
        socket_.close(ignored);
        const std::lock_guard lock(endpoint_.mutex());
        queue_.clear();
        queued_bytes_ = 0;
        retry_at_ = SteadyClock::now() + kRetryAfter;
    }

    AsioEndpoint& endpoint_;
    const HostPort to_;
    tcp::resolver resolver_;
    tcp::socket socket_;
    asio::steady_timer timer_;
    Phase phase_ = Phase::kIdle;
    std::uint64_t attempt_ = 0;
    bool writing_ = false;
    bool closed_ = false;
    char unexpected_ = 0;
    std::string current_;
    // Under the endpoint's mutex.
    std::deque<std::string> queue_;
    std::size_t queued_bytes_ = 0;
    SteadyClock::time_point retry_at_;
};

Result<void> AsioEndpoint::open(const HostPort& at) {
    const auto failed = [&](std::string_view what, const ErrorNumber& error) {
        const bool taken = error == asio::error::address_in_use;
        return Error(taken ? ErrorCode::kConflict : ErrorCode::kIo,
                     std::string(what) + " failed: " + error.message())
            .with("address", at.host + ":" + at.port);
    };
    ErrorNumber error;
    tcp::resolver resolver(*io_);
    const auto found = resolver.resolve(at.host, at.port, tcp::resolver::passive, error);
    if (error || found.empty()) return failed("resolving the address", error);
    const tcp::endpoint local = *found.begin();
    acceptor_.open(local.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(local, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    const auto bound = error ? tcp::endpoint() : acceptor_.local_endpoint(error);
    if (error) return failed("listening", error);
    if (const auto colon = advertised_.rfind(':'); advertised_.substr(colon) == ":0")
        advertised_ = advertised_.substr(0, colon + 1) + std::to_string(bound.port());
    accept();
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "net");
        io_->run();
    });
    return {};
}

void AsioEndpoint::accept() {
    acceptor_.async_accept([this](const ErrorNumber& error, tcp::socket socket) {
        if (closing_ || error == asio::error::operation_aborted) return;
        if (error) return accept_later();
        if (inbounds_.size() < kInboundMax) {
            auto inbound = std::make_shared<Inbound>(*this, std::move(socket));
            inbounds_.insert(inbound);
            inbound->read();
        }
        accept();
    });
}

void AsioEndpoint::accept_later() {
    // Out of descriptors, most likely: trying again at once would only burn the processor.
    accept_timer_.expires_after(kRetryAfter);
    accept_timer_.async_wait([this](const ErrorNumber& error) {
        if (!error && !closing_) accept();
    });
}

Result<void> AsioEndpoint::send(std::string_view to, std::string bytes) {
    if (bytes.size() > kMessageBytesMax)
        return Error(ErrorCode::kTooLarge, "message to a peer")
            .with("bytes", bytes.size())
            .with("bytes_max", kMessageBytesMax);
    std::shared_ptr<Outbound> outbound;
    {
        const std::lock_guard lock(mutex_);
        auto at = outbounds_.find(to);
        if (at == outbounds_.end()) {
            TIDAL_ASSIGN(auto host_port, parse_host_port(to));
            at = outbounds_.emplace(to, std::make_shared<Outbound>(*this, std::move(host_port)))
                     .first;
        }
        outbound = at->second;
        TIDAL_TRY(outbound->enqueue(encode_frame(FrameKind::kMessage, bytes), to));
    }
    asio::post(*io_, [outbound] { outbound->kick(); });
    return {};
}

void AsioEndpoint::close_all() {
    closing_ = true;
    ErrorNumber ignored;
    acceptor_.close(ignored);
    accept_timer_.cancel();
    for (const auto& inbound : inbounds_) inbound->close();
    std::map<std::string, std::shared_ptr<Outbound>, std::less<>> outbounds;
    {
        const std::lock_guard lock(mutex_);
        outbounds.swap(outbounds_);
    }
    for (const auto& [name, outbound] : outbounds) outbound->close();
}

AsioEndpoint::~AsioEndpoint() {
    inbox_->open = false;
    if (!thread_.joinable()) return;
    // The thread ends by itself when the last cancelled handler has run, so that none is left that
    // keeps a connection alive.
    asio::post(*io_, [this] { close_all(); });
    thread_.join();
    inbounds_.clear();
}

class AsioNetwork final : public Network {
public:
    Result<std::unique_ptr<Endpoint>> listen(const EndpointOptions& options, Executor& executor,
                                             OnMessage on_message) override {
        TIDAL_ASSIGN(const auto at, parse_host_port(options.address));
        const auto& advertised = options.advertised.empty() ? options.address : options.advertised;
        TIDAL_TRY(parse_host_port(advertised));
        auto inbox = std::make_shared<Inbox>();
        inbox->executor = &executor;
        inbox->on_message = std::move(on_message);
        auto endpoint = std::make_unique<AsioEndpoint>(advertised, std::move(inbox));
        TIDAL_TRY(endpoint->open(at));
        return std::unique_ptr<Endpoint>(std::move(endpoint));
    }
};

}  // namespace

std::unique_ptr<Network> make_asio_network() {
    return std::make_unique<AsioNetwork>();
}

}  // namespace tidal::runtime::internal
