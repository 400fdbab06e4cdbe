#include "http/access.h"

#include <algorithm>
#include <array>

#include "http/door.h"

namespace tidal::http {
namespace {

constexpr std::array<std::string_view, 9> kWritten = {
    "/items",      "/users",    "/creators",
    "/embeddings", "/signals",  "/relationships",
    "/import",     "/sessions", "/collections/{name}/items"};
constexpr std::array<std::string_view, 3> kOpen = {"/health/live", "/health/ready", "/healthz"};

/// "/items" is the head of "/items" and of "/items/{id}".
bool is_under(std::string_view pattern, std::string_view head) {
    return pattern.starts_with(head) &&
           (pattern.size() == head.size() || pattern[head.size()] == '/');
}

bool only_reads(Method method) {
    return method == Method::kGet || method == Method::kHead || method == Method::kOptions;
}

Error no_key(std::string_view what) {
    return Error(ErrorCode::kUnauthenticated, std::string(what))
        .with_field("Authorization")
        .with_hint("Authorization: Bearer and an API key");
}

std::string_view role_for(Access access) {
    return api::key_role_name(access <= Access::kRead    ? api::KeyRole::kReader
                              : access == Access::kWrite ? api::KeyRole::kWriter
                                                         : api::KeyRole::kAdmin);
}

}  // namespace

Access access_for(Method method, std::string_view pattern) {
    if (is_under(pattern, "/keys") || pattern == "/health/drain") return Access::kOperate;
    if (is_under(pattern, "/backups")) return Access::kDeclare;
    static constexpr std::string_view kAsked[] = {"/feed", "/query", "/search", "/suggest"};
    if (only_reads(method) || std::ranges::find(kAsked, pattern) != std::end(kAsked))
        return Access::kRead;
    if (is_under(pattern, "/cluster")) return Access::kOperate;
    const bool writes = std::ranges::any_of(
        kWritten, [&](std::string_view head) { return is_under(pattern, head); });
    return writes ? Access::kWrite : Access::kDeclare;
}

Access access_of(api::KeyRole role) {
    switch (role) {
        case api::KeyRole::kReader:
            return Access::kRead;
        case api::KeyRole::kWriter:
            return Access::kWrite;
        case api::KeyRole::kAdmin:
            return Access::kOperate;
    }
    return Access::kNone;
}

Result<void> check_access(const Request& request, Access needed) {
    if (request.access >= needed) return {};
    if (request.principal.empty()) return no_key("an act of an administrator from afar");
    return Error(ErrorCode::kForbidden, "the key `" + request.principal + "` has no right to this")
        .with_field("Authorization")
        .with_reason("role")
        .with_hint("a key with the role " + std::string(role_for(needed)));
}

bool is_open_to_all(const Request& request) {
    return only_reads(request.method) && std::ranges::find(kOpen, request.path) != kOpen.end();
}

Result<std::optional<std::string_view>> bearer_key(const Request& request) {
    const auto header = request.headers.find("Authorization");
    if (!header) return std::optional<std::string_view>();
    const std::size_t space = header->find(' ');
    if (space == std::string_view::npos || !equal_ignoring_case(header->substr(0, space), "Bearer"))
        return no_key("Authorization names no API key");
    std::string_view key = header->substr(space + 1);
    while (key.starts_with(' ')) key.remove_prefix(1);
    return std::optional(key);
}

/// Without any key, who reaches the server may do what they like; what moves a cluster or makes
/// keys is for this machine.
Result<void> Door::authenticate(Request& request) const {
    const bool any_key = database_.has_api_keys();
    if (!any_key && !options_.require_keys) {
        request.access = request.peer_is_loopback ? Access::kOperate : Access::kDeclare;
        return {};
    }
    if (is_open_to_all(request)) {
        request.access = Access::kRead;
        return {};
    }
    TIDAL_ASSIGN(const auto key, bearer_key(request));
    if (key) {
        TIDAL_ASSIGN(const api::ApiKeyInfo known, database_.check_api_key(*key));
        request.access = access_of(known.role);
        request.principal = known.name;
        return {};
    }
    const bool is_first_key =
        !any_key && request.method == Method::kPost && request.path == "/keys";
    if (!is_first_key || !request.peer_is_loopback)
        return no_key("this server asks for an API key");
    request.access = Access::kOperate;
    return {};
}

Result<void> Door::authorize(const Request& request) const {
    const Access needed = access_for(request.method, request.route->pattern);
    const bool is_act = needed >= Access::kDeclare && !only_reads(request.method);
    TIDAL_TRY(check_access(request, needed));
    if (is_act)
        logger_.info("administrative act",
                     {{"method", method_name(request.method)},
                      {"path", request.path.substr(0, 200)},
                      {"key", request.principal.empty() ? "(none)" : request.principal},
                      {"request_id", request.request_id}});
    return {};
}

}  // namespace tidal::http
