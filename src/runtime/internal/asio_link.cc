#include "runtime/internal/asio_link.h"

#include <netinet/tcp.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <chrono>

namespace tidal::runtime::internal {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorNumber = boost::system::error_code;

constexpr auto kHandshakeTimeout = std::chrono::seconds(5);
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kWriteBytes = 256 * 1024;  // gathered for one write
constexpr std::size_t kAddressBytesMax = 300;
constexpr std::size_t kMessageBytes = 64;  ///< In memory, beside its payload, which may be empty.
// What waits in the kernel cannot be overtaken any more (peer_transport.h has priorities).
constexpr int kUnsentBytesMax = 128 * 1024;

Error failure(const ErrorNumber& error) {
    return Error(ErrorCode::kUnavailable, "connection: " + error.message());
}

}  // namespace

Link::Link(LinkHost& host, std::shared_ptr<asio::io_context> io, std::shared_ptr<Inbox> inbox,
           std::string address, HostPort to)
    : host_(host),
      io_(std::move(io)),
      inbox_(std::move(inbox)),
      to_(std::move(to)),
      resolver_(*io_),
      socket_(*io_),
      timer_(*io_),
      chunk_(kReadBytes, '\0'),
      address_(std::move(address)) {}

Link::Link(LinkHost& host, std::shared_ptr<asio::io_context> io, std::shared_ptr<Inbox> inbox,
           tcp::socket socket)
    : host_(host),
      io_(std::move(io)),
      inbox_(std::move(inbox)),
      resolver_(*io_),
      socket_(std::move(socket)),
      timer_(*io_),
      chunk_(kReadBytes, '\0') {}

/// Handlers of a link that was closed since must do nothing.
template <typename Next>
auto Link::unless_closed(Next next) {
    return [self = shared_from_this(), next](const ErrorNumber& error, auto&&... results) mutable {
        if (self->phase_ == Phase::kClosed) return;
        if (error) return self->close(failure(error));
        next(*self, std::forward<decltype(results)>(results)...);
    };
}

void Link::start() {
    if (phase_ == Phase::kClosed) return;
    timer_.expires_after(kHandshakeTimeout);
    timer_.async_wait([self = shared_from_this()](const ErrorNumber& error) {
        if (!error && self->phase_ != Phase::kOpen)
            self->close(Error(ErrorCode::kTimeout, "the peer does not answer"));
    });
    if (!dialed()) return connected();
    resolver_.async_resolve(
        to_->host, to_->port,
        unless_closed([](Link& self, const tcp::resolver::results_type& found) {
            asio::async_connect(self.socket_, found,
                                self.unless_closed([](Link& link, auto&&) { link.connected(); }));
        }));
}

void Link::connected() {
    phase_ = Phase::kHandshake;
    ErrorNumber ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytesMax,
                 sizeof(kUnsentBytesMax));
    if (host_.tls() == nullptr) {
        established();
    } else {
        tls_ = TlsSession::create(host_.tls(), dialed() ? TlsRole::kClient : TlsRole::kServer);
        on_bytes({});  // a client speaks first
    }
    if (phase_ != Phase::kClosed) read();
}

/// Bytes go both ways from here on. The dialer says where it is reached, then both send frames.
void Link::established() {
    if (tls_ != nullptr) identity_ = tls_->peer_identity();
    if (!dialed()) return;
    phase_ = Phase::kOpen;
    timer_.cancel();
    std::string hello = encode_frame(FrameKind::kHello, host_.advertised());
    {
        const std::lock_guard lock(host_.mutex());
        queued_bytes_ += hello.size();
        queue_.push_front({std::move(hello), nullptr});
    }
    kick();
}

void Link::read() {
    socket_.async_read_some(asio::buffer(chunk_), unless_closed([](Link& self, std::size_t got) {
                                self.on_bytes(std::string_view(self.chunk_).substr(0, got));
                                if (self.phase_ != Phase::kClosed && !self.paused_) self.read();
                            }));
}

void Link::on_bytes(std::string_view bytes) {
    if (tls_ == nullptr) {
        reader_.feed(bytes);
        return deliver();
    }
    const bool was_established = tls_->established();
    std::string plain;
    auto received = tls_->receive(bytes, &plain);
    if (!received.ok()) {
        // The alert tells the other side why; it is small, so it is written or it is not.
        ErrorNumber ignored;
        const std::string alert = tls_->take_output();
        if (!writing_) socket_.write_some(asio::buffer(alert), ignored);
        return close(received.error());
    }
    if (!was_established && tls_->established()) established();
    write();  // what the handshake says
    reader_.feed(plain);
    deliver();
}

