#include "cluster/member_texts.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdio>
#include <optional>
#include <vector>

#include "cluster/internal/hex.h"
#include "cluster/join_token.h"

namespace tidal::cluster {
namespace {

constexpr std::size_t kInstanceDigits = 32;
constexpr std::size_t kAddressBytesMax = 255;
constexpr std::size_t kTextNonceBytes = 16;
constexpr std::size_t kKeyHashBytes = 32;
constexpr std::size_t kApiKeyIdBytesMax = 63;

constexpr std::string_view kStates[] = {"joining", "active", "leaving", "left"};
constexpr std::string_view kRoles[] = {"reader", "writer", "admin"};

// Of any of the texts.
constexpr std::string_view kKeys[] = {
    "node", "instance_id", "region",  "peer_address", "http_address", "state", "joined_ms", "id",
    "key",  "expires_ms",  "used_by", "nonce",        "hash",         "role",  "created_ms"};

bool is_hex(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == text.npos;
}

Result<void> require(bool holds, std::string_view field, std::string_view what) {
    if (holds) return {};
    return Error(ErrorCode::kInvalidArgument, std::string(field) + " " + std::string(what))
        .with_field(field);
}

Result<void> check_address(std::string_view address, std::string_view field) {
    const bool printable =
        std::all_of(address.begin(), address.end(), [](char c) { return c > ' ' && c <= '~'; });
    return require(!address.empty() && address.size() <= kAddressBytesMax && printable, field,
                   "has 1 to 255 printable characters");
}

std::string line(std::string_view key, std::string_view value) {
    return std::string(key) + " " + std::string(value) + "\n";
}
std::string line(std::string_view key, std::uint64_t value) {
    return line(key, std::to_string(value));
}

/// The lines of a text, taken one by one in their order; the first fault stays.
class Lines {
public:
    Lines(std::string_view what, std::string_view text) : what_(what), rest_(text) {}

    /// The value of `key` is not as it is printed.
    void refuse(std::string_view key) { fail(key); }

    bool next_is(std::string_view key) const {
        return rest_.size() > key.size() && rest_.starts_with(key) && rest_[key.size()] == ' ';
    }
    std::string_view take(std::string_view key) {
        const std::size_t end = rest_.find('\n');
        if (!next_is(key) || end == rest_.npos) return fail(key);
        const std::string_view value = rest_.substr(key.size() + 1, end - key.size() - 1);
        rest_.remove_prefix(end + 1);
        return value;
    }
    template <typename Number>
    Number number(std::string_view key) {
        const std::string_view text = take(key);
        Number value{};
        const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
        // As printed: no other way to write the same number.
        if (problem != std::errc() || std::to_string(value) != text) fail(key);
        return value;
    }
    std::string hex(std::string_view key, std::size_t bytes) {
        const std::string_view digits = take(key);
        if (digits.size() != 2 * bytes || !is_hex(digits)) fail(key);
        return internal::from_hex(digits);
    }
    template <typename Enum, std::size_t kCount>
    Enum word(std::string_view key, const std::string_view (&words)[kCount]) {
        const auto found = std::find(std::begin(words), std::end(words), take(key));
        if (found == std::end(words)) {
            fail(key);
            return Enum{};
        }
        return static_cast<Enum>(found - std::begin(words));
    }

    /// After the last: nothing is left, and `checked` holds.
    Result<void> finish(const Result<void>& checked) {
        if (!rest_.empty() && !fault_) fail(rest_.substr(0, rest_.find_first_of(" \n")));
        if (unknown_)
            return Error(ErrorCode::kIncompatible, std::string(what_) + ": a key not known here")
                .with("key", *unknown_);
        if (fault_)
            return Error(ErrorCode::kCorruption, std::string(what_) + ": malformed")
                .with("key", *fault_);
        if (!checked.ok())
            return Error(ErrorCode::kCorruption,
                         std::string(what_) + ": " + checked.error().message());
        return {};
    }

private:
    std::string_view fail(std::string_view key) {
        if (fault_) return {};
        fault_ = key;
        // A line in the place of the one expected may be of a later version.
        const std::string_view found = rest_.substr(0, rest_.find_first_of(" \n"));
        const bool is_key =
            found.size() < rest_.size() && rest_[found.size()] == ' ' && !found.empty() &&
            found.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == found.npos;
        if (is_key && std::find(std::begin(kKeys), std::end(kKeys), found) == std::end(kKeys))
            unknown_ = found;
        return {};
    }

    const std::string_view what_;
    std::string_view rest_;
    std::optional<std::string_view> fault_, unknown_;
};

}  // namespace

std::string_view member_state_name(MemberState state) {
    return kStates[static_cast<std::size_t>(state)];
}
std::string_view api_role_name(ApiRole role) {
    return kRoles[static_cast<std::size_t>(role)];
}

std::string member_name(NodeId node) {
    return std::to_string(node.value());
}

Result<NodeId> parse_member_name(std::string_view name) {
    std::uint32_t number = 0;
    const auto [stop, problem] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (problem != std::errc() || number == 0 || std::to_string(number) != name)
        return Error(ErrorCode::kCorruption, "not the name of a member").with("name", name);
    return NodeId(number);
}

std::string join_token_name(std::uint64_t id) {
    char name[20];
    std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(id));
    return name;
}

