// http/internal/connection.h: one client. Includes Asio: only the .cc files of this folder may.
//
// Two coroutines at most: run() reads requests and hands them over; write_reply() sends the pieces
// of the current reply, beside the reading when the request's body streams. Everything here runs on
// the one I/O thread of its loop, so nothing is locked; other threads come through Exchange.
#pragma once

#include <absl/functional/any_invocable.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <memory>
#include <unordered_set>

#include "http/http_server.h"
#include "http/internal/exchange.h"
#include "http/internal/read_buffer.h"
#include "http/internal/reply_head.h"
#include "http/internal/request_parser.h"

namespace tidal::http {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Numbers of one server, /metrics names tidal_http_*.
struct ServerMetrics {
    explicit ServerMetrics(Metrics* metrics);
    Counter replies[5];  ///< By class of status: 1xx .. 5xx.
    Counter refused;     ///< Connections above the maximum.
    Gauge connections;
    Histogram seconds;  ///< From the last byte of a head to the last byte of its reply.
};

/// What all connections of a server share. Constant but for the atomics.
struct ServerContext {
    ServerContext(const ServerOptions& server_options, runtime::Runtime& rt,
                  RequestHandler& request_handler, const Logger& log, Metrics* metrics)
        : options(server_options),
          runtime(rt),
          handler(request_handler),
          logger(log.named("http")),
          numbers(metrics) {}

    const ServerOptions options;
    runtime::Runtime& runtime;
    RequestHandler& handler;
    const Logger logger;
    ServerMetrics numbers;
    bool guarded = false;  ///< Loopback without authentication; set before the first connection.
    std::atomic<bool> draining = false;
    std::atomic<std::uint32_t> connection_count = 0;
};

/// One I/O thread's io_context and what runs on it.
struct Loop {
    Loop() : gate(std::make_shared<Gate>(io)) {}
    asio::io_context io{1};
    const std::shared_ptr<Gate> gate;
    std::unordered_set<std::shared_ptr<Connection>> connections;
    std::string date;  ///< Of the last tick.
};

/// Lets one coroutine wait for a notification, which is kept if it comes first.
class Event {
public:
    explicit Event(asio::io_context& io) : io_(io) {}
    asio::awaitable<void> wait();
    void notify();

private:
    asio::io_context& io_;
    absl::AnyInvocable<void()> waiter_;
    bool set_ = false;
};

class Connection final : public std::enable_shared_from_this<Connection> {
public:
    Connection(tcp::socket socket, ServerContext& context, Loop& loop);

    /// Serves until the client or the server has enough. Spawned once; `self` keeps it alive.
    static asio::awaitable<void> run(std::shared_ptr<Connection> self);

    void on_tick(std::uint64_t now_ns);
    /// Ends after the request under way; at once when there is none.
    void drain();
    /// Ends now.
    void cut();

    void push(std::uint64_t exchange, Piece piece);
    void read_next(std::uint64_t exchange, bool wanted);

private:
    static constexpr std::uint64_t kNever = UINT64_MAX;
    enum class Fill : std::uint8_t { kBytes, kClosed, kTimeout };
    struct Failure {
        Error error;
        std::uint16_t status;
    };
    enum class BodyWish : std::uint8_t { kWaiting, kWanted, kUnwanted };

    asio::awaitable<bool> serve_one();
    asio::awaitable<bool> read_head();
    asio::awaitable<bool> serve_whole();
    asio::awaitable<bool> serve_streamed();
    asio::awaitable<std::optional<Failure>> read_whole_body(std::size_t bytes_max);
    asio::awaitable<bool> discard_body();
    asio::awaitable<bool> read_streamed_body(BodySink& sink);
    asio::awaitable<bool> pass_on(BodySink& sink, std::string bytes);
    asio::awaitable<bool> send_continue();
    asio::awaitable<Fill> fill(std::size_t bytes_max);
    asio::awaitable<void> linger();

    static asio::awaitable<void> run_writer(std::shared_ptr<Connection> self);
    asio::awaitable<void> write_reply();
    asio::awaitable<bool> write_piece(const Piece& piece);
    asio::awaitable<bool> write_bytes(std::string_view first, std::string_view second,
                                      std::string_view third);

    Admission admit();
    asio::awaitable<bool> answer_and_close(const Error& error, std::uint16_t status);
    void begin_exchange();
    std::string new_request_id();
    void end_exchange();
    std::string head_of(const Response& response, bool streamed);
    std::uint64_t now_ns() const { return context_.runtime.clock().monotonic_ns(); }
    std::uint64_t after_ms(std::uint32_t ms) const {
        return now_ns() + ms * std::uint64_t{1'000'000};
    }

    ServerContext& context_;
    Loop& loop_;
    tcp::socket socket_;
    const bool peer_is_loopback_;
    ReadBuffer in_;

    // The current exchange.
    std::optional<RequestParser> parser_;
    std::shared_ptr<Exchange> exchange_;
    std::uint64_t exchange_number_ = 0;
    std::string request_id_;
    std::string traceparent_;
    std::string path_;  ///< For the log.
    Method method_ = Method::kGet;
    std::uint16_t reply_status_ = 0;
    std::uint64_t head_done_ns_ = 0;
    bool keep_alive_ = true;
    bool reply_done_ = true;
    BodyWish body_wish_ = BodyWish::kWanted;
    std::deque<Piece> out_;

    bool idle_ = true;       ///< Between requests.
    bool draining_ = false;  ///< No further request.
    bool cut_ = false;       ///< The socket is closed.
    bool linger_ = false;    ///< Unread bytes may be coming: read them before closing.
    bool read_timed_out_ = false;
    std::uint64_t read_deadline_ns_ = kNever;
    std::uint64_t write_deadline_ns_ = kNever;
    Event out_event_;     ///< out_ has a piece, or cut_.
    Event body_event_;    ///< body_wish_ is decided, or cut_.
    Event writer_event_;  ///< The writer coroutine has ended.
};

}  // namespace tidal::http
