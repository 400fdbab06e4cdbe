// http/problem.h: an Error as application/problem+json (RFC 9457). Codes: docs/reference/errors.md.
#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace tidal::http {

/// {"type","title","status","detail","code"} and, where the error has them, "field", "hint" and its
/// context pairs (whole numbers below 10^15 as numbers). One line, no newline.
/// @param  status  0 = the code's own.
std::string problem_json(const Error& error, std::uint16_t status = 0);

/// The reply to a refused request; 429 and 503 carry Retry-After.
Response problem_response(const Error& error, std::uint16_t status = 0);

/// Appends `text` in quotes; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string_view text, std::string* out);

}  // namespace tidal::http
