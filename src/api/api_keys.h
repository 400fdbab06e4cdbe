// api/api_keys.h: keys by which clients show who they are. Kept hashed in the metadata shard.
#pragma once

#include <string>
#include <string_view>

#include "base/hlc.h"
#include "base/result.h"
#include "cluster/member_texts.h"

namespace tidal::api {

/// What the holder may do; each includes those before it: kReader, kWriter, kAdmin.
using KeyRole = cluster::ApiRole;
/// "reader", "writer", "admin".
std::string_view key_role_name(KeyRole role);
/// kInvalidArgument of field `role`.
Result<KeyRole> parse_key_role(std::string_view name);

struct ApiKeyInfo {
    std::string name;  ///< Unique, for ever; 1 to 63 bytes of [a-z0-9_-].
    KeyRole role = KeyRole::kReader;
    UnixMillis created_ms = 0;
    bool operator==(const ApiKeyInfo&) const = default;
};
struct NewApiKey {
    ApiKeyInfo info;
    std::string key;  ///< "tdk1.…": shown this once; only its SHA-256 is kept.
};

}  // namespace tidal::api
