// Feeds, and what can be asked for: schema and profiles.
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {

Response Door::answer_feed(const Result<api::FeedCall>& call) {
    if (!call.ok()) return problem_response(call.error());
    if (!call->region.empty() && call->region != options_.region_name)
        return problem_response(Error(ErrorCode::kNotFound, "no region '" + call->region + "' here")
                                    .with_reason("unknown_region")
                                    .with_field("region")
                                    .with_hint("this server has: " + options_.region_name));
    const auto reply = database_.feed(*call);
    if (!reply.ok()) return problem_response(reply.error());
    return Response::json(feed_json(*reply));
}

void Door::add_feed_routes() {
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

void Door::add_catalog_routes() {
    whole_.add(Method::kGet, "/schema", [this](Request request, Responder responder) {
        if (auto known = check_parameters(request, {}); !known.ok())
            return responder.fail(known.error());
        responder.send(Response::json(schema_json(*database_.schema())));
    });
    whole_.add(Method::kPut, "/schema", [this](Request request, Responder responder) {
        auto yaml = [&]() -> Result<std::string> {
            TIDAL_TRY(check_parameters(request, {}));
            if (request.content_type() == "application/yaml") return request.body;
            TIDAL_TRY(check_json(request));
            return JsonReader().schema(request.body);
        }();
        if (!yaml.ok()) return responder.fail(yaml.error());
        database_.put_schema(*yaml,
                             [this, responder = std::move(responder)](Result<void> put) mutable {
                                 if (!put.ok()) return responder.fail(put.error());
                                 responder.send(Response::json(schema_json(*database_.schema())));
                             });
    });
    whole_.add(Method::kGet, "/profiles", [this](Request request, Responder responder) {
        if (auto known = check_parameters(request, {}); !known.ok())
            return responder.fail(known.error());
        responder.send(Response::json(profiles_json(*database_.profiles(), EntityKind::kItem)));
    });
}

}  // namespace tidal::http
