// The part of Connection that reads bodies: whole ones, streamed ones, and those nobody wants.
#include <boost/asio/awaitable.hpp>

#include "http/internal/connection.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

constexpr std::size_t kBodyReadBytes = 64 * 1024;
/// A body nobody wants is read up to here, so that the connection can be kept.
constexpr std::uint64_t kDiscardBytesMax = 64 * 1024;

class CountedStream {
public:
    explicit CountedStream(std::size_t* count) : count_(count) { ++*count_; }
    ~CountedStream() { --*count_; }
    CountedStream(const CountedStream&) = delete;
    CountedStream& operator=(const CountedStream&) = delete;

private:
    std::size_t* const count_;
};

Error client_is_gone() {
    return Error(ErrorCode::kUnavailable, "the connection ended before the request did");
}
Error body_timeout() {
    return Error(ErrorCode::kTimeout, "the body did not come in time");
}

}  // namespace

Error body_too_large(std::size_t bytes_max) {
    return Error(ErrorCode::kTooLarge,
                 "the body is larger than " + std::to_string(bytes_max) + " bytes")
        .with("bytes_max", bytes_max)
        .with_hint("send less at once, or a stream of lines");
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

/// Of a request with a body. False when it was not read to its end. The reply comes in its own
/// time.
asio::awaitable<bool> Connection::serve_whole() {
    if (parser_->expects_continue() && in_.empty() && !co_await send_continue()) co_return false;
    const auto failure = co_await read_whole_body(context_.options.limits.body_bytes_max);
    if (failure) {
        answer_and_close(failure->error, failure->status);
        co_return false;
    }
    std::string& body = parser_->request().body;
    if (coding_ != Coding::kIdentity && !body.empty()) {
        auto unpacked = unpack(coding_, std::move(body), context_.options.limits.body_bytes_max);
        if (!unpacked) {
            Responder(exchange_).fail(unpacked.error());
            co_return true;
        }
        body = std::move(*unpacked);
    }
    hand_over_whole();
    co_return true;
}

void Connection::hand_over_whole() {
    Responder responder(exchange_);
    if (!turns_.empty() && turns_.back().overlaps) {
        together_.push_back({std::move(parser_->request()), std::move(responder)});
    } else {
        context_.handler.handle(std::move(parser_->request()), std::move(responder));
    }
}

/// What is wrong when it is too large, malformed, late or cut short.
asio::awaitable<std::optional<Connection::Failure>> Connection::read_whole_body(
    std::size_t bytes_max) {
    std::string& body = parser_->request().body;
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
        if (read_deadline_ns_ == kNever)
            read_deadline_ns_ = after_ms(context_.options.limits.body_timeout_ms);
        const Fill got = co_await fill(kBodyReadBytes);
        if (got == Fill::kBytes) continue;
        if (got == Fill::kTimeout) co_return Failure{body_timeout(), 408};
        abandon_turn();
        co_return Failure{client_is_gone(), 408};
    }
    read_deadline_ns_ = kNever;
    co_return std::nullopt;
}

/// False when the request was not read to its end.
asio::awaitable<bool> Connection::serve_streamed() {
    if (parser_->expects_continue() && in_.empty() && !co_await send_continue()) co_return false;
    const CountedStream counted(&loop_.streams);
    streaming_ = true;
    head_read_bytes_ = ReadBuffer::kKeptBytesMax;  // The next batch may come with its head.
    const std::shared_ptr<BodySink> sink =
        context_.handler.stream(std::move(parser_->request()), Responder(exchange_));
    const bool all_read = co_await read_streamed_body(*sink);
    if (!all_read) last_request();
    read_deadline_ns_ = kNever;
    streaming_ = false;
    if (all_read) lend_socket();
    co_await all_answered();
    exchange_->loan().take_back();
    co_return all_read;
}

