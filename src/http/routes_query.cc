// Feeds.
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {

Result<void> Door::check_region(const api::FeedCall& call) const {
    if (call.region.empty() || call.region == options_.region_name) return {};
    return Error(ErrorCode::kNotFound, "no region '" + call.region + "' here")
        .with_reason("unknown_region")
        .with_field("region")
        .with_hint("this server has: " + options_.region_name);
}

Response Door::answer_feed(const Result<api::FeedCall>& call) {
    if (!call.ok()) return problem_response(call.error());
    if (auto here = check_region(*call); !here) return problem_response(here.error());
    const auto reply = database_.feed(*call);
    if (!reply.ok()) return problem_response(reply.error());
    return Response::json(feed_json(*reply));
}

/// GET /feed/compare?profile=a&with=b and the parameters of /feed.
Response Door::answer_comparison(const Request& request) {
    std::string other;
    const auto call = feed_call(request, &other);
    if (!call.ok()) return problem_response(call.error());
    if (auto here = check_region(*call); !here) return problem_response(here.error());
    if (other.empty())
        return problem_response(
            Error(ErrorCode::kInvalidArgument, "with= names the profile to compare with")
                .with_field("with"));
    const auto reply = database_.compare(*call, other);
    if (!reply.ok()) return problem_response(reply.error());
    return Response::json(comparison_json(*reply));
}

/// {"query": "RETRIEVE items ..."}
Response Door::answer_query(const Request& request) {
    const auto text = [&]() -> Result<std::string> {
        TIDAL_TRY(check_parameters(request, {"token"}));
        TIDAL_TRY(check_json(request));
        return JsonReader().query(request.body);
    }();
    if (!text.ok()) return problem_response(text.error());
    const auto reply = database_.query(*text);
    if (!reply.ok()) return problem_response(reply.error());
    return Response::json(feed_json(*reply));
}

void Door::add_feed_routes() {
    whole_.add(Method::kPost, "/query", [this](Request request, Responder responder) {
        when_visible(std::move(request), std::move(responder),
                     [this](const Request& visible) { return answer_query(visible); });
    });
    whole_.add(Method::kGet, "/feed/compare", [this](Request request, Responder responder) {
        when_visible(std::move(request), std::move(responder),
                     [this](const Request& visible) { return answer_comparison(visible); });
    });
    whole_.add(Method::kGet, "/feed", [this](Request request, Responder responder) {
        when_visible(std::move(request), std::move(responder),
                     [this](const Request& visible) { return answer_feed(feed_call(visible)); });
    });
    whole_.add(Method::kPost, "/feed", [this](Request request, Responder responder) {
        when_visible(std::move(request), std::move(responder), [this](const Request& visible) {
            return answer_feed([&]() -> Result<api::FeedCall> {
                TIDAL_TRY(check_parameters(visible, {"token"}));
                TIDAL_TRY(check_json(visible));
                return JsonReader().feed(visible.body);
            }());
        });
    });
}

}  // namespace tidal::http
