#include "http/internal/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>

#include "http/internal/guard.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kHeadReadBytes = 4 * 1024;
constexpr std::size_t kBodyReadBytes = 64 * 1024;
/// A body nobody wants is read up to here, so that the connection can be kept.
constexpr std::uint64_t kDiscardBytesMax = 64 * 1024;
/// Before closing on a client that still sends: otherwise its reset could overtake our reply.
constexpr std::uint32_t kLingerMs = 1'000;
constexpr std::size_t kLingerBytesMax = 16 * 1024 * 1024;
/// Bodies up to here are copied behind their head: one buffer is cheaper to send than two.
constexpr std::size_t kCopiedBodyBytesMax = 8 * 1024;

bool peer_is_loopback(const tcp::socket& socket) {
    boost::system::error_code ec;
    const auto peer = socket.remote_endpoint(ec);
    return !ec && peer.address().is_loopback();
}

Error client_is_gone() {
    return Error(ErrorCode::kUnavailable, "the connection ended before the request did");
}
Error body_too_large(std::size_t bytes_max) {
    return Error(ErrorCode::kTooLarge,
                 "the body is larger than " + std::to_string(bytes_max) + " bytes")
        .with("bytes_max", bytes_max)
        .with_hint("send less at once, or a stream of lines");
}
Error body_timeout() {
    return Error(ErrorCode::kTimeout, "the body did not come in time");
}

}  // namespace

ServerMetrics::ServerMetrics(Metrics* metrics) {
    if (metrics == nullptr) return;
    static constexpr const char* kClasses[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
    for (std::size_t i = 0; i < 5; ++i)
        replies[i] = metrics->counter("tidal_http_replies_total", "Replies by class of status.",
                                      {{"class", kClasses[i]}});
    refused = metrics->counter("tidal_http_connections_refused_total",
                               "Connections refused above the maximum.");
    connections = metrics->gauge("tidal_http_connections_count", "Open connections.");
    seconds = metrics->histogram("tidal_http_request_seconds",
                                 "From the end of a request's head to the end of its reply.",
                                 kLatencyBounds);
}

asio::awaitable<void> Event::wait() {
    if (!std::exchange(set_, false))
        co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
            [this](auto handler) { waiter_ = std::move(handler); }, asio::use_awaitable);
}

void Event::notify() {
    if (!waiter_) {
        set_ = true;
        return;
    }
    asio::post(io_, std::exchange(waiter_, nullptr));
}

Connection::Connection(tcp::socket socket, ServerContext& context, Loop& loop)
    : context_(context),
      loop_(loop),
      socket_(std::move(socket)),
      peer_is_loopback_(peer_is_loopback(socket_)),
      out_event_(loop.io),
      body_event_(loop.io),
      writer_event_(loop.io) {}

asio::awaitable<void> Connection::run(std::shared_ptr<Connection> self) {
    Connection& c = *self;
    try {
        while (co_await c.serve_one()) {
        }
        if (c.linger_ && !c.cut_) co_await c.linger();
    } catch (const std::exception& e) {
        // Out of memory, most likely: this client pays, the server lives.
        c.context_.logger.error("connection failed", {{"cause", e.what()}});
    }
    c.cut();
    c.loop_.connections.erase(self);
    c.context_.connection_count.fetch_sub(1);
    c.context_.numbers.connections.add(-1);
}

/// False when the connection is to be closed.
asio::awaitable<bool> Connection::serve_one() {
    parser_.emplace(context_.options.limits.header_bytes_max);
    method_ = Method::kGet;
    request_id_.clear();
    traceparent_.clear();
    if (!co_await read_head()) co_return false;
    begin_exchange();
    Admission admission = admit();
    bool whole_request_read = true;
    if (admission.refusal) {
        whole_request_read = co_await discard_body();
        keep_alive_ = keep_alive_ && whole_request_read;
        Piece piece;
        piece.response = std::move(*admission.refusal);
        push(exchange_number_, std::move(piece));
        co_await write_reply();
    } else if (admission.body == Admission::Body::kStream) {
        whole_request_read = co_await serve_streamed();
    } else {
        whole_request_read = co_await serve_whole();
    }
    linger_ = linger_ || !whole_request_read;
    end_exchange();
    co_return keep_alive_&& whole_request_read && !cut_ && !draining_;
}

