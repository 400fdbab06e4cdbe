// http/internal/connection.h: one client. Includes Asio: only the .cc files of this folder may.
//
// Two coroutines: run() reads requests and hands them over; run_writer() sends what is ready of
// their replies, in the order of the requests, but for the whole reply to a request that is alone
// under way: that goes out from where it is made. A request has its turn from when it is handed
// over until its reply is with the operating system. Several small writes may have their turns at
// once (Admission::overlaps); any other request waits until all before it are answered. Everything
// here runs on the one I/O thread of its loop, so nothing is locked; other threads come through
// Exchange, which has the socket while nothing is to be done here but to wait for a reply (Loan).
#pragma once

#include <absl/functional/any_invocable.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <memory>
#include <tuple>
#include <unordered_set>

#include "http/content_coding.h"
#include "http/http_server.h"
#include "http/internal/exchange.h"
#include "http/internal/outgoing.h"
#include "http/internal/read_buffer.h"
#include "http/internal/reply_head.h"
#include "http/internal/request_parser.h"

namespace tidal::http {

namespace asio = boost::asio;
using asio::ip::tcp;

/// What is awaited gives its error code as a value.
inline constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
/// Before closing on a client that still sends: otherwise its reset could overtake our reply.
inline constexpr std::uint32_t kLingerMs = 1'000;

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
    std::size_t streams = 0;  ///< Requests under way whose bodies stream.
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

/// One request that was handed over, and what of its reply is still to be sent.
struct Turn {
    std::uint64_t number = 0;
    Method method = Method::kGet;
    bool http_1_0 = false;
    bool keep_alive = true;  ///< False: the last of its connection.
    bool overlaps = false;
    std::uint16_t status = 0;  ///< Of the reply, once its head is made.
    std::size_t bytes = 0;     ///< Of its body, while it counts against the connection's bound.
    std::uint64_t head_done_ns = 0;
    std::string request_id;
    std::string traceparent;
    std::string path;  ///< For the log.
    std::string
        key;  ///< Idempotency-Key: two of one key take turns, so that one repeats the other.
    Coding accepts = Coding::kIdentity;
    std::unique_ptr<Encoder> encoder;  ///< While a packed reply streams.
    std::vector<Piece> out;            ///< From `taken` on not sent yet.
    std::size_t taken = 0;

    bool has_piece() const { return taken < out.size(); }
};

/// A body, plain or unpacked, above what the server takes.
Error body_too_large(std::size_t bytes_max);

class Connection final : public std::enable_shared_from_this<Connection> {
public:
    Connection(tcp::socket socket, ServerContext& context, Loop& loop);

    /// Serves until the client or the server has enough. Spawned once; `self` keeps it alive.
    static asio::awaitable<void> run(std::shared_ptr<Connection> self);

    void on_tick(std::uint64_t now_ns);
    /// Ends after the requests under way; at once when there is none.
    void drain();
    /// Ends now.
    void cut();

    void push(std::uint64_t exchange, Piece&& piece);
    void read_next(std::uint64_t exchange, bool wanted);
    /// The reply went out from another thread (Loan), but for what the socket did not take.
    void sent_elsewhere(std::uint64_t exchange, Loan::Sent&& sent);

private:
    static constexpr std::uint64_t kNever = UINT64_MAX;
    enum class Fill : std::uint8_t { kBytes, kClosed, kTimeout };
    enum class Head : std::uint8_t { kWhole, kPart, kNone };
    struct Failure {
        Error error;
        std::uint16_t status;
    };
    enum class BodyWish : std::uint8_t { kWaiting, kWanted, kUnwanted };

