// cluster/certificates.h: the cluster's own certificate authority. Keys are ECDSA over P-256.
// Everything is PEM text; who keeps which file is docs/decisions/0031-joining-by-token.md.
#pragma once

#include <string>
#include <string_view>

#include "base/hlc.h"
#include "base/result.h"
#include "cluster/types.h"

namespace tidal::cluster {

struct KeyAndCertificate {
    std::string key;          ///< PEM, not encrypted: write it with mode 0600.
    std::string certificate;  ///< PEM.
};

inline constexpr std::int64_t kAuthorityDays = 3650 * 2;
inline constexpr std::int64_t kNodeCertificateDays = 3650;

/// A new authority for a cluster; it signs itself, and may sign nothing but nodes. Draws its key
/// from the operating system: never in simulation. kInternal when OpenSSL refuses.
Result<KeyAndCertificate> create_authority(const std::string& cluster_id, UnixMillis now_ms);

/// A new private key, PEM.
Result<std::string> create_key();
/// The public half of a private key, PEM. kInvalidArgument for anything else.
Result<std::string> public_key_of(const std::string& key);

/// A certificate for the holder of `public_key`, valid from an hour before now (clocks differ).
/// @return kInvalidArgument  the authority's key is not its certificate's, or a text is not PEM.
Result<std::string> issue_certificate(const KeyAndCertificate& authority,
                                      const std::string& public_key, const NodeIdentity& node,
                                      UnixMillis now_ms);

/// Checks a certificate as a peer would: signed by the authority, for this node, at this time.
/// @return kUnauthenticated  with what differs.
Result<void> check_certificate(const std::string& certificate, const std::string& authority,
                               const NodeIdentity& node, UnixMillis now_ms);

/// SHA-256 of a certificate's DER form: 32 bytes. kInvalidArgument.
Result<std::string> certificate_hash(const std::string& certificate);

}  // namespace tidal::cluster