/// False when the connection is to be closed; what there is to say is then said.
asio::awaitable<bool> Connection::read_head() {
    const ServerLimits& limits = context_.options.limits;
    in_.shrink();
    idle_ = in_.empty();
    read_deadline_ns_ = after_ms(idle_ ? limits.idle_timeout_ms : limits.header_timeout_ms);
    for (;;) {
        if (!in_.empty()) {
            auto step = parser_->put(in_.view());
            if (!step) {
                linger_ = true;
                co_return co_await answer_and_close(step.error(), parser_->status());
            }
            in_.consume(step->consumed);
            if (step->progress == RequestParser::Progress::kHead) break;
        }
        if (draining_) co_return false;
        const Fill got = co_await fill(kHeadReadBytes);
        if (got == Fill::kTimeout && !idle_)
            co_return co_await answer_and_close(
                Error(ErrorCode::kTimeout, "the request did not come in time"), 408);
        if (got != Fill::kBytes) co_return false;
        if (std::exchange(idle_, false)) read_deadline_ns_ = after_ms(limits.header_timeout_ms);
    }
    read_deadline_ns_ = kNever;
    co_return true;
}

void Connection::begin_exchange() {
    Request& request = parser_->request();
    head_done_ns_ = now_ns();
    exchange_ = std::make_shared<Exchange>(loop_.gate, weak_from_this(), ++exchange_number_);
    keep_alive_ = parser_->keep_alive();
    reply_done_ = false;
    reply_status_ = 0;
    method_ = request.method;
    path_ = request.path;
    request_id_ = request.headers.find("X-Request-Id").value_or("");
    if (!is_request_id(request_id_)) request_id_ = new_request_id();
    traceparent_ = request.headers.find("traceparent").value_or("");
    if (!is_traceparent(traceparent_)) traceparent_.clear();
    request.request_id = request_id_;
    request.peer_is_loopback = peer_is_loopback_;
}

std::string Connection::new_request_id() {
    char buffer[17];
    std::snprintf(buffer, sizeof buffer, "%016llx",
                  static_cast<unsigned long long>(context_.runtime.random().u64()));
    return buffer;
}

Admission Connection::admit() {
    Request& request = parser_->request();
    Admission admission;
    if (context_.guarded) {
        if (const auto foreign = check_loopback_guard(request, parser_->has_body())) {
            admission.refusal = problem_response(*foreign);
            return admission;
        }
    }
    admission = context_.handler.admit(request);
    const std::size_t max = context_.options.limits.body_bytes_max;
    if (!admission.refusal && admission.body == Admission::Body::kWhole &&
        request.body_bytes_declared > max)
        admission.refusal =
            problem_response(body_too_large(max).with("bytes", request.body_bytes_declared));
    return admission;
}

/// Reads a body that nobody wants, if that is quicker than a new connection. False when it was not.
asio::awaitable<bool> Connection::discard_body() {
    if (!parser_->has_body()) co_return true;
    if (parser_->expects_continue() || parser_->is_chunked() ||
        parser_->request().body_bytes_declared > kDiscardBytesMax)
        co_return false;
    const auto failure = co_await read_whole_body(kDiscardBytesMax);
    co_return !failure;
}

/// False when the request was not read to its end.
asio::awaitable<bool> Connection::serve_whole() {
    if (parser_->has_body()) {
        if (parser_->expects_continue() && in_.empty() && !co_await send_continue())
            co_return false;
        const auto failure = co_await read_whole_body(context_.options.limits.body_bytes_max);
        if (failure) co_return co_await answer_and_close(failure->error, failure->status);
    }
    context_.handler.handle(std::move(parser_->request()), Responder(exchange_));
    co_await write_reply();
    co_return true;
}

/// What is wrong when it is too large, malformed, late or cut short.
asio::awaitable<std::optional<Connection::Failure>> Connection::read_whole_body(
    std::size_t bytes_max) {
    std::string& body = parser_->request().body;
    read_deadline_ns_ = after_ms(context_.options.limits.body_timeout_ms);
    while (!parser_->done()) {
        if (!in_.empty()) {
            auto step = parser_->put(in_.view());
            if (!step) co_return Failure{step.take_error(), parser_->status()};
            in_.consume(step->consumed);
            std::string piece = parser_->take_body();
            body = body.empty() ? std::move(piece) : std::move(body) + piece;
            if (body.size() > bytes_max) co_return Failure{body_too_large(bytes_max), 413};
            if (step->progress != RequestParser::Progress::kNeedMore) continue;
        }
        const Fill got = co_await fill(kBodyReadBytes);
        if (got == Fill::kBytes) continue;
        if (got == Fill::kClosed) cut();
        co_return Failure{got == Fill::kTimeout ? body_timeout() : client_is_gone(), 408};
    }
    read_deadline_ns_ = kNever;
    co_return std::nullopt;
}

/// False when the request was not read to its end.
asio::awaitable<bool> Connection::serve_streamed() {
    if (parser_->expects_continue() && in_.empty() && !co_await send_continue()) co_return false;
    const std::shared_ptr<BodySink> sink =
        context_.handler.stream(std::move(parser_->request()), Responder(exchange_));
    asio::co_spawn(loop_.io, run_writer(shared_from_this()), asio::detached);
    const bool all_read = co_await read_streamed_body(*sink);
    if (!all_read) keep_alive_ = false;
    read_deadline_ns_ = kNever;
    co_await writer_event_.wait();
    co_return all_read;
}

