#include "http/router.h"

#include <algorithm>
#include <cassert>

#include "http/problem.h"

namespace tidal::http {
namespace {

bool is_parameter(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    path.remove_prefix(1);  // the leading slash
    for (;;) {
        const std::size_t slash = path.find('/');
        segments.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return segments;
        path.remove_prefix(slash + 1);
    }
}

/// Decoded one by one, so that an escaped slash stays within its segment.
std::optional<std::vector<std::string>> decoded_segments(std::string_view raw_path) {
    std::vector<std::string> out;
    for (const std::string_view segment : split(raw_path)) {
        auto decoded = percent_decode(segment, false);
        if (!decoded) return std::nullopt;
        out.push_back(std::move(*decoded));
    }
    return out;
}

bool matches(const Route& route, const std::vector<std::string>& segments) {
    return std::equal(route.segments.begin(), route.segments.end(), segments.begin(),
                      segments.end(), [](const std::string& pattern, const std::string& segment) {
                          if (is_parameter(pattern)) return !segment.empty();
                          return pattern == segment;
                      });
}

/// Whether `a` has a literal where `b` first differs from it: compared left to right.
bool is_more_literal(const Route& a, const Route& b) {
    for (std::size_t i = 0; i < a.segments.size(); ++i) {
        const bool a_literal = !is_parameter(a.segments[i]);
        if (a_literal != !is_parameter(b.segments[i])) return a_literal;
    }
    return false;
}

Admission admitted(const Route& route, Request* request) {
    request->route = &route;
    Admission admission;
    admission.overlaps = route.overlaps;
    if (route.stream) admission.body = Admission::Body::kStream;
    return admission;
}

Error no_such_path(const Request& request) {
    return Error(ErrorCode::kNotFound, "there is no " + request.path.substr(0, 200))
        .with_reason("unknown_path")
        .with_hint("the paths are listed in /openapi.json");
}

}  // namespace

Route& Router::append(Method method, std::string_view pattern) {
    assert(pattern.size() > 1 ? pattern.front() == '/' && pattern.back() != '/' : pattern == "/");
    auto route = std::make_unique<Route>();
    route->method = method;
    route->pattern = pattern;
    for (const std::string_view segment : split(pattern)) route->segments.emplace_back(segment);
    assert(std::none_of(routes_.begin(), routes_.end(), [&](const auto& other) {
        return other->method == method && other->pattern == pattern;
    }));
    if (pattern.find_first_of("{%") == std::string_view::npos)
        literals_[route->pattern][static_cast<std::size_t>(method)] = route.get();
    routes_.push_back(std::move(route));
    return *routes_.back();
}

void Router::add(Method method, std::string_view pattern, WholeHandler handler) {
    append(method, pattern).whole = std::move(handler);
}
const Route* Router::add_overlapping(Method method, std::string_view pattern,
                                     WholeHandler handler) {
    Route& route = append(method, pattern);
    route.whole = std::move(handler);
    route.overlaps = true;
    return &route;
}
void Router::add_stream(Method method, std::string_view pattern, StreamHandler handler) {
    append(method, pattern).stream = std::move(handler);
}

std::vector<const Route*> Router::routes() const {
    std::vector<const Route*> out;
    for (const auto& route : routes_) out.push_back(route.get());
    return out;
}

/// The route of most requests, found without splitting and decoding: nothing wins over a pattern
/// that is the path, letter by letter. What else there is to say, HEAD and OPTIONS, match() knows.
const Route* Router::find_literal(const Request& request) const {
    const auto found = literals_.find(request.raw_path);
    return found == literals_.end() ? nullptr
                                    : found->second[static_cast<std::size_t>(request.method)];
}

const Route* Router::match(Method method, const std::vector<std::string>& segments) const {
    const Route* best = nullptr;
    for (const auto& route : routes_)
        if (route->method == method && matches(*route, segments) &&
            (best == nullptr || is_more_literal(*route, *best)))
            best = route.get();
    return best;
}

std::string Router::allowed(const std::vector<std::string>& segments) const {
    std::string out;
    const auto add = [&](Method method) {
        out += (out.empty() ? "" : ", ") + std::string(method_name(method));
    };
    for (std::size_t m = 0; m < kMethodCount; ++m) {
        const auto method = static_cast<Method>(m);
        if (match(method == Method::kHead ? Method::kGet : method, segments) != nullptr)
            add(method);
    }
    if (!out.empty() && match(Method::kOptions, segments) == nullptr) add(Method::kOptions);
    return out;
}

Admission Router::admit(Request& request) {
    const auto refuse = [](Response response) {
        Admission admission;
        admission.refusal = std::move(response);
        return admission;
    };
    if (const Route* const literal = find_literal(request)) return admitted(*literal, &request);
    const auto segments = decoded_segments(request.raw_path);
    if (!segments) return refuse(problem_response(no_such_path(request)));

    const Route* route =
        match(request.method == Method::kHead ? Method::kGet : request.method, *segments);
    if (route == nullptr) {
        const std::string allow = allowed(*segments);
        if (allow.empty()) return refuse(problem_response(no_such_path(request)));
        Response response;
        if (request.method == Method::kOptions) {
            response.status = 204;
        } else {
            response = problem_response(
                Error(ErrorCode::kUnsupported, std::string(method_name(request.method)) +
                                                   " is not for " + request.path.substr(0, 200))
                    .with_reason("method_not_allowed")
                    .with_hint("use " + allow),
                405);
        }
        response.headers.push_back({"Allow", allow});
        return refuse(std::move(response));
    }
    for (std::size_t i = 0; i < segments->size(); ++i) {
        const std::string_view pattern = route->segments[i];
        if (is_parameter(pattern))
            request.parameters.add(pattern.substr(1, pattern.size() - 2), (*segments)[i]);
    }
    return admitted(*route, &request);
}

void Router::handle(Request&& request, Responder&& responder) {
    const Route& route = *request.route;
    route.whole(std::move(request), std::move(responder));
}

std::shared_ptr<BodySink> Router::stream(Request request, Responder responder) {
    const Route& route = *request.route;
    return route.stream(std::move(request), std::move(responder));
}

}  // namespace tidal::http
