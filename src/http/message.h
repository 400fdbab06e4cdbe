// http/message.h: requests and replies as our own types; no library's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tidal::http {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };
inline constexpr std::size_t kMethodCount = 7;  ///< Without kOther.
std::string_view method_name(Method method);
/// Methods are case-sensitive; anything else is kOther.
Method method_from_name(std::string_view name);

struct Header {
    std::string name;
    std::string value;
};

/// Names are compared without letter case.
class Headers {
public:
    void add(std::string name, std::string value);
    /// The first of that name.
    std::optional<std::string_view> find(std::string_view name) const;
    std::size_t count(std::string_view name) const;
    std::span<const Header> all() const { return headers_; }

private:
    std::vector<Header> headers_;
};

/// "?a=1&b=x%20y" decoded. A name appears once: a repeated one is refused when parsed.
class QueryParameters {
public:
    static constexpr std::size_t kCountMax = 64;

    /// `text` without "?". '+' is a space. kInvalidArgument (field = the name) for a repeat, a
    /// broken escape, text that is not UTF-8, more than kCountMax.
    static Result<QueryParameters> parse(std::string_view text);

    const std::string* find(std::string_view name) const;
    std::span<const std::pair<std::string, std::string>> all() const { return parameters_; }

private:
    std::vector<std::pair<std::string, std::string>> parameters_;
};

/// What the braces of a route's pattern matched, decoded.
class PathParameters {
public:
    void add(std::string_view name, std::string value);
    /// Precondition: the pattern has `name`.
    const std::string& text(std::string_view name) const;
    /// kInvalidArgument (field = name) unless it is decimal digits that fit 64 bits.
    Result<std::uint64_t> number(std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> parameters_;
};

struct Route;

/// What the sender of a request may do; each includes those before it.
enum class Access : std::uint8_t {
    kNone,
    kRead,
    kWrite,    ///< Entities, vectors, signals.
    kDeclare,  ///< Schema, profiles, models; backups.
    kOperate,  ///< Keys, and what moves a cluster.
};

struct Request {
    Method method = Method::kGet;
    std::string raw_path;   ///< As sent, percent-encoded, begins with '/'.
    std::string path;       ///< Decoded; for logs and exact comparison.
    std::string raw_query;  ///< As sent, without "?".
    QueryParameters query;
    Headers headers;
    std::string body;  ///< Empty while it streams.
    bool peer_is_loopback = false;
    std::string request_id;
    PathParameters parameters;              ///< Filled by the router.
    const Route* route = nullptr;           ///< The router's own note.
    std::uint64_t body_bytes_declared = 0;  ///< Content-Length; 0 when chunked or absent.
    // Filled by the door.
    Access access = Access::kNone;
    std::string principal;  ///< Name of the API key; empty = none was asked for.
    /// How old what a read sees may be; nullopt = not known.
    std::optional<std::uint64_t> staleness_ms;

    /// The media type without parameters, lower case: "application/json"; empty when absent.
    std::string content_type() const;
};

struct Response {
    std::uint16_t status = 200;
    std::string content_type;  ///< Empty = none sent.
    std::vector<Header> headers;
    std::string body;

    static Response json(std::string body, std::uint16_t status = 200);
    static Response text(std::string body, std::uint16_t status = 200);
};

std::string_view status_text(std::uint16_t status);
bool equal_ignoring_case(std::string_view a, std::string_view b);
/// "%41" -> "A"; `plus_is_space` in queries. nullopt for a broken escape, NUL or text not UTF-8.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

}  // namespace tidal::http