    // connection.cc: requests.
    asio::awaitable<bool> serve_one();
    void begin_head();
    Head parse_head();
    bool begin_reading_head();
    Head go_on_with_head(Fill got);
    bool turn_is_free(const Turn& turn) const;
    asio::awaitable<void> all_answered();
    asio::awaitable<bool> serve_whole();
    void hand_over_whole();
    asio::awaitable<bool> serve_streamed();
    void lend_socket();
    asio::awaitable<std::optional<Failure>> read_whole_body(std::size_t bytes_max);
    asio::awaitable<bool> discard_body();
    asio::awaitable<bool> read_streamed_body(BodySink& sink);
    asio::awaitable<bool> pass_on(BodySink& sink, Decoder* decoder, std::string bytes);
    asio::awaitable<bool> pass_on_piece(BodySink& sink, std::string bytes, bool last);
    Result<void> gather_body(std::string* bytes);
    bool read_at_hand(std::size_t bytes_max);
    asio::awaitable<Fill> fill(std::size_t bytes_max);
    bool begin_read();
    auto read_some(std::size_t bytes_max);
    Fill filled(const std::tuple<boost::system::error_code, std::size_t>& read);
    asio::awaitable<void> linger();
    Turn describe_request();
    Admission admit();
    bool may_overlap(const Admission& admission);
    void hand_over();
    void begin_turn(Turn&& turn);
    void last_request();
    void abandon_turn();
    void answer_and_close(const Error& error, std::uint16_t status);
    std::string new_request_id();

    // connection_reply.cc: replies.
    static asio::awaitable<void> run_writer(std::shared_ptr<Connection> self);
    asio::awaitable<bool> write_ready();
    bool is_lone_reply(const Piece& piece) const;
    void send_lone_reply(Piece&& piece);
    Outgoing take_ready();
    bool render(Turn& turn, Piece& piece, Outgoing* out);
    asio::awaitable<bool> send(Outgoing* out);
    asio::awaitable<bool> send_continue();
    std::string head_of(Turn& turn, const Response& response, bool streamed);
    void note_status(Turn& turn, std::uint16_t status);
    void end_turns(std::size_t count);
    void end_turn(const Turn& turn, std::uint64_t now_ns);
    void drop_turns();

    std::uint64_t now_ns() const { return context_.runtime.clock().monotonic_ns(); }
    std::uint64_t after_ms(std::uint32_t ms) const {
        return now_ns() + ms * std::uint64_t{1'000'000};
    }

    ServerContext& context_;
    Loop& loop_;
    tcp::socket socket_;
    const bool peer_is_loopback_;
    ReadBuffer in_;

    // The request being read.
    std::size_t head_read_bytes_;  ///< Asked of the socket where a head is to come.
    std::optional<RequestParser> parser_;
    std::shared_ptr<Exchange> exchange_;
    std::vector<Call> together_;  ///< Overlapping requests not handed over yet.
    BodyWish body_wish_ = BodyWish::kWanted;
    Coding coding_ = Coding::kIdentity;  ///< Of its body.
    bool keep_alive_ = true;
    bool streaming_ = false;  ///< Its body streams, and what is to come of it may be wrong.

    std::deque<Turn> turns_;          ///< Densely numbered; the front one is being answered.
    std::uint64_t turn_number_ = 0;   ///< Newest.
    std::size_t turn_bytes_ = 0;      ///< Of all turns.
    std::uint32_t lone_replies_ = 0;  ///< In a row, without giving way to others of the thread.
    std::optional<Outgoing> begun_;   ///< A reply of which the socket took a part: the writer's.

    bool idle_ = true;       ///< The reader waits for the first byte of a request.
    bool draining_ = false;  ///< No further request.
    bool closing_ = false;   ///< A reply said that no further one follows.
    bool cut_ = false;       ///< The socket is closed.
    bool linger_ = false;    ///< Unread bytes may be coming: read them before closing.
    bool read_timed_out_ = false;
    std::uint64_t read_deadline_ns_ = kNever;
    std::uint64_t write_deadline_ns_ = kNever;
    asio::cancellation_signal stop_reading_;
    Event out_event_;   ///< A turn has a piece, or cut_.
    Event body_event_;  ///< body_wish_ is decided, or cut_.
    Event turn_event_;  ///< A turn has ended, or cut_.
};

}  // namespace tidal::http