/// Where the reply is all there is to wait for, on this thread too: with several streams under way
/// those who make their replies have more to do than those who send them.
void Connection::lend_socket() {
    if (cut_ || draining_ || closing_ || turns_.size() != 1 || loop_.streams != 1) return;
    const Turn& turn = turns_.front();
    const bool begun = turn.has_piece() || turn.status != 0;
    const bool plain = turn.method != Method::kHead && turn.accepts == Coding::kIdentity;
    if (begun || !plain || !turn.keep_alive || turn.http_1_0) return;
    exchange_->loan().lend({&socket_, turn.request_id, turn.traceparent, loop_.date});
}

/// Appends what of the body is at hand, up to kBodyReadBytes: lines that came together are written
/// together. Waits for nothing, as a client may want an answer before it sends more.
/// @return what is wrong behind `bytes`.
Result<void> Connection::gather_body(std::string* bytes) {
    bool need_more = in_.empty();
    while (!parser_->done() && bytes->size() < kBodyReadBytes) {
        // The first bytes come through fill(), which gives other connections their turn.
        if (need_more && (bytes->empty() || !read_at_hand(kBodyReadBytes - bytes->size())))
            return {};
        auto step = parser_->put(in_.view());
        std::string piece = parser_->take_body();
        *bytes = bytes->empty() ? std::move(piece) : std::move(*bytes) + piece;
        if (!step) return step.take_error();
        in_.consume(step->consumed);
        need_more = in_.empty() || step->progress == RequestParser::Progress::kNeedMore;
    }
    return {};
}

asio::awaitable<bool> Connection::read_streamed_body(BodySink& sink) {
    std::unique_ptr<Decoder> decoder;
    if (coding_ != Coding::kIdentity) decoder = Decoder::create(coding_);
    bool any = false;
    for (;;) {
        std::string bytes;
        const auto sound = gather_body(&bytes);
        any = any || !bytes.empty();
        if (!bytes.empty() && !co_await pass_on(sink, decoder.get(), std::move(bytes)))
            co_return false;
        if (!sound) {
            sink.on_error(sound.error());
            co_return false;
        }
        if (parser_->done()) break;
        if (turns_.empty()) co_return false;  // answered in full before its end
        read_deadline_ns_ = after_ms(context_.options.limits.body_timeout_ms);
        const Fill got = co_await fill(kBodyReadBytes);
        read_deadline_ns_ = kNever;
        if (turns_.empty()) co_return false;
        if (got == Fill::kBytes) continue;
        sink.on_error(got == Fill::kTimeout ? body_timeout() : client_is_gone());
        co_return false;
    }
    if (decoder && any && !decoder->at_end()) {
        sink.on_error(broken_off(coding_));
    } else {
        sink.on_end();
    }
    co_return true;
}

/// False when no more is wanted. However much the bytes stand for, the sink gets it in pieces.
asio::awaitable<bool> Connection::pass_on(BodySink& sink, Decoder* decoder, std::string bytes) {
    if (decoder == nullptr) {
        // Nothing can be found wrong with it any more.
        if (parser_->done()) streaming_ = false;
        co_return co_await pass_on_piece(sink, std::move(bytes), parser_->done());
    }
    decoder->feed(std::move(bytes));
    for (;;) {
        auto piece = decoder->next(kBodyReadBytes);
        if (!piece) {
            sink.on_error(piece.error());
            co_return false;
        }
        if (piece->empty()) co_return true;
        if (!co_await pass_on_piece(sink, std::move(*piece), false)) co_return false;
    }
}

asio::awaitable<bool> Connection::pass_on_piece(BodySink& sink, std::string bytes, bool last) {
    body_wish_ = BodyWish::kWaiting;
    sink.on_chunk(std::move(bytes), ReadNext(exchange_, last));
    while (body_wish_ == BodyWish::kWaiting && !cut_) co_await body_event_.wait();
    if (cut_) {
        // A sink that wants no more has answered.
        if (body_wish_ != BodyWish::kUnwanted) sink.on_error(client_is_gone());
        co_return false;
    }
    co_return body_wish_ == BodyWish::kWanted;
}

}  // namespace tidal::http
