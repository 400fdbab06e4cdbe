// runtime/network.h: the only door to other nodes. Whole messages between named endpoints.
//
// Delivery is "at most once, perhaps": a message may be lost, late, out of order with messages of
// another connection, or (simulated, and after retries of the sender) repeated. A protocol above
// that needs more says so with its own numbers. What arrives is what was sent, by checksum.
// Wire format: docs/formats/network-frame.md.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/executor.h"
#include "runtime/tls.h"

namespace tidal::runtime {

inline constexpr std::size_t kMessageBytesMax = 16ULL << 20;
/// Waiting for one peer; and received but not yet handled, per connection.
inline constexpr std::size_t kPeerQueueBytesMax = 64ULL << 20;

/// Who sent a message; valid during the call.
struct Sender {
    /// Where answers go. A client without certificate has a name of its connection here: answers
    /// reach it as long as that lives.
    std::string_view address;
    /// What its certificate names (TlsOptions). Empty without TLS and for a client without one.
    std::string_view identity;
};
/// Runs on the endpoint's executor.
using OnMessage = absl::AnyInvocable<void(const Sender& from, std::string bytes)>;
/// Runs on the endpoint's executor, once: true when the bytes are with the operating system, false
/// when they are known to be lost. True promises nothing about arrival.
using OnSent = absl::AnyInvocable<void(bool)>;

struct EndpointOptions {
    std::string address;     ///< "host:port" to listen at; port 0 takes a free one.
    std::string advertised;  ///< Where peers reach it, when that is another address.
    /// Real network: nothing but TLS goes in or out. Simulated: not looked at, identities are
    /// empty.
    std::shared_ptr<const TlsOptions> tls;
};

struct EndpointStats {
    std::uint64_t connections = 0;  ///< Open now, either side's.
    std::uint64_t dialed = 0, accepted = 0;
    std::uint64_t refused = 0;   ///< Connections ended for what arrived on them.
    std::string newest_refusal;  ///< Why; empty = none yet.
};

/// A place messages arrive at and leave from. Destroy it on its executor, or after that executor
/// has stopped: neither on_message nor on_sent runs afterwards.
class Endpoint {
public:
    virtual ~Endpoint() = default;
    /// The advertised address, with the port actually taken.
    virtual const std::string& address() const = 0;
    /// Queues one message. Any thread; does not block.
    /// @return kTooLarge above kMessageBytesMax; kOverloaded when the peer's queue is full;
    ///         kUnavailable while the peer is known not to answer; kInvalidArgument for a bad
    ///         address. Success promises nothing about arrival.
    /// @param on_sent  Optional; called only after success.
    virtual Result<void> send(std::string_view to, std::string bytes, OnSent on_sent) = 0;
    Result<void> send(std::string_view to, std::string bytes) {
        return send(to, std::move(bytes), nullptr);
    }
    /// Gives up the connection to a peer that has fallen silent: what is queued is lost, and the
    /// next send() makes a new one. Any thread. Nothing in simulation.
    virtual void disconnect(std::string_view to) = 0;
    /// Any thread. All zero in simulation.
    virtual EndpointStats stats() = 0;
};

/// Threads: any.
class Network {
public:
    virtual ~Network() = default;
    /// @param executor  Must outlive the endpoint.
    /// @return kInvalidArgument for a bad address or TLS options that do not fit together,
    ///         kConflict when the address is taken, kIo otherwise.
    virtual Result<std::unique_ptr<Endpoint>> listen(const EndpointOptions& options,
                                                     Executor& executor, OnMessage on_message) = 0;
};

}  // namespace tidal::runtime
