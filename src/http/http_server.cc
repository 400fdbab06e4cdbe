#include "http/http_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>

#include "http/internal/connection.h"
#include "http/internal/guard.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

/// After accept() failed for want of descriptors or memory.
constexpr auto kAcceptPause = std::chrono::milliseconds(50);

/// Deadlines are looked at this often: a quarter of the shortest one.
std::chrono::milliseconds tick_of(const ServerLimits& limits) {
    const std::uint32_t shortest = std::min({limits.header_timeout_ms, limits.body_timeout_ms,
                                             limits.idle_timeout_ms, limits.write_timeout_ms});
    return std::chrono::milliseconds(std::clamp<std::uint32_t>(shortest / 4, 10, 250));
}

Error bind_error(const boost::system::error_code& ec, const std::string& address) {
    const auto error = [&](ErrorCode code, std::string_view what, std::string_view hint) {
        return Error(code, "cannot listen on " + address + ": " + std::string(what))
            .with_field("listen")
            .with_hint(hint);
    };
    if (ec == asio::error::address_in_use)
        return error(ErrorCode::kConflict, "the address is in use",
                     "stop the program that uses it, or choose another port");
    if (ec == asio::error::access_denied)
        return error(ErrorCode::kForbidden, "the port is reserved", "choose a port above 1023");
    if (ec == boost::system::errc::address_not_available)
        return error(ErrorCode::kInvalidArgument, "no interface has this address",
                     "choose an address of this machine");
    return error(ErrorCode::kIo, ec.message(), "");
}

class ServerImpl final : public Server {
public:
    ServerImpl(const ServerOptions& options, runtime::Runtime& runtime, RequestHandler& handler,
               const Logger& logger, Metrics* metrics)
        : context_(options, runtime, handler, logger, metrics), tick_(tick_of(options.limits)) {
        for (unsigned i = 0; i < std::max(1U, options.io_threads); ++i)
            workers_.push_back(std::make_unique<Worker>());
        acceptor_.emplace(workers_[0]->loop.io);
    }
    ~ServerImpl() override { stop(0); }

    Result<void> listen();
    void run();

    std::uint16_t port() const override { return port_; }
    const std::string& address() const override { return address_; }
    void stop(std::uint32_t deadline_ms) override;

private:
    struct Worker {
        Loop loop;
        asio::steady_timer timer{loop.io};
        std::unique_ptr<runtime::Executor> executor;
        std::uint64_t cut_at_ns = UINT64_MAX;  ///< Of its own thread.
    };

    asio::awaitable<void> accept();
    asio::awaitable<void> tick(Worker& worker);
    void begin(Worker& worker, tcp::socket socket);
    void begin_stop(Worker& worker, std::uint64_t cut_at_ns);
    void refuse(tcp::socket socket);

    ServerContext context_;
    const std::chrono::milliseconds tick_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::optional<tcp::acceptor> acceptor_;  ///< Lives on the first worker's loop.
    std::uint16_t port_ = 0;
    std::string address_;
    std::mutex stop_mutex_;
    bool running_ = false;  ///< Guarded by stop_mutex_.
};

Result<void> ServerImpl::listen() {
    const ServerOptions& options = context_.options;
    TIDAL_ASSIGN(const ListenAddress listen, parse_listen_address(options.listen));
    if (!listen.is_loopback && !options.insecure)
        return Error(
                   ErrorCode::kInvalidArgument,
                   options.listen + " can be reached from other machines, and nothing protects it")
            .with_field("listen")
            .with_reason("insecure_listen")
            .with_hint("listen on 127.0.0.1, or say --insecure");
    context_.guarded = listen.is_loopback && !options.authenticated;

    boost::system::error_code ec;
    const tcp::endpoint endpoint(asio::ip::make_address(listen.host, ec), listen.port);
    if (!ec) acceptor_->open(endpoint.protocol(), ec);
    if (!ec) acceptor_->set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor_->bind(endpoint, ec);
    if (!ec) acceptor_->listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return bind_error(ec, options.listen);
    port_ = acceptor_->local_endpoint(ec).port();
    address_ =
        (listen.is_ipv6 ? "[" + listen.host + "]" : listen.host) + ":" + std::to_string(port_);
    return {};
}

void ServerImpl::run() {
    running_ = true;
    asio::co_spawn(workers_[0]->loop.io, accept(), asio::detached);
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        Worker& worker = *workers_[i];
        asio::co_spawn(worker.loop.io, tick(worker), asio::detached);
        worker.executor = context_.runtime.executors().create_executor("http-" + std::to_string(i));
        worker.executor->post([&worker] {
            worker.loop.gate->enter();
            worker.loop.io.run();
        });
    }
    context_.logger.info("listening", {{"address", address_}, {"guarded", context_.guarded}});
}