void Link::deliver() {
    while (phase_ != Phase::kClosed) {
        auto frame = reader_.next();
        // A damaged stream cannot be cut into frames again: the peer has to start anew.
        if (!frame) return close(frame.error());
        if (!frame->has_value()) break;
        auto& payload = (*frame)->payload;
        const bool hello = (*frame)->kind == FrameKind::kHello;
        const bool due = !dialed() && phase_ == Phase::kHandshake;
        if (hello != due || (hello && (payload.empty() || payload.size() > kAddressBytesMax)))
            return close(Error(ErrorCode::kCorruption, "a frame out of place"));
        if (hello) {
            phase_ = Phase::kOpen;
            timer_.cancel();
            address_ = host_.on_hello(shared_from_this(), std::move(payload));
        } else {
            post(std::move(payload));
        }
    }
    // Should the executor make room after this look, it posts a resume().
    paused_ = unhandled_bytes_.load() > kPeerQueueBytesMax;
}

void Link::post(std::string bytes) {
    const std::size_t size = bytes.size() + kMessageBytes;
    unhandled_bytes_ += size;
    inbox_->executor->post([self = shared_from_this(), size, bytes = std::move(bytes)]() mutable {
        if (self->inbox_->open)
            self->inbox_->on_message({self->address_, self->identity_}, std::move(bytes));
        const bool was_full = self->unhandled_bytes_.fetch_sub(size) > kPeerQueueBytesMax;
        if (!was_full) return;
        // Weak: the context may never run again, and must not own what owns it.
        asio::post(*self->io_, [weak = self->weak_from_this()] {
            if (const auto link = weak.lock()) link->resume();
        });
    });
}

void Link::resume() {
    if (!paused_ || phase_ == Phase::kClosed || unhandled_bytes_.load() > kPeerQueueBytesMax)
        return;
    paused_ = false;
    read();
}

Result<void> Link::enqueue(std::string frame, OnSent on_sent) {
    if (ended_)
        return Error(ErrorCode::kUnavailable, "the peer does not answer").with("peer", address_);
    if (queued_bytes_ + frame.size() > kPeerQueueBytesMax)
        return Error(ErrorCode::kOverloaded, "the queue to the peer is full")
            .with("peer", address_);
    queued_bytes_ += frame.size();
    queue_.push_back({std::move(frame), std::move(on_sent)});
    return {};
}

void Link::kick() {
    if (phase_ == Phase::kOpen) write();
}

/// As much of the queue as fits into one write; before the link is open, what the handshake says.
void Link::write() {
    if (writing_ || phase_ == Phase::kClosed) return;
    std::string bytes;
    std::vector<OnSent> sent;
    if (phase_ == Phase::kOpen) {
        const std::lock_guard lock(host_.mutex());
        while (!queue_.empty() && bytes.size() < kWriteBytes) {
            Outgoing next = std::move(queue_.front());
            queue_.pop_front();
            queued_bytes_ -= next.frame.size();
            bytes += next.frame;
            if (next.on_sent) sent.push_back(std::move(next.on_sent));
        }
    }
    if (tls_ != nullptr) {
        if (!bytes.empty()) {
            if (auto encrypted = tls_->send(bytes); !encrypted.ok())
                return close(encrypted.error());
        }
        bytes = tls_->take_output();
    }
    if (bytes.empty()) return;
    writing_ = true;
    current_ = std::move(bytes);
    current_sent_ = std::move(sent);
    asio::async_write(socket_, asio::buffer(current_),
                      unless_closed([](Link& self, std::size_t) { self.written(); }));
}

void Link::written() {
    writing_ = false;
    report(std::move(current_sent_), true);
    current_sent_.clear();
    write();
}

void Link::report(std::vector<OnSent> each, bool sent) {
    if (each.empty()) return;
    inbox_->executor->post([inbox = inbox_, each = std::move(each), sent]() mutable {
        for (OnSent& on_sent : each)
            if (inbox->open) on_sent(sent);
    });
}

void Link::close(const Error& why) {
    if (phase_ == Phase::kClosed) return;
    phase_ = Phase::kClosed;
    resolver_.cancel();
    timer_.cancel();
    ErrorNumber ignored;
    socket_.close(ignored);
    std::vector<OnSent> lost = std::move(current_sent_);
    {
        const std::lock_guard lock(host_.mutex());
        ended_ = true;
        for (Outgoing& each : queue_)
            if (each.on_sent) lost.push_back(std::move(each.on_sent));
        queue_.clear();
        queued_bytes_ = 0;
    }
    report(std::move(lost), false);
    host_.on_closed(shared_from_this(), why);
}

}  // namespace tidal::runtime::internal
