#include "http/internal/guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace tidal::http {
namespace {

bool is_lower_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// Host of "host", "host:port", "[v6]", "[v6]:port"; nullopt when it is none of them.
std::optional<std::string_view> host_of(std::string_view authority) {
    std::size_t end = authority.find(':');
    if (!authority.empty() && authority.front() == '[') {
        end = authority.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        ++end;
    }
    const std::string_view host = authority.substr(0, end);
    if (host.size() == authority.size()) return host;
    const std::string_view port = authority.substr(host.size());
    const bool is_port =
        port.front() == ':' && port.size() >= 2 && port.size() <= 6 &&
        std::all_of(port.begin() + 1, port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_port) return std::nullopt;
    return host;
}

bool is_ipv4(const std::string& host) {
    in_addr address{};
    return inet_pton(AF_INET, host.c_str(), &address) == 1;
}
bool is_ipv6(const std::string& host) {
    in6_addr address{};
    return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}
bool is_loopback_ipv6(const std::string& host) {
    in6_addr address{};
    return inet_pton(AF_INET6, host.c_str(), &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address);
}

bool is_same_origin(std::string_view origin, std::string_view host) {
    for (const std::string_view scheme : {"http://", "https://"})
        if (origin.starts_with(scheme))
            return equal_ignoring_case(origin.substr(scheme.size()), host);
    return false;  // "null" and schemes of extensions
}

bool can_a_form_send(std::string_view content_type) {
    return content_type == "text/plain" || content_type == "application/x-www-form-urlencoded" ||
           content_type == "multipart/form-data";
}

}  // namespace

bool is_loopback_authority(std::string_view authority) {
    const auto host = host_of(authority);
    if (!host) return false;
    if (equal_ignoring_case(*host, "localhost")) return true;
    if (host->starts_with('[') && host->ends_with(']'))
        return is_loopback_ipv6(std::string(host->substr(1, host->size() - 2)));
    return host->starts_with("127.") && is_ipv4(std::string(*host));
}

std::optional<Error> check_loopback_guard(const Request& request, bool has_body) {
    const std::string_view host = request.headers.find("Host").value_or("");
    if (!host.empty() && !is_loopback_authority(host))
        return Error(ErrorCode::kForbidden, "the Host header names another server")
            .with_field("Host")
            .with_reason("foreign_host")
            .with_hint("without authentication only localhost, 127.0.0.1 and [::1] are served");
    const auto origin = request.headers.find("Origin");
    if (origin && !is_same_origin(*origin, host))
        return Error(ErrorCode::kForbidden, "the request comes from a page of another site")
            .with_field("Origin")
            .with_reason("foreign_origin")
            .with_hint("call from a program, or from a page of this server");
    if (request.method == Method::kGet || request.method == Method::kHead ||
        request.method == Method::kOptions)
        return std::nullopt;
    const std::string type = request.content_type();
    if (can_a_form_send(type) || (has_body && type.empty()))
        return Error(ErrorCode::kUnsupportedMedia,
                     type.empty()
                         ? "the body has no Content-Type"
                         : "Content-Type " + type + " is not accepted: a web form can send it")
            .with_field("Content-Type")
            .with_hint("send Content-Type: application/json");
    return std::nullopt;
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
    const auto bad = [&] {
        return Error(ErrorCode::kInvalidArgument,
                     "\"" + std::string(text.substr(0, 100)) + "\" is no address to listen on")
            .with_field("listen")
            .with_hint("write address:port, such as 127.0.0.1:9500 or [::1]:9500");
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad();
    const std::string_view port = text.substr(colon + 1);
    ListenAddress out;
    const auto [end, status] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (port.empty() || status != std::errc() || end != port.data() + port.size()) return bad();

    out.host = text.substr(0, colon);
    if (equal_ignoring_case(out.host, "localhost")) out.host = "127.0.0.1";
    if (out.host.starts_with('[') && out.host.ends_with(']')) {
        out.host = out.host.substr(1, out.host.size() - 2);
        out.is_ipv6 = true;
        if (!is_ipv6(out.host)) return bad();
        out.is_loopback = is_loopback_ipv6(out.host);
        return out;
    }
    if (!is_ipv4(out.host)) return bad();
    out.is_loopback = out.host.starts_with("127.");
    return out;
}

bool is_request_id(std::string_view text) {
    return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("-_.:/+=").find(c) != std::string_view::npos;
    });
}

bool is_traceparent(std::string_view text) {
    return text.size() == 55 && text.starts_with("00-") && text[35] == '-' && text[52] == '-' &&
           is_lower_hex(text.substr(3, 32)) && is_lower_hex(text.substr(36, 16)) &&
           is_lower_hex(text.substr(53, 2));
}

}  // namespace tidal::http
