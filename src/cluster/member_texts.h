// cluster/member_texts.h: what a cluster knows of itself, as texts of the catalogue in its metadata
// shard: members, join tokens, API keys. Format: docs/formats/member-texts.md.
#pragma once

#include <string>
#include <string_view>

#include "base/hlc.h"
#include "base/result.h"
#include "cluster/types.h"

namespace tidal::cluster {

enum class MemberState : std::uint8_t {
    kJoining,  ///< Has its number; nothing has been heard of it yet.
    kActive,
    kLeaving,  ///< Its groups let it go.
    kLeft,     ///< For good: only its number is still of interest.
};
/// "joining", "active", "leaving", "left".
std::string_view member_state_name(MemberState state);

/// A node of the cluster. CatalogKind::kMember, under the name member_name().
struct Member {
    NodeId node;
    std::string instance_id;  ///< 32 hex digits.
    RegionId region = kFirstRegion;
    std::string peer_address;  ///< HOST:PORT, 1 to 255 printable characters, for other nodes.
    std::string http_address;  ///< Likewise, for clients; empty = it takes none.
    MemberState state = MemberState::kJoining;
    UnixMillis joined_ms = 0;
    /// Is leaving, or has left.
    bool goes() const { return state == MemberState::kLeaving || state == MemberState::kLeft; }
    bool operator==(const Member&) const = default;
};
/// The number in decimal.
std::string member_name(NodeId node);
/// kCorruption when it is no such name.
Result<NodeId> parse_member_name(std::string_view name);

/// What the cluster keeps of a JoinToken. CatalogKind::kJoinToken, under the name
/// join_token_name(). A used one is kept until it expires: the same node may have missed the
/// answer.
struct JoinTokenRecord {
    std::uint64_t id = 0;
    std::string key;  ///< kJoinKeyBytes, secret.
    UnixMillis expires_ms = 0;
    NodeId used_by;     ///< The number it was good for; kNoNode = not yet.
    std::string nonce;  ///< 16 bytes: of the request that used it. Empty = not yet.
    bool operator==(const JoinTokenRecord&) const = default;
};
/// 16 hex digits.
std::string join_token_name(std::uint64_t id);

enum class ApiRole : std::uint8_t { kReader, kWriter, kAdmin };
/// "reader", "writer", "admin".
std::string_view api_role_name(ApiRole role);

/// CatalogKind::kApiKey, under its id.
struct ApiKeyRecord {
    std::string id;    ///< 1 to 63 of [a-z0-9_-].
    std::string hash;  ///< SHA-256 of the key, 32 bytes: the key itself is kept nowhere.
    ApiRole role = ApiRole::kReader;
    UnixMillis created_ms = 0;
    UnixMillis expires_ms = 0;  ///< 0 = never.
    bool operator==(const ApiKeyRecord&) const = default;
};

/// What a text cannot carry: kInvalidArgument names the field. To be asked before print_*() of
/// values that others gave.
Result<void> check_member(const Member& member);
Result<void> check_join_token(const JoinTokenRecord& token);
Result<void> check_api_key(const ApiKeyRecord& key);

/// One "key value" line per field, in one order.
std::string print_member(const Member& member);
std::string print_join_token_record(const JoinTokenRecord& token);
std::string print_api_key(const ApiKeyRecord& key);

/// Accept what print_*() writes, and nothing else.
/// @return kIncompatible  a key not known here, as a later version may write; kCorruption.
Result<Member> parse_member(std::string_view text);
Result<JoinTokenRecord> parse_join_token_record(std::string_view text);
Result<ApiKeyRecord> parse_api_key(std::string_view text);

}  // namespace tidal::cluster
