// http/http_server.h: the HTTP/1.1 server core. Bytes on a socket <-> Request and Response; no
// routes.
//
// Boost.Asio and Beast are behind it (http_server.cc, internal/). Replies of one connection keep
// the order of their requests. Requests are handled one after the other, each when the one before
// it is answered, so a write is seen by what follows it; only requests that the handler lets
// overlap (small writes) are handed over while those before them are still under way.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "http/message.h"
#include "runtime/runtime.h"

namespace tidal::http {

class Exchange;

/// The body of a streamed reply, sent as it is written. Move-only. Threads: one at a time, any.
/// Destroyed unfinished, it cuts the connection, so that the client sees that something is missing.
class ResponseWriter {
public:
    explicit ResponseWriter(std::shared_ptr<Exchange> exchange);
    ResponseWriter(ResponseWriter&&) noexcept = default;
    ResponseWriter& operator=(ResponseWriter&&) noexcept;
    ~ResponseWriter();

    /// True once the bytes are with the operating system; false when the client is gone.
    using Done = absl::AnyInvocable<void(bool)>;
    /// Queues bytes. Writing on only after `done` keeps memory bounded; `done` runs on an I/O
    /// thread.
    void write(std::string bytes, Done done = nullptr);
    void finish();

private:
    std::shared_ptr<Exchange> exchange_;
};

/// Answers one request, once, from any thread, now or later. Move-only. Destroyed without an
/// answer, it answers 500. After the connection is gone an answer goes nowhere.
class Responder {
public:
    explicit Responder(std::shared_ptr<Exchange> exchange);
    Responder(Responder&&) noexcept = default;
    Responder& operator=(Responder&&) noexcept;
    ~Responder();

    void send(Response response);
    /// problem+json.
    void fail(const Error& error);
    /// Runs `work`, which gets this responder back, on the I/O thread of the request: here and now
    /// where that is this thread. Dropped once the server has stopped.
    using Work = absl::AnyInvocable<void(Responder)>;
    void go_on(Work work);
    /// Sends the head (its body must be empty) and leaves the body to the writer.
    ResponseWriter stream(Response head);

private:
    std::shared_ptr<Exchange> exchange_;
};

/// Asks for the next piece of a streamed request body. Call it once, from any thread, now or later;
/// destroyed uncalled, the rest of the body is not wanted: it is dropped and the connection closes
/// after the reply.
class ReadNext {
public:
    explicit ReadNext(std::shared_ptr<Exchange> exchange, bool last = false);
    ReadNext(ReadNext&&) noexcept = default;
    ReadNext& operator=(ReadNext&&) noexcept;
    ~ReadNext();
    void operator()();
    /// The body is known to end with this piece: on_end() is next. Never of a packed body.
    bool is_last() const { return last_; }

private:
    std::shared_ptr<Exchange> exchange_;
    bool last_ = false;
};

/// Receives a streamed request body on an I/O thread, so it must not block: pass the work on and
/// call `next` when done. Ends with exactly one of on_end and on_error, unless the sink itself
/// wants no more (ReadNext) or has answered in full.
class BodySink {
public:
    virtual ~BodySink() = default;
    /// At most 64 KiB at a time, cut anywhere; what has come by then is one piece.
    virtual void on_chunk(std::string bytes, ReadNext next) = 0;
    virtual void on_end() = 0;
    /// kInvalidArgument (malformed), kTimeout, kUnavailable (the client went, or the server stops).
    /// May come while `next` of an earlier chunk is still held.
    virtual void on_error(const Error& error) = 0;
};

/// What to do with a request, decided when its head is complete.
struct Admission {
    enum class Body : std::uint8_t { kWhole, kStream };
    Body body = Body::kWhole;
    /// May be handled while neighbours that overlap as well are not answered yet; handle() is still
    /// called in the order of the requests. Heeded for small whole bodies of declared size.
    bool overlaps = false;
    /// Answered at once; the body is not wanted.
    std::optional<Response> refusal;
};

/// One request and the way to answer it.
struct Call {
    Request request;
    Responder responder;
};

/// Called on I/O threads; must not block. Threads: any, at the same time for other connections.
class RequestHandler {
public:
    virtual ~RequestHandler() = default;
    /// `request` has everything but its body; `parameters` and `route` may be filled in.
    virtual Admission admit(Request& request) = 0;
    /// Both are the handler's to take; what it leaves of `request` is gone when it returns.
    virtual void handle(Request&& request, Responder&& responder) = 0;
    /// Requests of one connection that overlap and came together, in their order.
    virtual void handle_together(std::vector<Call> calls) {
        for (Call& call : calls) handle(std::move(call.request), std::move(call.responder));
    }
    /// After admit() said kStream. Never null. The reply may begin before the body ends.
    virtual std::shared_ptr<BodySink> stream(Request request, Responder responder) = 0;
};

struct ServerLimits {
    std::size_t body_bytes_max = 16 * 1024 * 1024;  ///< Of bodies that are not streamed; then 413.
    std::size_t header_bytes_max = 16 * 1024;       ///< With the request line; then 431.
    std::uint32_t header_timeout_ms = 10'000;       ///< From its first byte to its last; then 408.
    std::uint32_t body_timeout_ms = 30'000;         ///< Whole, or between two pieces when streamed.
    std::uint32_t idle_timeout_ms = 120'000;        ///< Between requests; then closed.
    std::uint32_t write_timeout_ms = 30'000;        ///< Without any progress; then closed.
    std::uint32_t connections_max = 10'000;         ///< Then 503 and closed.
};

struct ServerOptions {
    std::string listen = "127.0.0.1:9500";  ///< Literal address or "localhost"; port 0 = any free.
    /// Accepts to listen on an address that is not loopback.
    bool insecure = false;
    /// The handler checks credentials, so web pages of others can do no harm: turns off the guard
    /// against foreign Host, Origin and form content types on loopback.
    bool authenticated = false;
    unsigned io_threads = 1;
    ServerLimits limits;
};

/// Threads: stop() and the accessors from any thread but the server's own.
class Server {
public:
    /// Listens and serves until stop(). `handler` outlives the server.
    /// @return kInvalidArgument for an address that is none or needs `insecure`; kConflict when it
    ///         is in use; kForbidden when the port is reserved; kIo otherwise.
    static Result<std::unique_ptr<Server>> start(const ServerOptions& options,
                                                 runtime::Runtime& runtime, RequestHandler& handler,
                                                 const Logger& logger = {},
                                                 Metrics* metrics = nullptr);
    virtual ~Server() = default;

    virtual std::uint16_t port() const = 0;
    /// "127.0.0.1:9500", with the port really bound.
    virtual const std::string& address() const = 0;
    /// Accepts nothing new, closes idle connections, lets requests under way finish for
    /// `deadline_ms`, then cuts the rest. Returns when all threads have ended. Idempotent.
    virtual void stop(std::uint32_t deadline_ms) = 0;
};

}  // namespace tidal::http
