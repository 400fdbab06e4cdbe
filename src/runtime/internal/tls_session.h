// runtime/internal/tls_session.h: one side of a TLS connection between memory and memory: bytes of
// the socket on one side, bytes of the application on the other. No sockets, no waiting.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/tls.h"

namespace tidal::runtime::internal {

enum class TlsRole : std::uint8_t { kClient, kServer };

/// Keys and rules shared by the sessions of an endpoint. Threads: any.
class TlsContext {
public:
    /// kInvalidArgument naming the option that is wrong.
    static Result<std::shared_ptr<TlsContext>> create(const TlsOptions& options);
    virtual ~TlsContext() = default;
    virtual const TlsOptions& options() const = 0;
};

/// Threads: one at a time.
class TlsSession {
public:
    static std::unique_ptr<TlsSession> create(std::shared_ptr<TlsContext> context, TlsRole role);
    virtual ~TlsSession() = default;

    /// Takes bytes of the socket (none begins a client's handshake) and appends what the peer said
    /// to `plain`. After an error the session is of no use, but take_output() may hold the alert
    /// that tells the peer why.
    /// @return kUnauthenticated  the handshake failed: no TLS, no or a wrong certificate.
    ///         kCorruption  a record that was changed on the way. kUnavailable  the peer closed.
    virtual Result<void> receive(std::string_view bytes, std::string* plain) = 0;
    /// Only once established().
    virtual Result<void> send(std::string_view plain) = 0;
    /// Bytes for the socket, since the last call.
    virtual std::string take_output() = 0;
    virtual bool established() const = 0;
    /// Once established; empty for a client without certificate.
    virtual const std::string& peer_identity() const = 0;
};

}  // namespace tidal::runtime::internal
