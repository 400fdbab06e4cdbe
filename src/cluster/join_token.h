// cluster/join_token.h: what an operator carries from a cluster to a new node, as one line of text.
// docs/decisions/0031-joining-by-token.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hlc.h"
#include "base/result.h"

namespace tidal::cluster {

inline constexpr std::size_t kJoinKeyBytes = 32;
inline constexpr std::string_view kJoinTokenPrefix = "tdj1.";

/// Whoever has it may join once, until it expires: keep it as a password.
struct JoinToken {
    std::uint64_t id = 0;        ///< Names it in the cluster's books.
    std::string key;             ///< kJoinKeyBytes, from runtime::secret_bytes().
    std::string cluster_id;      ///< 32 hex digits.
    std::string authority_hash;  ///< certificate_hash() of the cluster's authority.
    UnixMillis expires_ms = 0;   ///< By the cluster's clock.
    bool operator==(const JoinToken&) const = default;
};

/// "tdj1." and 139 characters of base64url.
std::string print_join_token(const JoinToken& token);
/// Spaces and line ends around it do not matter.
/// @return kInvalidArgument  not a token, or one of which a part is missing or changed.
Result<JoinToken> parse_join_token(std::string_view text);

}  // namespace tidal::cluster
