// http/internal/reply_head.h: the bytes in front of a body.
#pragma once

#include <cstddef>

#include "http/message.h"

namespace tidal::http {

/// What of the exchange shows in the head of its reply: its texts are one line each.
struct ReplyFacts {
    std::string_view request_id;
    std::string_view traceparent;  ///< Echoed when not empty.
    std::string_view date;         ///< IMF-fixdate.
    bool http_1_0 = false;
    bool keep_alive = true;
    bool streamed = false;      ///< Chunked; up to the end of the connection for HTTP/1.0.
    std::size_t body_room = 0;  ///< Bytes that will be put behind the head, in the same string.
};

/// Status line and headers with the empty line. Headers whose name or value could break out of
/// their line are left out.
std::string reply_head(const Response& response, const ReplyFacts& facts);
/// 204 and 304 have no body, whatever the handler gave.
bool may_have_body(std::uint16_t status);
/// "Sat, 31 Jan 2026 09:00:00 GMT"
std::string http_date(std::int64_t unix_ms);

}  // namespace tidal::http
