#include "http/internal/connection.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <cassert>

#include "http/internal/guard.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

constexpr std::size_t kHeadReadBytes = 4 * 1024;
constexpr std::size_t kLingerReadBytes = 64 * 1024;
constexpr std::size_t kLingerBytesMax = 16 * 1024 * 1024;
/// Overlapping requests of one connection: their number, the body of each, and their bodies
/// together. Enough for any group commit, little enough for ten thousand connections.
constexpr std::size_t kTurnsMax = 64;
constexpr std::size_t kOverlappingBodyBytesMax = 64 * 1024;
constexpr std::size_t kTurnBytesMax = 256 * 1024;

bool peer_is_loopback(const tcp::socket& socket) {
    boost::system::error_code ec;
    const auto peer = socket.remote_endpoint(ec);
    return !ec && peer.address().is_loopback();
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
      head_read_bytes_(kHeadReadBytes),
      out_event_(loop.io),
      body_event_(loop.io),
      turn_event_(loop.io) {}

asio::awaitable<void> Connection::run(std::shared_ptr<Connection> self) {
    Connection& c = *self;
    asio::co_spawn(c.loop_.io, run_writer(self), asio::detached);
    try {
        while (co_await c.serve_one()) {
        }
        co_await c.all_answered();
        // Requests that nobody will read may be coming.
        if ((c.linger_ || !c.in_.empty()) && !c.cut_) co_await c.linger();
    } catch (const std::exception& e) {
        // Out of memory, most likely: this client pays, the server lives.
        c.context_.logger.error("connection failed", {{"cause", e.what()}});
    }
    c.cut();
    c.loop_.connections.erase(self);
    c.context_.connection_count.fetch_sub(1);
    c.context_.numbers.connections.add(-1);
}

auto Connection::read_some(std::size_t bytes_max) {
    char* const room = in_.prepare(bytes_max);
    return socket_.async_read_some(asio::buffer(room, bytes_max),
                                   asio::bind_cancellation_slot(stop_reading_.slot(), kToken));
}

/// False when the connection takes no further request. What most requests go through waits for
/// bytes and for nothing else, so it is not split into coroutines, each of which has a frame.
asio::awaitable<bool> Connection::serve_one() {
    begin_head();
    Head head = parse_head();
    while (head == Head::kPart && begin_reading_head()) {
        const auto read = co_await read_some(head_read_bytes_);
        head = go_on_with_head(filled(read));
    }
    if (head != Head::kWhole) co_return false;
    idle_ = false;
    read_deadline_ns_ = kNever;
    Turn turn = describe_request();
    Admission admission = admit();
    turn.overlaps = may_overlap(admission);
    if (turn.overlaps) turn.bytes = parser_->request().body_bytes_declared;
    if (!turn.overlaps || !turn_is_free(turn)) hand_over();
    while (!turn_is_free(turn) && !cut_) co_await turn_event_.wait();
    if (cut_ || closing_) co_return false;  // There is no turn for it.
    begin_turn(std::move(turn));
    bool whole_request_read = true;
    if (admission.refusal) {
        whole_request_read = co_await discard_body();
        if (!whole_request_read) last_request();
        Piece piece;
        piece.response = std::move(*admission.refusal);
        push(turn_number_, std::move(piece));
    } else if (admission.body == Admission::Body::kStream) {
        whole_request_read = co_await serve_streamed();
    } else if (parser_->has_body()) {
        whole_request_read = co_await serve_whole();
    } else {
        hand_over_whole();
    }
    exchange_.reset();
    linger_ = linger_ || !whole_request_read;
    co_return keep_alive_&& whole_request_read && !cut_ && !draining_;
}

void Connection::begin_head() {
    parser_.emplace(context_.options.limits.header_bytes_max);
    in_.shrink();
    idle_ = in_.empty();
}

/// kNone: the connection is to be closed; what there is to say is said.
Connection::Head Connection::parse_head() {
    if (in_.empty()) return Head::kPart;
    auto step = parser_->put(in_.view());
    if (!step) {
        answer_and_close(step.error(), parser_->status());
        return Head::kNone;
    }
    in_.consume(step->consumed);
    return step->progress == RequestParser::Progress::kHead ? Head::kWhole : Head::kPart;
}

/// False when no further request is to be read.
bool Connection::begin_reading_head() {
    hand_over();  // What is answered at once may be the last.
    if (draining_ || closing_) return false;
    const ServerLimits& limits = context_.options.limits;
    if (read_deadline_ns_ == kNever)
        read_deadline_ns_ = after_ms(idle_ ? limits.idle_timeout_ms : limits.header_timeout_ms);
    return begin_read();
}

Connection::Head Connection::go_on_with_head(Fill got) {
    const ServerLimits& limits = context_.options.limits;
    if (got == Fill::kBytes) {
        const Head head = parse_head();
        if (head == Head::kPart && std::exchange(idle_, false))
            read_deadline_ns_ = after_ms(limits.header_timeout_ms);
        return head;
    }
    if (got == Fill::kTimeout && !idle_) {
        answer_and_close(Error(ErrorCode::kTimeout, "the request did not come in time"), 408);
        return Head::kNone;
    }
    if (got == Fill::kTimeout && !turns_.empty() && !draining_) {
        read_deadline_ns_ = after_ms(limits.idle_timeout_ms);  // it waits for us, not we for it
        return Head::kPart;
    }
    idle_ = false;
    read_deadline_ns_ = kNever;
    return Head::kNone;
}

bool Connection::turn_is_free(const Turn& turn) const {
    if (turns_.empty()) return true;
    if (!turn.overlaps || !turns_.back().overlaps || turns_.size() >= kTurnsMax) return false;
    if (turn_bytes_ + turn.bytes > kTurnBytesMax) return false;
    return turn.key.empty() || std::none_of(turns_.begin(), turns_.end(), [&](const Turn& other) {
               return other.key == turn.key;
           });
}

asio::awaitable<void> Connection::all_answered() {
    hand_over();
    while (!turns_.empty() && !cut_) co_await turn_event_.wait();
}

Turn Connection::describe_request() {
    Request& request = parser_->request();
    Turn turn;
    turn.head_done_ns = now_ns();
    turn.keep_alive = parser_->keep_alive();
    turn.http_1_0 = parser_->is_http_1_0();
    turn.method = request.method;
    turn.path = request.path;
    turn.request_id = request.headers.find("X-Request-Id").value_or("");
    if (!is_request_id(turn.request_id)) turn.request_id = new_request_id();
    turn.traceparent = request.headers.find("traceparent").value_or("");
    if (!is_traceparent(turn.traceparent)) turn.traceparent.clear();
    turn.accepts = accepted_coding(request.headers);
    turn.key = request.headers.find("Idempotency-Key").value_or("");
    request.request_id = turn.request_id;
    request.peer_is_loopback = peer_is_loopback_;
    return turn;
}

std::string Connection::new_request_id() {
    std::uint64_t number = context_.runtime.random().u64();
    std::string out(16, '0');
    for (std::size_t at = out.size(); at-- > 0; number >>= 4)
        out[at] = "0123456789abcdef"[number & 15];
    return out;
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
    coding_ = Coding::kIdentity;
    if (parser_->has_body()) {
        const auto coding = content_coding(request.headers);
        if (!coding && !admission.refusal) {
            admission.refusal = problem_response(coding.error());
            admission.refusal->headers.push_back({"Accept-Encoding", "gzip, zstd"});
        }
        if (coding) coding_ = *coding;
    }
    const std::size_t max = context_.options.limits.body_bytes_max;
    if (!admission.refusal && admission.body == Admission::Body::kWhole &&
        request.body_bytes_declared > max)
        admission.refusal =
            problem_response(body_too_large(max).with("bytes", request.body_bytes_declared));
    return admission;
}

/// Bodies of unknown size, and those the client holds back until it is asked, take turns alone.
bool Connection::may_overlap(const Admission& admission) {
    return admission.overlaps && !admission.refusal && coding_ == Coding::kIdentity &&
           admission.body == Admission::Body::kWhole && !parser_->is_chunked() &&
           !parser_->expects_continue() && !parser_->is_http_1_0() &&
           parser_->request().body_bytes_declared <= kOverlappingBodyBytesMax;
}

/// What came together is handled together, before the reader waits for anything.
void Connection::hand_over() {
    if (together_.empty()) return;
    std::vector<Call> calls = std::exchange(together_, {});
    if (calls.size() > 1) return context_.handler.handle_together(std::move(calls));
    context_.handler.handle(std::move(calls[0].request), std::move(calls[0].responder));
}

void Connection::begin_turn(Turn&& turn) {
    turn.number = ++turn_number_;
    exchange_ = std::make_shared<Exchange>(loop_.gate, weak_from_this(), turn.number);
    keep_alive_ = turn.keep_alive;
    turn_bytes_ += turn.bytes;
    turns_.push_back(std::move(turn));
}

/// The reply to the newest request says that no further one follows, unless its head has gone out.
void Connection::last_request() {
    keep_alive_ = false;
    if (!turns_.empty()) turns_.back().keep_alive = false;
}

/// Half of the newest request is all there will be. Those before it are still answered.
void Connection::abandon_turn() {
    keep_alive_ = false;
    closing_ = true;
    exchange_.reset();
    if (turns_.empty()) return;
    turn_bytes_ -= turns_.back().bytes;
    turns_.pop_back();
    --turn_number_;
}

/// For requests that no handler sees: a last reply, after those before it.
void Connection::answer_and_close(const Error& error, std::uint16_t status) {
    linger_ = true;
    read_deadline_ns_ = kNever;
    idle_ = false;
    if (cut_ || closing_) return;
    if (!exchange_) {  // its head was not understood
        Turn turn;
        turn.head_done_ns = now_ns();
        turn.request_id = new_request_id();
        begin_turn(std::move(turn));
    }
    last_request();
    Piece piece;
    piece.response = problem_response(error, status);
    push(turn_number_, std::move(piece));
}

asio::awaitable<Connection::Fill> Connection::fill(std::size_t bytes_max) {
    hand_over();
    if (!begin_read()) co_return Fill::kClosed;
    const auto read = co_await read_some(bytes_max);
    co_return filled(read);
}

/// False when there is nothing to read from any more.
bool Connection::begin_read() {
    read_timed_out_ = false;
    lone_replies_ = 0;
    return !cut_;
}

Connection::Fill Connection::filled(
    const std::tuple<boost::system::error_code, std::size_t>& read) {
    const auto& [ec, bytes] = read;
    in_.commit(bytes);
    if (!ec) return Fill::kBytes;
    return read_timed_out_ && !cut_ ? Fill::kTimeout : Fill::kClosed;
}

/// Reads what has come already. False when that is nothing; what ended the connection, if anything
/// did, the next fill() says.
bool Connection::read_at_hand(std::size_t bytes_max) {
    boost::system::error_code ec;
    char* const room = in_.prepare(bytes_max);
    const std::size_t bytes = socket_.read_some(asio::buffer(room, bytes_max), ec);
    in_.commit(bytes);
    return bytes > 0;
}

asio::awaitable<void> Connection::linger() {
    boost::system::error_code ec;
    socket_.shutdown(tcp::socket::shutdown_send, ec);
    read_deadline_ns_ = after_ms(kLingerMs);
    for (std::size_t total = 0; total < kLingerBytesMax; total += in_.size()) {
        in_.consume(in_.size());
        if (co_await fill(kLingerReadBytes) != Fill::kBytes) co_return;
    }
}

void Connection::push(std::uint64_t exchange, Piece&& piece) {
    // A piece of a turn that is over goes nowhere, and tells its writer.
    if (cut_ || turns_.empty() || exchange < turns_.front().number) return;
    assert(exchange - turns_.front().number < turns_.size());
    if (is_lone_reply(piece)) return send_lone_reply(std::move(piece));
    turns_[exchange - turns_.front().number].out.push_back(std::move(piece));
    if (exchange == turns_.front().number) out_event_.notify();
}

void Connection::read_next(std::uint64_t exchange, bool wanted) {
    if (exchange != turn_number_) return;
    body_wish_ = wanted ? BodyWish::kWanted : BodyWish::kUnwanted;
    body_event_.notify();
}

void Connection::on_tick(std::uint64_t now_ns) {
    if (now_ns >= write_deadline_ns_) return cut();
    if (now_ns < read_deadline_ns_) return;
    read_deadline_ns_ = kNever;
    read_timed_out_ = true;
    stop_reading_.emit(asio::cancellation_type::terminal);
}

void Connection::drain() {
    draining_ = true;
    if (exchange_) exchange_->loan().take_back();  // The reply says that it is the last.
    if (idle_) stop_reading_.emit(asio::cancellation_type::terminal);
}

void Connection::cut() {
    if (std::exchange(cut_, true)) return;
    if (exchange_) exchange_->loan().take_back();
    boost::system::error_code ec;
    socket_.shutdown(tcp::socket::shutdown_both, ec);
    socket_.close(ec);
    out_event_.notify();
    body_event_.notify();
    turn_event_.notify();
}

}  // namespace tidal::http
