#include "cluster/rpc.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "cluster/error_codec.h"
#include "cluster/internal/rpc_message.h"

namespace tidal::cluster {
namespace {

using internal::encode_rpc;
using internal::RpcKind;
using internal::RpcMessage;

// Calls of one peer may overtake each other by so many numbers; older ones are taken for repeats.
constexpr std::size_t kNumbersKept = 4096;

std::uint64_t ns_of(std::uint64_t ms) {
    return ms * 1'000'000;
}

/// Answers a little before the caller gives up, so that slowness is not taken for silence.
std::uint64_t serving_ms(std::uint64_t timeout_ms) {
    return timeout_ms - std::min<std::uint64_t>(timeout_ms / 10, 200);
}

Error fate_unknown(NodeId node, std::string_view what) {
    return Error(ErrorCode::kTimeout,
                 std::string(what) + "; what was asked may be done all the same")
        .with_reason("fate_unknown")
        .with("node", node.value());
}

/// Which calls of one peer were seen.
class Seen {
public:
    /// False for a repeat.
    bool first_time(std::uint64_t life, std::uint64_t number) {
        if (life != life_) *this = Seen(life);
        if (number <= floor_ || !numbers_.insert(number).second) return false;
        while (numbers_.size() > kNumbersKept ||
               (!numbers_.empty() && *numbers_.begin() == floor_ + 1)) {
            floor_ = *numbers_.begin();
            numbers_.erase(numbers_.begin());
        }
        return true;
    }

    Seen() = default;

private:
    explicit Seen(std::uint64_t life) : life_(life) {}
    std::uint64_t life_ = 0;
    std::uint64_t floor_ = 0;  ///< All up to it were seen, or are too old.
    std::set<std::uint64_t> numbers_;
};

}  // namespace

class Rpc::Impl : public std::enable_shared_from_this<Impl> {
public:
    Impl(PeerTransport& transport, runtime::Runtime& runtime, runtime::Executor& executor,
         Options options)
        : transport_(transport),
          executor_(executor),
          options_(options),
          life_(runtime.random().u64()) {}

    void serve(RpcMethod method, Handler handler) { handlers_[method] = std::move(handler); }
    void call(NodeId to, RpcMethod method, std::string request, std::uint64_t timeout_ms,
              Done done);
    void receive(NodeId from, std::string bytes);
    void peer_down(NodeId node);
    void stop();
    Stats stats() const;

private:
    struct Waiting {
        NodeId to;
        std::size_t bytes = 0;
        runtime::Executor::TimerId timer = 0;
        Done done;
    };
    using Key = std::pair<NodeId, std::uint64_t>;

    /// What a handler holds: answers once.
    struct Answering {
        std::weak_ptr<Impl> impl;
        NodeId to;
        std::uint64_t life = 0, number = 0;
        std::size_t bytes = 0;
        runtime::Executor::TimerId timer = 0;
        std::atomic<bool> answered = false;

        void answer(Result<std::string> result) {
            if (answered.exchange(true)) return;
            if (const auto self = impl.lock()) self->send_answer(*this, std::move(result));
        }
    };

    Result<void> admit(NodeId to, const std::string& request, std::uint64_t* number);
    void send_answer(Answering& call, Result<std::string> result);
    void take_request(NodeId from, const RpcMessage& message);
    void take_answer(NodeId from, const RpcMessage& message);
    Result<void> begin_serving(NodeId from, const RpcMessage& message, bool* repeated);
    bool take(const Key& key, Waiting* out);
    void timed_out(const Key& key);

