// api/session_policy.h: what sessions may do, as text. Language:
// docs/reference/sessions.md#policies.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "record/record.h"
#include "schema/schema.h"

namespace tidal::api {

inline constexpr std::string_view kDefaultPolicy = "default";
inline constexpr std::size_t kPolicyBytesMax = 16 * 1024;

/// What a text says; what it leaves out is as in the built-in policy.
struct PolicyRules {
    std::vector<std::string> signals;  ///< By name; empty = all.
    std::uint32_t per_minute = record::SessionLimits().per_minute;
    std::uint32_t burst = record::SessionLimits().burst;
    std::uint64_t duration_ms = record::SessionLimits().duration_ms;
    bool operator==(const PolicyRules&) const = default;
};

/// A policy of the catalogue, its newest version, or the built-in one.
struct StoredPolicy {
    std::string name;
    std::uint32_t version = 1;
    UnixMillis put_ms = 0;  ///< 0 = it is built in.
    std::string text;       ///< As it was put.
    PolicyRules rules;
};

/// One rule a line, each once: "signals view, like", "per_minute 120", "burst 60", "duration 30m";
/// "#" begins a comment.
/// @return kInvalidArgument, field "text", with the line; kTooLarge.
Result<PolicyRules> parse_policy(std::string_view text);
/// Text that parses to equal rules.
std::string print_policy(const PolicyRules& rules);
/// Always there, under its name, until one is put in its place.
StoredPolicy default_policy();

/// As a record has them. kUnknownName for a signal that the schema has not.
Result<record::SessionLimits> limits_of(const StoredPolicy& policy, const schema::Schema& schema);

}  // namespace tidal::api
