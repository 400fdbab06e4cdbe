#include "http/internal/reply_head.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <span>

namespace tidal::http {
namespace {

bool is_one_line(std::string_view text) {
    bool other = false;  // no early end: this way the compiler does many at once
    for (const char c : text)
        other |= ((static_cast<unsigned char>(c) < 0x20) & (c != '\t')) | (c == 0x7f);
    return !other;
}

/// Of a name and a value that are known to be one line each.
void append_known(std::string_view name, std::string_view value, std::string* out) {
    using namespace std::string_view_literals;
    out->append(name).append(": "sv).append(value).append("\r\n"sv);
}

void append_header(std::string_view name, std::string_view value, std::string* out) {
    if (name.empty() || !is_one_line(name) || !is_one_line(value)) return;
    append_known(name, value, out);
}

std::string_view decimal(std::uint64_t number, std::span<char, 20> buffer) {
    char* const end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
    return {buffer.data(), end};
}

}  // namespace

bool may_have_body(std::uint16_t status) {
    return status != 204 && status != 304;
}

std::string reply_head(const Response& response, const ReplyFacts& facts) {
    std::string out;
    out.reserve(256 + facts.body_room);
    char digits[20];
    out += facts.http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ";
    out += decimal(response.status, digits);
    out += ' ';
    out.append(status_text(response.status)).append("\r\n");
    append_known("Date", facts.date, &out);
    if (!response.content_type.empty()) append_header("Content-Type", response.content_type, &out);
    if (!facts.streamed && may_have_body(response.status))
        append_known("Content-Length", decimal(response.body.size(), digits), &out);
    if (facts.streamed && !facts.http_1_0) append_known("Transfer-Encoding", "chunked", &out);
    if (!facts.keep_alive)
        append_known("Connection", "close", &out);
    else if (facts.http_1_0)
        append_known("Connection", "keep-alive", &out);
    append_known("X-Request-Id", facts.request_id, &out);
    if (!facts.traceparent.empty()) append_known("traceparent", facts.traceparent, &out);
    for (const Header& header : response.headers) append_header(header.name, header.value, &out);
    out += "\r\n";
    return out;
}

std::string http_date(std::int64_t unix_ms) {
    static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    using namespace std::chrono;
    const sys_seconds time{floor<seconds>(milliseconds(unix_ms))};
    const sys_days days = floor<std::chrono::days>(time);
    const year_month_day date(days);
    const hh_mm_ss clock(time - days);
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%s, %02u %s %04d %02d:%02d:%02d GMT",
                  kDays[weekday(days).c_encoding()], static_cast<unsigned>(date.day()),
                  kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                  static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return buffer;
}

}  // namespace tidal::http
