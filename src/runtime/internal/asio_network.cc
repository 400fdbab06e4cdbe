// Network over TCP.
//
// One connection per peer in the usual case: dialed on the first send, or taken over from a peer
// that dialed here first and said where it is reached. (Two that dial each other at once keep both
// connections, one for each direction.) Everything of a connection happens on the endpoint's one
// I/O thread, its executor's where that is an IoExecutor; senders only touch queues, under the
// endpoint's mutex. A connection that fails loses
// what was queued on it (delivery is "at most once, perhaps") and its peer is left alone for
// kRetryAfter.
#include "runtime/internal/asio_network.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <cassert>
#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "runtime/internal/asio_link.h"
#include "runtime/internal/io_executor.h"

namespace tidal::runtime::internal {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorNumber = boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kRetryAfter = std::chrono::milliseconds(200);
constexpr std::size_t kAcceptedMax = 1024;
constexpr std::string_view kAnonymous = "anonymous/";  // no address: it cannot be dialed

/// The sockets of one endpoint and, unless its executor does, the thread that runs them.
class AsioEndpoint final : public Endpoint, public LinkHost {
public:
    AsioEndpoint(std::string advertised, std::shared_ptr<TlsContext> tls,
                 std::shared_ptr<Inbox> inbox)
        : advertised_(std::move(advertised)),
          tls_(std::move(tls)),
          inbox_(std::move(inbox)),
          shared_(dynamic_cast<IoExecutor*>(inbox_->executor)),
          io_(shared_ != nullptr ? shared_->io() : std::make_shared<asio::io_context>(1)) {}
    ~AsioEndpoint() override;

    Result<void> open(const HostPort& at);
    const std::string& address() const override { return advertised_; }
    using Endpoint::send;
    Result<void> send(std::string_view to, std::string bytes, OnSent on_sent) override;
    void disconnect(std::string_view to) override;
    EndpointStats stats() override {
        const std::lock_guard lock(mutex_);
        return stats_;
    }

private:
    struct Route {
        std::shared_ptr<Link> link;  ///< Null while there is none.
        SteadyClock::time_point retry_at;
    };

    const std::string& advertised() const override { return advertised_; }
    const std::shared_ptr<TlsContext>& tls() const override { return tls_; }
    std::mutex& mutex() override { return mutex_; }
    std::string on_hello(const std::shared_ptr<Link>& link, std::string address) override;
    void on_closed(const std::shared_ptr<Link>& link, const Error& why) override;

    Result<std::shared_ptr<Link>> link_to(std::string_view to, bool* fresh);
    void accept();
    void accept_later();
    void close_all();
    void drain();

