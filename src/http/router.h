// http/router.h: which handler answers which method and path.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/http_server.h"

namespace tidal::http {

using WholeHandler = std::function<void(Request&&, Responder&&)>;
using StreamHandler = std::function<std::shared_ptr<BodySink>(Request, Responder)>;

/// One line of the routing table.
struct Route {
    Method method;
    std::string pattern;
    std::vector<std::string> segments;  ///< Of the pattern; "{name}" matches one segment.
    WholeHandler whole;                 ///< Exactly one of the two is set.
    StreamHandler stream;
    bool overlaps = false;  ///< See Admission.
};

/// Filled once, then only read: add() before the server starts. Literal segments win over braces
/// where both match, whatever the order of add().
///
/// Built in: 404 for an unknown path; 405 with Allow for a known path and another method; HEAD
/// answered by the GET route; OPTIONS answered with Allow.
class Router final : public RequestHandler {
public:
    /// `pattern` is "/items/{id}/signals": literal segments and braces, no slash at the end. A
    /// method and pattern is added once.
    void add(Method method, std::string_view pattern, WholeHandler handler);
    /// `handler` is called in the order of a connection's requests, not waiting for their answers.
    const Route* add_overlapping(Method method, std::string_view pattern, WholeHandler handler);
    void add_stream(Method method, std::string_view pattern, StreamHandler handler);

    std::vector<const Route*> routes() const;

    Admission admit(Request& request) override;
    void handle(Request&& request, Responder&& responder) override;
    std::shared_ptr<BodySink> stream(Request request, Responder responder) override;

private:
    Route& append(Method method, std::string_view pattern);
    const Route* find_literal(const Request& request) const;
    const Route* match(Method method, const std::vector<std::string>& segments) const;
    std::string allowed(const std::vector<std::string>& segments) const;

    std::vector<std::unique_ptr<Route>> routes_;  ///< Addresses are kept in requests.
    /// Patterns without braces, by method.
    absl::flat_hash_map<std::string, std::array<const Route*, kMethodCount + 1>> literals_;
};

}  // namespace tidal::http
