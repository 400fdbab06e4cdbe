#include "http/message.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <tuple>

#include "base/utf8.h"

namespace tidal::http {
namespace {

constexpr std::array<std::string_view, kMethodCount + 1> kMethodNames{
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
    return -1;
}

/// `a` of "a;b" or "a=b" and what follows the mark.
std::pair<std::string_view, std::string_view> cut(std::string_view text, char mark) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos) return {text, {}};
    return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

std::string_view method_name(Method method) {
    return kMethodNames[static_cast<std::size_t>(method)];
}

Method method_from_name(std::string_view name) {
    const auto end = kMethodNames.begin() + kMethodCount;
    return static_cast<Method>(std::find(kMethodNames.begin(), end, name) - kMethodNames.begin());
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

void Headers::add(std::string name, std::string value) {
    headers_.push_back({std::move(name), std::move(value)});
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
    for (const Header& header : headers_)
        if (equal_ignoring_case(header.name, name)) return header.value;
    return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::count_if(headers_.begin(), headers_.end(),
                      [&](const Header& h) { return equal_ignoring_case(h.name, name); }));
}

namespace {

/// As percent_decode(), into an empty text; false where that gives nothing.
bool decode(std::string_view text, bool plus_is_space, std::string* to) {
    std::string& out = *to;
    const bool is_plain = std::ranges::all_of(
        text, [](char c) { return c > ' ' && c < 0x7f && c != '%' && c != '+'; });
    if (is_plain) {  // As most: nothing to decode.
        out = text;
        return true;
    }
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return false;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return false;
            c = static_cast<char>(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == '\0') return false;
        out.push_back(c);
    }
    return !find_utf8_error(out);
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::optional<std::string> out(std::in_place);
    if (!decode(text, plus_is_space, &*out)) out.reset();
    return out;
}

Result<QueryParameters> QueryParameters::parse(std::string_view text) {
    QueryParameters out;
    if (text.empty()) return out;
    const auto marks = static_cast<std::size_t>(std::ranges::count(text, '&'));
    out.parameters_.reserve(std::min(marks + 1, kCountMax));
    while (!text.empty()) {
        std::string_view part;
        std::tie(part, text) = cut(text, '&');
        if (part.empty()) continue;
        const auto [raw_name, raw_value] = cut(part, '=');
        auto& [name, value] = out.parameters_.emplace_back();
        if (!decode(raw_name, true, &name) || !decode(raw_value, true, &value))
            return Error(ErrorCode::kInvalidArgument,
                         "a query parameter has a broken % escape or is not UTF-8")
                .with_field(std::string(raw_name.substr(0, 80)));
        if (out.find(name) != &value)
            return Error(ErrorCode::kInvalidArgument,
                         "query parameter \"" + name + "\" is given twice")
                .with_field(name);
        if (out.parameters_.size() > kCountMax)
            return Error(ErrorCode::kInvalidArgument,
                         "more than " + std::to_string(kCountMax) + " query parameters");
    }
    return out;
}

const std::string* QueryParameters::find(std::string_view name) const {
    for (const auto& [key, value] : parameters_)
        if (key == name) return &value;
    return nullptr;
}

void PathParameters::add(std::string_view name, std::string value) {
    parameters_.emplace_back(name, std::move(value));
}

const std::string& PathParameters::text(std::string_view name) const {
    const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                    [&](const auto& parameter) { return parameter.first == name; });
    assert(found != parameters_.end());
    return found->second;
}

Result<std::uint64_t> PathParameters::number(std::string_view name) const {
    const std::string& digits = text(name);
    std::uint64_t value = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (status == std::errc() && end == digits.data() + digits.size()) return value;
    return Error(ErrorCode::kInvalidArgument,
                 "\"" + digits.substr(0, 80) + "\" in the path is no number of 0 to 2^64 - 1")
        .with_field(name);
}

std::string Request::content_type() const {
    std::string_view value = cut(headers.find("Content-Type").value_or(""), ';').first;
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    std::string out(value);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

Response Response::json(std::string body, std::uint16_t status) {
    return {status, "application/json", {}, std::move(body)};
}
Response Response::text(std::string body, std::uint16_t status) {
    return {status, "text/plain; charset=utf-8", {}, std::move(body)};
}

std::string_view status_text(std::uint16_t status) {
    switch (status) {
        case 100:
            return "Continue";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 411:
            return "Length Required";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Status";
    }
}

}  // namespace tidal::http
