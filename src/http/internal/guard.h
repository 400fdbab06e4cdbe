// http/internal/guard.h: who may talk to a server that asks for no credentials.
//
// On loopback without authentication any local program may call, but no web page may: a page of
// another site reaches 127.0.0.1 through the user's browser. Browsers always tell: a foreign
// Origin, a foreign Host (DNS rebinding), or one of the content types a form can send without
// asking first.
#pragma once

#include <optional>

#include "http/message.h"

namespace tidal::http {

/// The refusal of `request` by the rules above, or nothing.
/// kForbidden (403) or kUnsupportedMedia (415).
std::optional<Error> check_loopback_guard(const Request& request, bool has_body);

/// "localhost", "127.x.y.z", "[::1]", each with or without a port.
bool is_loopback_authority(std::string_view authority);

struct ListenAddress {
    std::string host;  ///< Literal IP address, no brackets.
    std::uint16_t port = 0;
    bool is_ipv6 = false;
    bool is_loopback = false;
};
/// "127.0.0.1:9500", "[::1]:0", "localhost:9500". kInvalidArgument otherwise.
Result<ListenAddress> parse_listen_address(std::string_view text);

/// A client's id for its request: 1..128 of A-Z a-z 0-9 and -_.:/+=
bool is_request_id(std::string_view text);
/// W3C Trace Context, version 00.
bool is_traceparent(std::string_view text);

}  // namespace tidal::http