    std::string advertised_;
    const std::shared_ptr<TlsContext> tls_;
    const std::shared_ptr<Inbox> inbox_;
    const IoExecutor* const shared_;  ///< Runs the sockets; null = thread_ does.
    const std::shared_ptr<asio::io_context> io_;
    tcp::acceptor acceptor_{*io_};
    asio::steady_timer accept_timer_{*io_};
    std::set<std::shared_ptr<Link>> links_;  ///< All that are not closed; I/O thread.
    std::size_t accepted_ = 0;               ///< Of those.
    std::uint64_t last_anonymous_ = 0;
    bool opened_ = false;
    bool closing_ = false;
    std::mutex mutex_;  ///< Guards the two below, and the links' queues.
    std::map<std::string, Route, std::less<>> routes_;
    EndpointStats stats_;
    std::thread thread_;
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
    opened_ = true;
    if (shared_ != nullptr) {
        asio::post(*io_, [this] { accept(); });
        return {};
    }
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
        // A client without certificate has nothing to show to those who dial it.
        const bool serves = tls_ == nullptr || !tls_->options().certificate.empty();
        if (accepted_ < kAcceptedMax && serves) {
            auto link = std::make_shared<Link>(*this, io_, inbox_, std::move(socket));
            links_.insert(link);
            ++accepted_;
            {
                const std::lock_guard lock(mutex_);
                ++stats_.accepted;
                ++stats_.connections;
            }
            link->start();
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

std::string AsioEndpoint::on_hello(const std::shared_ptr<Link>& link, std::string address) {
    const bool anonymous = tls_ != nullptr && link->identity().empty();
    // Whoever shows no certificate must not be sent what is meant for an address.
    if (anonymous) address = std::string(kAnonymous) + std::to_string(++last_anonymous_);
    const std::lock_guard lock(mutex_);
    Route& route = routes_[address];
    if (route.link == nullptr) route.link = link;
    return address;
}

void AsioEndpoint::on_closed(const std::shared_ptr<Link>& link, const Error& why) {
    if (links_.erase(link) == 0) return;
    if (!link->dialed()) --accepted_;
    const std::lock_guard lock(mutex_);
    --stats_.connections;
    if (why.code() != ErrorCode::kUnavailable && why.code() != ErrorCode::kTimeout) {
        ++stats_.refused;
        stats_.newest_refusal = link->address().empty()
                                    ? why.to_string()
                                    : Error(why).with("peer", link->address()).to_string();
    }
    const auto route = routes_.find(link->address());
    if (route == routes_.end() || route->second.link != link) return;
    if (link->dialed()) {
        route->second = {nullptr, SteadyClock::now() + kRetryAfter};
    } else {
        routes_.erase(route);
    }
}

/// Under the mutex.
Result<std::shared_ptr<Link>> AsioEndpoint::link_to(std::string_view to, bool* fresh) {
    auto at = routes_.find(to);
    if (at != routes_.end() && at->second.link != nullptr) return at->second.link;
    const bool waits = at != routes_.end() && SteadyClock::now() < at->second.retry_at;
    if (waits || to.starts_with(kAnonymous))
        return Error(ErrorCode::kUnavailable, "the peer does not answer").with("peer", to);
    TIDAL_ASSIGN(auto host_port, parse_host_port(to));
    if (at == routes_.end()) at = routes_.emplace(to, Route()).first;
    at->second.link =
        std::make_shared<Link>(*this, io_, inbox_, std::string(to), std::move(host_port));
    ++stats_.dialed;
    ++stats_.connections;
    *fresh = true;
    return at->second.link;
}

Result<void> AsioEndpoint::send(std::string_view to, std::string bytes, OnSent on_sent) {
    if (bytes.size() > kMessageBytesMax)
        return Error(ErrorCode::kTooLarge, "message to a peer")
            .with("bytes", bytes.size())
            .with("bytes_max", kMessageBytesMax);
    std::string frame = encode_frame(FrameKind::kMessage, bytes);
    std::shared_ptr<Link> link;
    bool fresh = false;
    {
        const std::lock_guard lock(mutex_);
        TIDAL_ASSIGN(link, link_to(to, &fresh));
        TIDAL_TRY(link->enqueue(std::move(frame), std::move(on_sent)));
    }
    asio::post(*io_, [this, link = std::move(link), fresh] {
        if (fresh && closing_) return;
        if (fresh) links_.insert(link);
        if (fresh) return link->start();
        link->kick();
    });
    return {};
}

void AsioEndpoint::disconnect(std::string_view to) {
    std::shared_ptr<Link> link;
    {
        const std::lock_guard lock(mutex_);
        const auto at = routes_.find(to);
        if (at == routes_.end() || at->second.link == nullptr) return;
        link = at->second.link;
    }
    asio::post(*io_, [link = std::move(link)] {
        link->close(Error(ErrorCode::kUnavailable, "the peer fell silent"));
    });
}

void AsioEndpoint::close_all() {
    closing_ = true;
    ErrorNumber ignored;
    acceptor_.close(ignored);
    accept_timer_.cancel();
    const std::set<std::shared_ptr<Link>> links(links_);
    for (const auto& link : links)
        link->close(Error(ErrorCode::kUnavailable, "the endpoint is closed"));
    const std::lock_guard lock(mutex_);
    routes_.clear();
}

/// Runs what a stopped executor leaves: handlers that keep connections alive, and one another.
void AsioEndpoint::drain() {
    std::vector<std::weak_ptr<Link>> ending(links_.begin(), links_.end());
    close_all();
    links_.clear();
    io_->restart();
    io_->poll();
    for (const std::weak_ptr<Link>& link : ending)
        while (!link.expired() && io_->run_one() > 0) {
        }
}

AsioEndpoint::~AsioEndpoint() {
    inbox_->open = false;
    if (!opened_) return;
    if (shared_ != nullptr) {
        assert(shared_->stopped() && "an endpoint that goes before its I/O executor has stopped");
        drain();
        return;
    }
    // The thread ends by itself when the last cancelled handler has run, so that none is left that
    // keeps a connection alive.
    asio::post(*io_, [this] { close_all(); });
    thread_.join();
    links_.clear();
}

class AsioNetwork final : public Network {
public:
    Result<std::unique_ptr<Endpoint>> listen(const EndpointOptions& options, Executor& executor,
                                             OnMessage on_message) override {
        TIDAL_ASSIGN(const auto at, parse_host_port(options.address));
        const auto& advertised = options.advertised.empty() ? options.address : options.advertised;
        TIDAL_TRY(parse_host_port(advertised));
        std::shared_ptr<TlsContext> tls;
        if (options.tls != nullptr) {
            TIDAL_ASSIGN(tls, TlsContext::create(*options.tls));
        }
        auto inbox = std::make_shared<Inbox>();
        inbox->executor = &executor;
        inbox->on_message = std::move(on_message);
        auto endpoint =
            std::make_unique<AsioEndpoint>(advertised, std::move(tls), std::move(inbox));
        TIDAL_TRY(endpoint->open(at));
        return std::unique_ptr<Endpoint>(std::move(endpoint));
    }
};

}  // namespace

std::unique_ptr<Network> make_asio_network() {
    return std::make_unique<AsioNetwork>();
}

}  // namespace tidal::runtime::internal
