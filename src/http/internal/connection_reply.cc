// The replies of a connection, in the order of its requests.
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "http/internal/connection.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

constexpr std::size_t kProgressBytes = 64 * 1024;
/// Behind so many the writer sends, which gives way: a client that pipelines shares the thread.
constexpr std::uint32_t kLoneRepliesMax = 8;

bool ends_turn(Piece::Kind kind) {
    return kind == Piece::Kind::kWhole || kind == Piece::Kind::kEnd;
}

void add_chunk(std::string bytes, bool chunked, Outgoing* out) {
    char size[20];
    const int digits = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    if (chunked) out->add(std::string(size, static_cast<std::size_t>(digits)));
    out->add_large(std::move(bytes));
    if (chunked) out->add("\r\n");
}

}  // namespace

asio::awaitable<void> Connection::run_writer(std::shared_ptr<Connection> self) {
    try {
        while (co_await self->write_ready()) {
        }
    } catch (const std::exception& e) {
        self->context_.logger.error("connection failed", {{"cause", e.what()}});
    }
    self->cut();
    self->drop_turns();
}

/// Waits for something to send and sends it; false at the end of the connection.
asio::awaitable<bool> Connection::write_ready() {
    while (!begun_ && (turns_.empty() || !turns_.front().has_piece()) && !cut_)
        co_await out_event_.wait();
    if (cut_) co_return false;
    Outgoing out = begun_ ? std::move(*begun_) : take_ready();
    begun_.reset();
    const bool sent = out.sent() || co_await send(&out);
    for (Piece& piece : out.told) std::exchange(piece.done, nullptr)(sent);
    if (!sent || out.cut_after) co_return false;
    lone_replies_ = 0;
    end_turns(out.turns_done);
    co_return true;
}

/// All there is to send until another request comes. Of a body that streams the reader may yet find
/// that the reply has to end the connection.
bool Connection::is_lone_reply(const Piece& piece) const {
    return piece.kind == Piece::Kind::kWhole && turns_.size() == 1 && !streaming_ &&
           lone_replies_ < kLoneRepliesMax;
}

/// Waking the writer costs as much as a small reply (decision 47). What the socket does not take is
/// the writer's.
void Connection::send_lone_reply(Piece&& piece) {
    try {
        ++lone_replies_;
        Outgoing out;
        render(turns_.front(), piece, &out);
        out.turns_done = 1;
        if (!out.offer(socket_)) return cut();
        if (out.sent()) return end_turns(out.turns_done);
        begun_ = std::move(out);
        out_event_.notify();
    } catch (const std::exception& e) {
        context_.logger.error("connection failed", {{"cause", e.what()}});
        cut();
    }
}

void Connection::sent_elsewhere(std::uint64_t exchange, Loan::Sent&& sent) {
    if (cut_ || turns_.empty() || exchange != turns_.front().number) return;
    note_status(turns_.front(), sent.status);
    if (sent.broken) return cut();
    if (sent.out.sent()) return end_turns(sent.out.turns_done);
    begun_ = std::move(sent.out);
    out_event_.notify();
}

/// What is ready of the front turn and, where it is all, of those behind it.
Outgoing Connection::take_ready() {
    Outgoing out;
    while (out.turns_done < turns_.size() && out.bytes < Outgoing::kJoinedBytesMax &&
           !out.cut_after) {
        Turn& turn = turns_[out.turns_done];
        if (!turn.has_piece()) break;
        Piece piece = std::move(turn.out[turn.taken++]);
        if (!turn.has_piece()) {
            turn.out.clear();
            turn.taken = 0;
        }
        out.cut_after = !render(turn, piece, &out);
        if (ends_turn(piece.kind)) ++out.turns_done;
        if (piece.done) out.told.push_back(std::move(piece));
    }
    return out;
}

/// False when the connection is to be cut.
bool Connection::render(Turn& turn, Piece& piece, Outgoing* out) {
    const bool chunked = !turn.http_1_0;
    const bool bodiless = turn.method == Method::kHead || !may_have_body(turn.status);
    switch (piece.kind) {
        case Piece::Kind::kWhole:
            if (turn.method != Method::kHead && may_have_body(piece.response.status))
                pack(turn.accepts, &piece.response);
            out->add(head_of(turn, piece.response, false));
            if (turn.method != Method::kHead && may_have_body(turn.status))
                out->add_large(std::move(piece.response.body));
            return true;
        case Piece::Kind::kHead:
            if (!chunked) turn.keep_alive = false;
            if (turn.method != Method::kHead && may_have_body(piece.response.status))
                turn.encoder = begin_packing(turn.accepts, &piece.response);
            out->add(head_of(turn, piece.response, true));
            return true;
        case Piece::Kind::kChunk:
            // A chunk of no bytes would end the body.
            if (bodiless || piece.bytes.empty()) return true;
            if (turn.encoder)
                piece.bytes = turn.encoder->encode(piece.bytes, Encoder::Flush::kPiece);
            add_chunk(std::move(piece.bytes), chunked, out);
            return true;
        case Piece::Kind::kEnd:
            if (turn.encoder)
                add_chunk(turn.encoder->encode({}, Encoder::Flush::kEnd), chunked, out);
            if (!bodiless && chunked) out->add("0\r\n\r\n");
            return true;
        case Piece::Kind::kCut:
            return false;
    }
    return false;
}

