// cluster/rpc.h: calls from node to node, over PeerTransport's channel of forwarded requests. On
// the wire: docs/formats/peer.md, "Calls".
//
//     rpc.serve(RpcMethod(1), [](RpcRequest request, Rpc::Reply reply) { reply(answer_to(request));
//     }); rpc.call(NodeId(2), RpcMethod(1), bytes, 10'000, [](Result<std::string> answer) { … });
//
// A call is executed at most once, however often the network repeats it; and its `done` is called
// once. Where that is with an error of this node it says whether anything may have happened: reason
// "not_sent" (kUnavailable, kOverloaded, kTooLarge: it has not) or "fate_unknown" (kTimeout: it
// may have, or may still).
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "cluster/peer_transport.h"
#include "cluster/types.h"
#include "runtime/runtime.h"

namespace tidal::cluster {

/// What is asked for. Numbers are part of the wire format.
using RpcMethod = Id<struct RpcMethodTag, std::uint16_t>;

struct RpcRequest {
    NodeId from;
    std::string bytes;
    std::uint64_t timeout_ms = 0;  ///< What the caller still waits, more or less.
};

/// Threads    Any, but where said. Handlers and `done` run on the executor, or `done` on the
/// caller's
///            thread when nothing could be sent.
/// Memory     waiting_bytes_max of requests without an answer, counted here; as much of requests
///            being served: more are refused.
/// Lifetime   Borrows all it is given. stop() before the transport goes.
class Rpc {
public:
    using Done = absl::AnyInvocable<void(Result<std::string>)>;
    /// Once, from any thread; destroyed uncalled it answers kTimeout "dropped". Errors reach the
    /// caller with everything they say.
    using Reply = absl::AnyInvocable<void(Result<std::string>)>;
    using Handler = absl::AnyInvocable<void(RpcRequest, Reply)>;

    struct Options {
        std::size_t waiting_bytes_max = 64 << 20;
        std::size_t serving_bytes_max = 64 << 20;
        std::uint64_t timeout_ms_max = 600'000;
    };

    Rpc(PeerTransport& transport, runtime::Runtime& runtime, runtime::Executor& executor,
        Options options);
    ~Rpc();
    Rpc(const Rpc&) = delete;
    Rpc& operator=(const Rpc&) = delete;

    /// Before messages arrive.
    void serve(RpcMethod method, Handler handler);

    void call(NodeId to, RpcMethod method, std::string request, std::uint64_t timeout_ms,
              Done done);

    /// What arrived on Channel::kRpc. Executor.
    void receive(NodeId from, std::string bytes);
    /// What was sent there may be lost: calls end as "fate_unknown". Executor.
    void peer_down(NodeId node);
    /// Ends all calls; nothing is called afterwards but their `done`. Idempotent.
    void stop();

    struct Stats {
        std::uint64_t calls = 0, answered = 0, timed_out = 0, lost = 0, not_sent = 0;
        std::uint64_t served = 0, refused = 0;  ///< Of others.
        std::uint64_t late = 0, repeated = 0;   ///< Answers, requests: dropped.
        std::uint64_t malformed = 0;
        std::size_t waiting = 0, waiting_bytes = 0, serving_bytes = 0;  ///< Now.
    };
    Stats stats() const;

private:
    class Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace tidal::cluster