Result<void> check_member(const Member& member) {
    TIDAL_TRY(require(member.node != kNoNode, "node", "counts from 1"));
    TIDAL_TRY(require(member.instance_id.size() == kInstanceDigits && is_hex(member.instance_id),
                      "instance_id", "has 32 hex digits"));
    TIDAL_TRY(require(member.region.value() > 0, "region", "counts from 1"));
    TIDAL_TRY(check_address(member.peer_address, "peer_address"));
    if (!member.http_address.empty()) TIDAL_TRY(check_address(member.http_address, "http_address"));
    return require(member.joined_ms >= 0, "joined_ms", "is not before 1970");
}

Result<void> check_join_token(const JoinTokenRecord& token) {
    TIDAL_TRY(require(token.key.size() == kJoinKeyBytes, "key", "has 32 bytes"));
    TIDAL_TRY(require(token.expires_ms >= 0, "expires_ms", "is not before 1970"));
    return require(token.nonce.size() == (token.used_by == kNoNode ? 0 : kTextNonceBytes), "nonce",
                   "has 16 bytes once the token is used, and none before");
}

Result<void> check_api_key(const ApiKeyRecord& key) {
    TIDAL_TRY(require(
        !key.id.empty() && key.id.size() <= kApiKeyIdBytesMax &&
            key.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == key.id.npos,
        "id", "has 1 to 63 characters of a-z, 0-9, _ and -"));
    TIDAL_TRY(require(key.hash.size() == kKeyHashBytes, "hash", "has 32 bytes"));
    TIDAL_TRY(require(key.created_ms >= 0, "created_ms", "is not before 1970"));
    return require(key.expires_ms >= 0, "expires_ms", "is not before 1970");
}

std::string print_member(const Member& member) {
    assert(check_member(member).ok());
    std::string text = line("node", member.node.value());
    text += line("instance_id", member.instance_id);
    text += line("region", member.region.value());
    text += line("peer_address", member.peer_address);
    if (!member.http_address.empty()) text += line("http_address", member.http_address);
    text += line("state", member_state_name(member.state));
    return text + line("joined_ms", static_cast<std::uint64_t>(member.joined_ms));
}

std::string print_join_token_record(const JoinTokenRecord& token) {
    assert(check_join_token(token).ok());
    std::string text = line("id", token.id);
    text += line("key", internal::to_hex(token.key));
    text += line("expires_ms", static_cast<std::uint64_t>(token.expires_ms));
    if (token.used_by == kNoNode) return text;
    text += line("used_by", token.used_by.value());
    return text + line("nonce", internal::to_hex(token.nonce));
}

std::string print_api_key(const ApiKeyRecord& key) {
    assert(check_api_key(key).ok());
    std::string text = line("id", key.id);
    text += line("hash", internal::to_hex(key.hash));
    text += line("role", api_role_name(key.role));
    text += line("created_ms", static_cast<std::uint64_t>(key.created_ms));
    if (key.expires_ms != 0) text += line("expires_ms", static_cast<std::uint64_t>(key.expires_ms));
    return text;
}

Result<Member> parse_member(std::string_view text) {
    Lines lines("member", text);
    Member member;
    member.node = NodeId(lines.number<std::uint32_t>("node"));
    member.instance_id = lines.take("instance_id");
    member.region = RegionId(lines.number<std::uint16_t>("region"));
    member.peer_address = lines.take("peer_address");
    if (lines.next_is("http_address")) {
        member.http_address = lines.take("http_address");
        if (member.http_address.empty()) lines.refuse("http_address");
    }
    member.state = lines.word<MemberState>("state", kStates);
    member.joined_ms = lines.number<UnixMillis>("joined_ms");
    TIDAL_TRY(lines.finish(check_member(member)));
    return member;
}

Result<JoinTokenRecord> parse_join_token_record(std::string_view text) {
    Lines lines("join token", text);
    JoinTokenRecord token;
    token.id = lines.number<std::uint64_t>("id");
    token.key = lines.hex("key", kJoinKeyBytes);
    token.expires_ms = lines.number<UnixMillis>("expires_ms");
    if (lines.next_is("used_by")) {
        token.used_by = NodeId(lines.number<std::uint32_t>("used_by"));
        token.nonce = lines.hex("nonce", kTextNonceBytes);
    }
    TIDAL_TRY(lines.finish(check_join_token(token)));
    return token;
}

Result<ApiKeyRecord> parse_api_key(std::string_view text) {
    Lines lines("API key", text);
    ApiKeyRecord key;
    key.id = lines.take("id");
    key.hash = lines.hex("hash", kKeyHashBytes);
    key.role = lines.word<ApiRole>("role", kRoles);
    key.created_ms = lines.number<UnixMillis>("created_ms");
    if (lines.next_is("expires_ms")) {
        key.expires_ms = lines.number<UnixMillis>("expires_ms");
        if (key.expires_ms == 0) lines.refuse("expires_ms");
    }
    TIDAL_TRY(lines.finish(check_api_key(key)));
    return key;
}

}  // namespace tidal::cluster