asio::awaitable<bool> Connection::read_streamed_body(BodySink& sink) {
    while (!parser_->done()) {
        bool need_more = in_.empty();
        if (!need_more) {
            auto step = parser_->put(in_.view());
            if (!step) {
                sink.on_error(step.error());
                co_return false;
            }
            in_.consume(step->consumed);
            std::string bytes = parser_->take_body();
            if (!bytes.empty() && !co_await pass_on(sink, std::move(bytes))) co_return false;
            need_more = step->progress == RequestParser::Progress::kNeedMore;
        }
        if (!need_more) continue;
        if (reply_done_) co_return false;  // answered in full before its end
        read_deadline_ns_ = after_ms(context_.options.limits.body_timeout_ms);
        const Fill got = co_await fill(kBodyReadBytes);
        read_deadline_ns_ = kNever;
        if (reply_done_) co_return false;
        if (got == Fill::kBytes) continue;
        sink.on_error(got == Fill::kTimeout ? body_timeout() : client_is_gone());
        co_return false;
    }
    sink.on_end();
    co_return true;
}

/// False when no more is wanted.
asio::awaitable<bool> Connection::pass_on(BodySink& sink, std::string bytes) {
    body_wish_ = BodyWish::kWaiting;
    sink.on_chunk(std::move(bytes), ReadNext(exchange_));
    while (body_wish_ == BodyWish::kWaiting && !cut_) co_await body_event_.wait();
    if (cut_) {
        sink.on_error(client_is_gone());
        co_return false;
    }
    co_return body_wish_ == BodyWish::kWanted;
}

asio::awaitable<bool> Connection::send_continue() {
    co_return co_await write_bytes("HTTP/1.1 100 Continue\r\n\r\n", {}, {});
}

asio::awaitable<Connection::Fill> Connection::fill(std::size_t bytes_max) {
    if (cut_) co_return Fill::kClosed;
    read_timed_out_ = false;
    char* const room = in_.prepare(bytes_max);
    const auto [ec, bytes] =
        co_await socket_.async_read_some(asio::buffer(room, bytes_max), kToken);
    in_.commit(bytes);
    if (!ec) co_return Fill::kBytes;
    co_return read_timed_out_ && !cut_ ? Fill::kTimeout : Fill::kClosed;
}

asio::awaitable<void> Connection::linger() {
    boost::system::error_code ec;
    socket_.shutdown(tcp::socket::shutdown_send, ec);
    read_deadline_ns_ = after_ms(kLingerMs);
    for (std::size_t total = 0; total < kLingerBytesMax; total += in_.size()) {
        in_.consume(in_.size());
        if (co_await fill(kBodyReadBytes) != Fill::kBytes) co_return;
    }
}

asio::awaitable<void> Connection::run_writer(std::shared_ptr<Connection> self) {
    co_await self->write_reply();
    self->reply_done_ = true;
    // A reader still waiting for the client ends soon: there is nothing left to say.
    if (self->read_deadline_ns_ != kNever) self->read_deadline_ns_ = self->after_ms(kLingerMs);
    self->writer_event_.notify();
}

/// Sends pieces up to the last one of the reply, or to the end of the connection.
asio::awaitable<void> Connection::write_reply() {
    for (;;) {
        while (out_.empty() && !cut_) co_await out_event_.wait();
        if (cut_) break;
        Piece piece = std::move(out_.front());
        out_.pop_front();
        const bool sent = co_await write_piece(piece);
        if (piece.done) std::exchange(piece.done, nullptr)(sent);
        if (!sent) break;
        if (piece.kind == Piece::Kind::kWhole || piece.kind == Piece::Kind::kEnd) co_return;
    }
    cut();
}

asio::awaitable<bool> Connection::write_piece(const Piece& piece) {
    const bool chunked = !parser_->is_http_1_0();
    const bool bodiless = method_ == Method::kHead || !may_have_body(reply_status_);
    switch (piece.kind) {
        case Piece::Kind::kWhole: {
            std::string head = head_of(piece.response, false);
            const std::string& body = piece.response.body;
            if (method_ == Method::kHead || !may_have_body(piece.response.status))
                co_return co_await write_bytes(head, {}, {});
            if (body.size() > kCopiedBodyBytesMax) co_return co_await write_bytes(head, body, {});
            head += body;
            co_return co_await write_bytes(head, {}, {});
        }
        case Piece::Kind::kHead: {
            if (!chunked) keep_alive_ = false;
            const std::string head = head_of(piece.response, true);
            co_return co_await write_bytes(head, {}, {});
        }
        case Piece::Kind::kChunk: {
            // A chunk of no bytes would end the body.
            if (bodiless || piece.bytes.empty()) co_return true;
            if (!chunked) co_return co_await write_bytes(piece.bytes, {}, {});
            char size[20];
            const int digits = std::snprintf(size, sizeof size, "%zx\r\n", piece.bytes.size());
            co_return co_await write_bytes({size, static_cast<std::size_t>(digits)}, piece.bytes,
                                           "\r\n");
        }
        case Piece::Kind::kEnd:
            if (bodiless || !chunked) co_return true;
            co_return co_await write_bytes("0\r\n\r\n", {}, {});
        case Piece::Kind::kCut:
            co_return false;
    }
    co_return false;
}

