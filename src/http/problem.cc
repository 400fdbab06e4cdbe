#include "http/problem.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace tidal::http {
namespace {

constexpr std::array<std::string_view, 7> kMembers{"type", "title", "status", "detail",
                                                   "code", "field", "hint"};

bool needs_no_escape(char c) {
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void append_escaped(std::string_view valid, std::string* out) {
    for (const char c : valid) {
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
            case '"':
                *out += "\\\"";
                break;
            case '\\':
                *out += "\\\\";
                break;
            case '\n':
                *out += "\\n";
                break;
            case '\r':
                *out += "\\r";
                break;
            case '\t':
                *out += "\\t";
                break;
            default:
                if (byte < 0x20) {
                    *out += "\\u00";
                    *out += "0123456789abcdef"[byte >> 4];
                    *out += "0123456789abcdef"[byte & 15];
                } else {
                    *out += c;
                }
        }
    }
}

void append_member(std::string_view name, std::string_view value, std::string* out) {
    *out += ',';
    append_json_string(name, out);
    *out += ':';
    append_json_string(value, out);
}

/// Positions and counts read better as numbers; 15 digits are exact in JavaScript.
bool is_small_number(std::string_view text) {
    return !text.empty() && text.size() <= 15 && (text[0] != '0' || text.size() == 1) &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string title_of(const ErrorInfo& info) {
    std::string title(info.name);
    std::replace(title.begin(), title.end(), '_', ' ');
    return title;
}

/// In seconds, where the error knows in how many milliseconds; else one.
std::string retry_after(const Error& error) {
    for (const auto& [key, value] : error.context())
        if (key == "retry_after_ms" && is_small_number(value))
            return std::to_string(std::max((std::stoll(value) + 999) / 1000, 1LL));
    return "1";
}

}  // namespace

void append_json_string(std::string_view text, std::string* out) {
    *out += '"';
    // Most texts need no second look.
    if (std::ranges::all_of(text, needs_no_escape)) {
        *out += text;
        *out += '"';
        return;
    }
    while (const auto bad = find_utf8_error(text)) {
        // Where a sequence is cut short, the error is at the byte after it: that one may be good.
        const std::size_t good = find_utf8_error(text.substr(0, *bad)).value_or(*bad);
        append_escaped(text.substr(0, good), out);
        *out += "\xef\xbf\xbd";
        text.remove_prefix(good < *bad ? *bad : *bad + 1);
    }
    append_escaped(text, out);
    *out += '"';
}

std::string problem_json(const Error& error, std::uint16_t status) {
    const ErrorInfo& info = error_info(error.code());
    std::string out = "{\"type\":\"urn:tidaldb:error:" + std::string(info.name) + "\"";
    append_member("title", title_of(info), &out);
    out += ",\"status\":" + std::to_string(status == 0 ? info.http_status : status);
    append_member("detail", error.message(), &out);
    append_member("code", error.reason(), &out);
    if (!error.field().empty()) append_member("field", error.field(), &out);
    if (!error.hint().empty()) append_member("hint", error.hint(), &out);
    for (const auto& [key, value] : error.context()) {
        const bool taken = std::find(kMembers.begin(), kMembers.end(), key) != kMembers.end();
        const std::string name = taken ? "context_" + key : key;
        if (!is_small_number(value)) {
            append_member(name, value, &out);
            continue;
        }
        out += ',';
        append_json_string(name, &out);
        out += ':' + value;
    }
    return out + '}';
}

Response problem_response(const Error& error, std::uint16_t status) {
    Response response;
    response.status = status == 0 ? error_info(error.code()).http_status : status;
    response.content_type = "application/problem+json";
    response.body = problem_json(error, status);
    if (response.status == 429 || response.status == 503)
        response.headers.push_back({"Retry-After", retry_after(error)});
    return response;
}

}  // namespace tidal::http
