// cluster/join.h: the two messages by which a node joins a cluster. Pure: the caller carries them
// (PeerTransport's join packets). Formats and reasons: docs/decisions/0031-joining-by-token.md,
// docs/formats/join.md.
//
// The key of the token never travels. It vouches for the request (HMAC-SHA-256) and seals the
// answer (AES-256-GCM), which holds the cluster's secrets: whoever listens or sits in between
// learns and changes nothing, with or without TLS.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/join_token.h"
#include "cluster/types.h"

namespace tidal::cluster {

struct JoinRequest {
    std::uint64_t token_id = 0;
    std::string nonce;        ///< 16 bytes, random; the same when a request is sent again.
    std::string instance_id;  ///< 32 hex digits, of the new data directory.
    RegionId region = kFirstRegion;
    std::string public_key;  ///< PEM; its other half stays with the new node.
    std::string address;     ///< Where other nodes will reach it.
    std::string http_address;
    bool operator==(const JoinRequest&) const = default;
};

struct JoinPeer {
    NodeId node;
    std::string address;
    bool operator==(const JoinPeer&) const = default;
};
struct JoinAccepted {
    NodeIdentity identity;
    std::string secret;  ///< 64 hex digits, of the cluster (api/identity.h).
    std::uint16_t shards = 1;
    std::uint16_t replicas = 1;
    std::string authority;      ///< PEM, certificate.
    std::string authority_key;  ///< PEM: every node can let others in.
    std::string certificate;    ///< PEM, for the request's public key.
    std::vector<JoinPeer> peers;
    bool operator==(const JoinAccepted&) const = default;
};

std::string encode_join_request(const JoinRequest& request, std::string_view key);
/// Not yet believed: says whose key to look up. kCorruption.
Result<JoinRequest> decode_join_request(std::string_view bytes);
/// kUnauthenticated when the request was not made with this key.
Result<void> check_join_request(std::string_view bytes, std::string_view key);

/// @param request_bytes  What is answered: the answer opens for its sender only.
Result<std::string> seal_join_answer(const JoinAccepted& accepted, std::string_view request_bytes,
                                     std::string_view key);
/// Readable by all, and so without secrets.
std::string refuse_join(const Error& why);

/// @param request  As sent, with its bytes and the token it was made with.
/// @return the refusal's error (its code kUnauthenticated, kConflict or kUnavailable);
///         kUnauthenticated when the answer is not from the token's cluster, or its certificate
///         not for this node; kCorruption.
Result<JoinAccepted> open_join_answer(std::string_view bytes, const JoinToken& token,
                                      const JoinRequest& request, std::string_view request_bytes,
                                      UnixMillis now_ms);

}  // namespace tidal::cluster