/// The deadline is for progress, not for the whole: a slow reader of a large reply is no fault.
asio::awaitable<bool> Connection::send(Outgoing* out) {
    if (!out->offer(socket_)) co_return false;
    if (out->sent()) co_return true;
    const auto progress = [this](const boost::system::error_code& failed, std::size_t) {
        write_deadline_ns_ = after_ms(context_.options.limits.write_timeout_ms);
        return failed ? 0 : kProgressBytes;
    };
    const auto [failed, bytes] = co_await asio::async_write(socket_, out->rest(), progress, kToken);
    write_deadline_ns_ = kNever;
    co_return !failed;
}

/// Precondition: the turn is alone and has no reply yet, so that the writer has nothing to write.
asio::awaitable<bool> Connection::send_continue() {
    Outgoing out;
    out.add("HTTP/1.1 100 Continue\r\n\r\n");
    if (cut_) co_return false;
    const bool sent = co_await send(&out);
    if (!sent) cut();  // Else nobody would answer its turn, and its end would be waited for.
    co_return sent;
}

std::string Connection::head_of(Turn& turn, const Response& response, bool streamed) {
    // A server that stops lets the requests under way finish; the last of them says so.
    if (context_.draining && turn.number == turn_number_) turn.keep_alive = false;
    if (!turn.keep_alive) closing_ = true;
    note_status(turn, response.status);
    ReplyFacts facts;
    facts.request_id = turn.request_id;
    facts.traceparent = turn.traceparent;
    facts.date = loop_.date;
    facts.http_1_0 = turn.http_1_0;
    facts.keep_alive = turn.keep_alive;
    facts.streamed = streamed;
    if (response.body.size() <= Outgoing::kCopiedBodyBytesMax && turn.method != Method::kHead)
        facts.body_room = response.body.size();
    return reply_head(response, facts);
}

void Connection::note_status(Turn& turn, std::uint16_t status) {
    turn.status = status;
    const std::size_t status_class = status / 100;
    if (status_class >= 1 && status_class <= 5) context_.numbers.replies[status_class - 1].add();
}

void Connection::end_turns(std::size_t count) {
    if (count == 0) return;
    const std::uint64_t now = now_ns();
    for (std::size_t i = 0; i < count; ++i) {
        end_turn(turns_.front(), now);
        turn_bytes_ -= turns_.front().bytes;
        turns_.pop_front();
    }
    if (turns_.empty()) {
        const ServerLimits& limits = context_.options.limits;
        if (idle_ && read_deadline_ns_ != kNever)
            read_deadline_ns_ = after_ms(limits.idle_timeout_ms);
        // A body still being read ends soon: there is nothing left to say.
        if (streaming_ && read_deadline_ns_ != kNever) read_deadline_ns_ = after_ms(kLingerMs);
        // A reader that waits for a further request would wait in vain.
        if (closing_ && !streaming_) stop_reading_.emit(asio::cancellation_type::terminal);
    }
    turn_event_.notify();
}

void Connection::end_turn(const Turn& turn, std::uint64_t now_ns) {
    const std::uint64_t took_ns = now_ns - turn.head_done_ns;
    context_.numbers.seconds.observe(static_cast<double>(took_ns) / 1e9);
    const LogLevel level = turn.status >= 500 ? LogLevel::kWarning : LogLevel::kDebug;
    if (!context_.logger.enabled(level)) return;
    const Logger::Fields fields = {{"method", method_name(turn.method)},
                                   {"path", turn.path.substr(0, 200)},
                                   {"status", turn.status},
                                   {"us", took_ns / 1000},
                                   {"request_id", turn.request_id}};
    if (level == LogLevel::kWarning)
        context_.logger.warning("request failed", fields);
    else
        context_.logger.debug("request", fields);
}

/// The connection has ended: what was still to be said tells its writers.
void Connection::drop_turns() {
    std::deque<Turn> dropped = std::exchange(turns_, {});
    turn_bytes_ = 0;
    const std::uint64_t now = now_ns();
    for (const Turn& turn : dropped) end_turn(turn, now);
}

}  // namespace tidal::http