/// The deadline is for progress, not for the whole: a slow reader of a large reply is no fault.
asio::awaitable<bool> Connection::write_bytes(std::string_view first, std::string_view second,
                                              std::string_view third) {
    if (cut_) co_return false;
    const auto progress = [this](const boost::system::error_code& ec, std::size_t) -> std::size_t {
        write_deadline_ns_ = after_ms(context_.options.limits.write_timeout_ms);
        return ec ? 0 : kBodyReadBytes;
    };
    const std::array<asio::const_buffer, 3> buffers{asio::buffer(first), asio::buffer(second),
                                                    asio::buffer(third)};
    const auto [ec, bytes] = co_await asio::async_write(socket_, buffers, progress, kToken);
    write_deadline_ns_ = kNever;
    co_return !ec;
}

std::string Connection::head_of(const Response& response, bool streamed) {
    if (context_.draining) keep_alive_ = false;
    reply_status_ = response.status;
    const std::size_t status_class = reply_status_ / 100;
    if (status_class >= 1 && status_class <= 5) context_.numbers.replies[status_class - 1].add();
    ReplyFacts facts;
    facts.request_id = request_id_;
    facts.traceparent = traceparent_;
    facts.date = loop_.date;
    facts.http_1_0 = parser_->is_http_1_0();
    facts.keep_alive = keep_alive_;
    facts.streamed = streamed;
    return reply_head(response, facts);
}

/// For requests that no handler sees. Always false: the connection's state is not known any more.
asio::awaitable<bool> Connection::answer_and_close(const Error& error, std::uint16_t status) {
    linger_ = true;
    keep_alive_ = false;
    read_deadline_ns_ = kNever;
    if (request_id_.empty()) request_id_ = new_request_id();
    Response response = problem_response(error, status);
    std::string reply = head_of(response, false);
    if (method_ != Method::kHead) reply += response.body;
    co_await write_bytes(reply, {}, {});
    co_return false;
}

void Connection::end_exchange() {
    exchange_.reset();
    out_.clear();
    ++exchange_number_;  // late answers are for nobody
    const std::uint64_t took_ns = now_ns() - head_done_ns_;
    context_.numbers.seconds.observe(static_cast<double>(took_ns) / 1e9);
    const LogLevel level = reply_status_ >= 500 ? LogLevel::kWarning : LogLevel::kDebug;
    if (!context_.logger.enabled(level)) return;
    const Logger::Fields fields = {{"method", method_name(method_)},
                                   {"path", path_.substr(0, 200)},
                                   {"status", reply_status_},
                                   {"us", took_ns / 1000},
                                   {"request_id", request_id_}};
    if (level == LogLevel::kWarning)
        context_.logger.warning("request failed", fields);
    else
        context_.logger.debug("request", fields);
}

void Connection::push(std::uint64_t exchange, Piece piece) {
    if (exchange != exchange_number_ || cut_) return;  // the piece tells its writer
    out_.push_back(std::move(piece));
    out_event_.notify();
}

void Connection::read_next(std::uint64_t exchange, bool wanted) {
    if (exchange != exchange_number_) return;
    body_wish_ = wanted ? BodyWish::kWanted : BodyWish::kUnwanted;
    body_event_.notify();
}

void Connection::on_tick(std::uint64_t now_ns) {
    if (now_ns >= write_deadline_ns_) return cut();
    if (now_ns < read_deadline_ns_) return;
    read_deadline_ns_ = kNever;
    read_timed_out_ = true;
    boost::system::error_code ec;
    socket_.cancel(ec);
}

void Connection::drain() {
    draining_ = true;
    if (!idle_) return;
    boost::system::error_code ec;
    socket_.cancel(ec);
}

void Connection::cut() {
    if (std::exchange(cut_, true)) return;
    boost::system::error_code ec;
    socket_.shutdown(tcp::socket::shutdown_both, ec);
    socket_.close(ec);
    out_event_.notify();
    body_event_.notify();
}

}  // namespace tidal::http