    PeerTransport& transport_;
    runtime::Executor& executor_;
    const Options options_;
    const std::uint64_t life_;
    std::map<RpcMethod, Handler> handlers_;  // Fixed before messages arrive.

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::map<NodeId, std::uint64_t> numbers_;  ///< The newest call to each.
    std::map<Key, Waiting> waiting_;
    std::map<NodeId, Seen> seen_;
    Stats stats_;
    bool stopped_ = false;
};

// --- calls ------------------------------------------------------------------------------------

Result<void> Rpc::Impl::admit(NodeId to, const std::string& request, std::uint64_t* number) {
    const std::lock_guard lock(mutex_);
    if (stopped_) return Error(ErrorCode::kUnavailable, "the node stops").with_reason("not_sent");
    if (stats_.waiting_bytes + request.size() > options_.waiting_bytes_max)
        return Error(ErrorCode::kOverloaded, "too much waits for other nodes")
            .with_reason("not_sent")
            .with("bytes", stats_.waiting_bytes);
    *number = ++numbers_[to];
    stats_.waiting_bytes += request.size();
    ++stats_.waiting;
    ++stats_.calls;
    waiting_[{to, *number}] = {to, request.size(), 0, nullptr};
    return {};
}

void Rpc::Impl::call(NodeId to, RpcMethod method, std::string request, std::uint64_t timeout_ms,
                     Done done) {
    timeout_ms = std::clamp<std::uint64_t>(timeout_ms, 1, options_.timeout_ms_max);
    std::uint64_t number = 0;
    Result<void> allowed = transport_.allow_call(to);
    const bool to_report = allowed.ok();
    if (allowed.ok()) allowed = admit(to, request, &number);
    if (!allowed.ok()) {
        if (to_report) transport_.report_call(to, true);  // It was not the peer's fault.
        Error error = allowed.take_error();
        return done(std::move(error).with_reason("not_sent"));
    }
    const Key key(to, number);
    {
        std::unique_lock lock(mutex_);
        const auto at = waiting_.find(key);
        if (at == waiting_.end()) {  // stop() came between
            lock.unlock();
            return done(Error(ErrorCode::kUnavailable, "the node stops").with_reason("not_sent"));
        }
        at->second.done = std::move(done);
        at->second.timer = executor_.post_after(ns_of(timeout_ms), [weak = weak_from_this(), key] {
            if (const auto self = weak.lock()) self->timed_out(key);
        });
    }
    const auto sent =
        transport_.send(to, Channel::kRpc,
                        encode_rpc({RpcKind::kRequest, life_, number, method,
                                    static_cast<std::uint32_t>(timeout_ms), request}));
    if (sent.ok()) return;
    Waiting waiting;
    if (!take(key, &waiting)) return;
    transport_.report_call(to, true);
    {
        const std::lock_guard lock(mutex_);
        ++stats_.not_sent;
    }
    waiting.done(Error(sent.error()).with_reason("not_sent"));
}

bool Rpc::Impl::take(const Key& key, Waiting* out) {
    const std::lock_guard lock(mutex_);
    const auto at = waiting_.find(key);
    if (at == waiting_.end() || !at->second.done) return false;
    *out = std::move(at->second);
    waiting_.erase(at);
    stats_.waiting_bytes -= out->bytes;
    --stats_.waiting;
    executor_.cancel(out->timer);
    return true;
}

void Rpc::Impl::timed_out(const Key& key) {
    Waiting waiting;
    if (!take(key, &waiting)) return;
    {
        const std::lock_guard lock(mutex_);
        ++stats_.timed_out;
    }
    transport_.report_call(key.first, false);
    waiting.done(fate_unknown(key.first, "the node did not answer in time"));
}

void Rpc::Impl::peer_down(NodeId node) {
    std::vector<Key> keys;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [key, waiting] : waiting_)
            if (waiting.to == node) keys.push_back(key);
    }
    for (const Key& key : keys) {
        Waiting waiting;
        if (!take(key, &waiting)) continue;
        {
            const std::lock_guard lock(mutex_);
            ++stats_.lost;
        }
        transport_.report_call(node, false);
        waiting.done(fate_unknown(node, "the connection to the node was lost"));
    }
}

void Rpc::Impl::take_answer(NodeId from, const RpcMessage& message) {
    Waiting waiting;
    if (message.life != life_ || !take({from, message.number}, &waiting)) {
        const std::lock_guard lock(mutex_);
        ++stats_.late;
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        ++stats_.answered;
    }
    transport_.report_call(from, true);
    if (message.kind == RpcKind::kAnswer) return waiting.done(std::string(message.bytes));
    Decoder in(message.bytes);
    waiting.done(decode_error(&in));
}

// --- served -----------------------------------------------------------------------------------

void Rpc::Impl::receive(NodeId from, std::string bytes) {
    const auto message = internal::decode_rpc(bytes);
    if (!message.ok()) {
        const std::lock_guard lock(mutex_);
        ++stats_.malformed;
        return;
    }
    if (message->kind == RpcKind::kRequest) {
        take_request(from, *message);
    } else {
        take_answer(from, *message);
    }
}