asio::awaitable<void> ServerImpl::accept() {
    for (std::size_t next = 0;; next = (next + 1) % workers_.size()) {
        Worker& worker = *workers_[next];
        auto [ec, socket] = co_await acceptor_->async_accept(worker.loop.io, kToken);
        if (context_.draining || !acceptor_->is_open()) co_return;
        if (ec) {
            context_.logger.warning("accept failed", {{"cause", ec.message()}});
            asio::steady_timer pause(workers_[0]->loop.io, kAcceptPause);
            co_await pause.async_wait(kToken);
            continue;
        }
        if (context_.connection_count >= context_.options.limits.connections_max) {
            refuse(std::move(socket));
            continue;
        }
        context_.connection_count.fetch_add(1);
        context_.numbers.connections.add(1);
        asio::post(worker.loop.io, [this, &worker, accepted = std::move(socket)]() mutable {
            begin(worker, std::move(accepted));
        });
    }
}

void ServerImpl::begin(Worker& worker, tcp::socket socket) {
    boost::system::error_code ec;
    socket.set_option(tcp::no_delay(true), ec);
    // Else a plain write to a client that does not read would wait, and the loop's others with it.
    socket.non_blocking(true, ec);
    auto connection = std::make_shared<Connection>(std::move(socket), context_, worker.loop);
    worker.loop.connections.insert(connection);
    if (context_.draining) connection->drain();
    asio::co_spawn(worker.loop.io, Connection::run(std::move(connection)), asio::detached);
}

/// One attempt, without waiting: a client that floods us is owed no more.
void ServerImpl::refuse(tcp::socket socket) {
    context_.numbers.refused.add();
    const Response response =
        problem_response(Error(ErrorCode::kUnavailable, "too many connections")
                             .with("connections_max", context_.options.limits.connections_max));
    ReplyFacts facts;
    facts.keep_alive = false;
    const std::string reply = reply_head(response, facts) + response.body;
    boost::system::error_code ec;
    socket.non_blocking(true, ec);
    socket.write_some(asio::buffer(reply), ec);
    socket.shutdown(tcp::socket::shutdown_send, ec);
}

/// Keeps its loop running until the server stops and the last connection has gone.
asio::awaitable<void> ServerImpl::tick(Worker& worker) {
    runtime::Clock& clock = context_.runtime.clock();
    while (!context_.draining || worker.cut_at_ns == UINT64_MAX ||
           !worker.loop.connections.empty()) {
        worker.loop.date = http_date(clock.wall_ms());
        const std::uint64_t now_ns = clock.monotonic_ns();
        const bool is_over = now_ns >= worker.cut_at_ns;
        for (const auto& connection : worker.loop.connections) {
            if (is_over)
                connection->cut();
            else
                connection->on_tick(now_ns);
        }
        const bool stopping = worker.cut_at_ns != UINT64_MAX;
        worker.timer.expires_after(stopping ? std::chrono::milliseconds(10) : tick_);
        co_await worker.timer.async_wait(kToken);
    }
}

void ServerImpl::begin_stop(Worker& worker, std::uint64_t cut_at_ns) {
    worker.cut_at_ns = cut_at_ns;
    boost::system::error_code ec;
    if (&worker == workers_[0].get()) acceptor_->close(ec);
    for (const auto& connection : worker.loop.connections) connection->drain();
    worker.timer.cancel(ec);
}

void ServerImpl::stop(std::uint32_t deadline_ms) {
    const std::lock_guard lock(stop_mutex_);
    if (!std::exchange(running_, false)) return;
    context_.draining = true;
    const std::uint64_t cut_at_ns =
        context_.runtime.clock().monotonic_ns() + deadline_ms * std::uint64_t{1'000'000};
    for (const auto& worker : workers_)
        asio::post(worker->loop.io,
                   [this, &worker = *worker, cut_at_ns] { begin_stop(worker, cut_at_ns); });
    for (const auto& worker : workers_) {
        worker->executor->stop();
        worker->loop.gate->close();
    }
    context_.logger.info("stopped", {{"address", address_}});
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                              runtime::Runtime& runtime, RequestHandler& handler,
                                              const Logger& logger, Metrics* metrics) {
    auto server = std::make_unique<ServerImpl>(options, runtime, handler, logger, metrics);
    TIDAL_TRY(server->listen());
    server->run();
    return std::unique_ptr<Server>(std::move(server));
}

}  // namespace tidal::http
