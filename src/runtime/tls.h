// runtime/tls.h: who a node is to its peers, and whom it believes. Real network only.
#pragma once

#include <cstdint>
#include <string>

namespace tidal::runtime {

/// TLS 1.3, both sides with a certificate of the same authority. What a certificate names is its
/// first subjectAltName of kind URI. docs/decisions/0030-tls-below-the-frames.md.
struct TlsOptions {
    std::string authority;    ///< PEM of the only certificate believed. Empty: by `pin`.
    std::string certificate;  ///< PEM. Empty: a client without one, that takes no connections.
    std::string key;          ///< PEM of the certificate's key.
    /// Without an authority: 32 bytes, SHA-256 of the DER form of the authority's certificate,
    /// which the other side sends along.
    std::string pin;
    /// Takes connections of clients without certificate, too: their messages carry no identity.
    bool accept_anonymous = false;
};

}  // namespace tidal::runtime