Result<void> Rpc::Impl::begin_serving(NodeId from, const RpcMessage& message, bool* repeated) {
    const std::lock_guard lock(mutex_);
    *repeated = stopped_ || !seen_[from].first_time(message.life, message.number);
    if (*repeated) {
        ++stats_.repeated;
        return {};
    }
    if (stats_.serving_bytes + message.bytes.size() > options_.serving_bytes_max) {
        ++stats_.refused;
        return Error(ErrorCode::kOverloaded, "the node serves too much for others")
            .with_reason("not_sent");
    }
    ++stats_.served;
    stats_.serving_bytes += message.bytes.size();
    return {};
}

void Rpc::Impl::take_request(NodeId from, const RpcMessage& message) {
    bool repeated = false;
    const Result<void> admitted = begin_serving(from, message, &repeated);
    if (repeated) return;
    auto call = std::make_shared<Answering>();
    call->impl = weak_from_this();
    call->to = from;
    call->life = message.life;
    call->number = message.number;
    if (!admitted.ok()) return call->answer(Error(admitted.error()));
    call->bytes = message.bytes.size();
    const auto handler = handlers_.find(message.method);
    if (handler == handlers_.end())
        return call->answer(Error(ErrorCode::kUnsupported, "the node does not know this call")
                                .with_reason("unknown_method")
                                .with("method", message.method.value()));
    call->timer = executor_.post_after(ns_of(serving_ms(message.timeout_ms)), [call, from] {
        call->answer(fate_unknown(from, "not done in time"));
    });
    struct Once {
        std::shared_ptr<Answering> call;
        explicit Once(std::shared_ptr<Answering> c) : call(std::move(c)) {}
        Once(Once&&) noexcept = default;
        ~Once() {
            if (call)
                call->answer(Error(ErrorCode::kTimeout, "dropped without an answer; it may be done")
                                 .with_reason("dropped"));
        }
        void operator()(Result<std::string> result) {
            std::exchange(call, nullptr)->answer(std::move(result));
        }
    };
    handler->second({from, std::string(message.bytes), message.timeout_ms}, Once(std::move(call)));
}

void Rpc::Impl::send_answer(Answering& call, Result<std::string> result) {
    std::string bytes;
    if (!result.ok()) {
        Encoder out;
        encode_error(result.error(), &out);
        bytes = out.take();
    } else {
        bytes = std::move(*result);
    }
    const RpcKind kind = result.ok() ? RpcKind::kAnswer : RpcKind::kError;
    // Held while sending: after stop() the transport may be gone.
    const std::lock_guard lock(mutex_);
    stats_.serving_bytes -= call.bytes;
    if (stopped_) return;
    if (call.timer != 0) executor_.cancel(call.timer);
    // An answer that finds no room is lost: the caller's deadline ends its call.
    (void)transport_.send(call.to, Channel::kRpc,
                          encode_rpc({kind, call.life, call.number, {}, 0, bytes}));
}

void Rpc::Impl::stop() {
    std::map<Key, Waiting> waiting;
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(stopped_, true)) return;
        waiting.swap(waiting_);
        stats_.waiting = stats_.waiting_bytes = 0;
    }
    for (auto& [key, each] : waiting) {
        executor_.cancel(each.timer);
        if (each.done) each.done(fate_unknown(key.first, "the node stops"));
    }
}

Rpc::Stats Rpc::Impl::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

Rpc::Rpc(PeerTransport& transport, runtime::Runtime& runtime, runtime::Executor& executor,
         Options options)
    : impl_(std::make_shared<Impl>(transport, runtime, executor, options)) {}
Rpc::~Rpc() {
    impl_->stop();
}
void Rpc::serve(RpcMethod method, Handler handler) {
    impl_->serve(method, std::move(handler));
}
void Rpc::call(NodeId to, RpcMethod method, std::string request, std::uint64_t timeout_ms,
               Done done) {
    impl_->call(to, method, std::move(request), timeout_ms, std::move(done));
}
void Rpc::receive(NodeId from, std::string bytes) {
    impl_->receive(from, std::move(bytes));
}
void Rpc::peer_down(NodeId node) {
    impl_->peer_down(node);
}
void Rpc::stop() {
    impl_->stop();
}
Rpc::Stats Rpc::stats() const {
    return impl_->stats();
}

}  // namespace tidal::cluster
