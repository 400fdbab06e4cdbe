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

namespace tidal::runtime {

inline constexpr std::size_t kMessageBytesMax = 16ULL << 20;
/// Waiting for one peer; and received but not yet handled, per connection.
inline constexpr std::size_t kPeerQueueBytesMax = 64ULL << 20;

/// Runs on the endpoint's executor. `from` is the address the sender is reached at.
using OnMessage = absl::AnyInvocable<void(std::string_view from, std::string bytes)>;

struct EndpointOptions {
    std::string address;     ///< "host:port" to listen at; port 0 takes a free one.
    std::string advertised;  ///< Where peers reach it, when that is another address.
};

/// A place messages arrive at and leave from. Destroy it on its executor, or after that executor
/// has stopped: on_message does not run afterwards.
class Endpoint {
public:
    virtual ~Endpoint() = default;
    /// The advertised address, with the port actually taken.
    virtual const std::string& address() const = 0;
    /// Queues one message. Any thread; does not block.
    /// @return kTooLarge above kMessageBytesMax; kOverloaded when the peer's queue is full;
    ///         kUnavailable while the peer is known not to answer; kInvalidArgument for a bad
    ///         address. Success promises nothing about arrival.
    virtual Result<void> send(std::string_view to, std::string bytes) = 0;
};

/// Threads: any.
class Network {
public:
    virtual ~Network() = default;
    /// @param executor  Must outlive the endpoint.
    /// @return kInvalidArgument for a bad address, kConflict when it is taken, kIo otherwise.
    virtual Result<std::unique_ptr<Endpoint>> listen(const EndpointOptions& options,
                                                     Executor& executor, OnMessage on_message) = 0;
};

}  // namespace tidal::runtime
