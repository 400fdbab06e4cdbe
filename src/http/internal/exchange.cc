#include "http/internal/exchange.h"

#include <cassert>

#include "http/internal/connection.h"
#include "http/problem.h"

namespace tidal::http {

bool Gate::post(absl::AnyInvocable<void()> work) {
    const std::lock_guard lock(mutex_);
    if (!open_) return false;
    queue_.push_back(std::move(work));
    if (queue_.size() == 1)
        boost::asio::post(*io_, [self = shared_from_this()] { self->run_queue(); });
    return true;
}

void Gate::run_queue() {
    std::vector<absl::AnyInvocable<void()>> queue;
    {
        const std::lock_guard lock(mutex_);
        queue.swap(queue_);
    }
    for (auto& work : queue) work();
}

void Gate::close() {
    std::vector<absl::AnyInvocable<void()>> dropped;  // destroyed after the lock is free
    const std::lock_guard lock(mutex_);
    open_ = false;
    thread_ = std::thread::id();
    dropped.swap(queue_);
}

void Exchange::push(Piece&& piece) {
    // As run() does, but a piece goes into a closure only where it has to wait: it is large.
    if (gate_->is_inside()) {
        if (const auto alive = connection_.lock()) alive->push(number_, std::move(piece));
        return;
    }
    std::optional<Loan::Sent> sent;
    if (piece.kind == Piece::Kind::kWhole) sent = loan_.send(piece.response);
    if (!sent) return post_piece(std::move(piece));
    gate_->post([connection = connection_, number = number_, sent = std::move(*sent)]() mutable {
        if (const auto alive = connection.lock()) alive->sent_elsewhere(number, std::move(sent));
    });
}

void Exchange::post_piece(Piece&& piece) {
    gate_->post([connection = connection_, number = number_, piece = std::move(piece)]() mutable {
        // Refused, it tells its writer now, not when all that came with it is done.
        Piece own = std::move(piece);
        if (const auto alive = connection.lock()) alive->push(number, std::move(own));
    });
}

void Exchange::read_next(bool wanted) {
    run([connection = connection_, number = number_, wanted] {
        if (const auto alive = connection.lock()) alive->read_next(number, wanted);
    });
}

Responder::Responder(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

Responder& Responder::operator=(Responder&& other) noexcept {
    std::swap(exchange_, other.exchange_);
    return *this;
}

Responder::~Responder() {
    if (exchange_)
        send(problem_response(
            Error(ErrorCode::kInternal, "the request was dropped without an answer")));
}

void Responder::send(Response response) {
    assert(exchange_ && "a request is answered once");
    Piece piece;
    piece.response = std::move(response);
    std::exchange(exchange_, nullptr)->push(std::move(piece));
}

void Responder::fail(const Error& error) {
    send(problem_response(error));
}

void Responder::go_on(Work work) {
    assert(exchange_ && "a request is answered once");
    const auto exchange = exchange_;
    exchange->run(
        [work = std::move(work), self = std::move(*this)]() mutable { work(std::move(self)); });
}

ResponseWriter Responder::stream(Response head) {
    assert(exchange_ && "a request is answered once");
    assert(head.body.empty());
    Piece piece;
    piece.kind = Piece::Kind::kHead;
    piece.response = std::move(head);
    exchange_->push(std::move(piece));
    return ResponseWriter(std::exchange(exchange_, nullptr));
}

ResponseWriter::ResponseWriter(std::shared_ptr<Exchange> exchange)
    : exchange_(std::move(exchange)) {}

ResponseWriter& ResponseWriter::operator=(ResponseWriter&& other) noexcept {
    std::swap(exchange_, other.exchange_);
    return *this;
}

ResponseWriter::~ResponseWriter() {
    if (!exchange_) return;
    Piece piece;
    piece.kind = Piece::Kind::kCut;
    exchange_->push(std::move(piece));
}

void ResponseWriter::write(std::string bytes, Done done) {
    assert(exchange_ && "finish() comes last");
    Piece piece;
    piece.kind = Piece::Kind::kChunk;
    piece.bytes = std::move(bytes);
    piece.done = std::move(done);
    exchange_->push(std::move(piece));
}

void ResponseWriter::finish() {
    assert(exchange_ && "finish() comes once");
    Piece piece;
    piece.kind = Piece::Kind::kEnd;
    std::exchange(exchange_, nullptr)->push(std::move(piece));
}

ReadNext::ReadNext(std::shared_ptr<Exchange> exchange, bool last)
    : exchange_(std::move(exchange)), last_(last) {}

ReadNext& ReadNext::operator=(ReadNext&& other) noexcept {
    std::swap(exchange_, other.exchange_);
    std::swap(last_, other.last_);
    return *this;
}

ReadNext::~ReadNext() {
    if (exchange_) exchange_->read_next(false);
}

void ReadNext::operator()() {
    assert(exchange_ && "called once");
    std::exchange(exchange_, nullptr)->read_next(true);
}

}  // namespace tidal::http
