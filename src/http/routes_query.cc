// Feeds.
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_write.h"
#include "http/problem.h"
#include "query/query_text.h"

namespace tidal::http {

Result<void> Door::check_region(const api::FeedCall& call) const {
    if (call.region.empty() || call.region == options_.region_name) return {};
    return Error(ErrorCode::kNotFound, "no region '" + call.region + "' here")
        .with_reason("unknown_region")
        .with_field("region")
        .with_hint("this server has: " + options_.region_name);
}

namespace {

api::Database::FeedDone send_feed(const Request& request, Responder responder) {
    return [responder = std::move(responder),
            staleness_ms = request.staleness_ms](Result<api::FeedReply>&& reply) mutable {
        if (!reply.ok()) return responder.fail(reply.error());
        responder.send(
            with_staleness(Response::json(feed_json(*reply, staleness_ms)), staleness_ms));
    };
}

Result<void> check_impressions(const api::FeedCall& call, const Request& request) {
    if (!call.log_impressions) return {};
    return check_counting(request);
}

/// What the text of a query, a body or parameters do not say.
void add_headers(const Request& request, api::FeedCall* call) {
    call->urgency = urgency_of(request);
    call->may_count = check_counting(request).ok();
    call->impressions_key = request.headers.find("Idempotency-Key").value_or("");
    call->request_id = request.request_id;
    call->confirmed = request.staleness_ms == 0;
}

/// What a route ranks by where the request chooses nothing and the database's own default is
/// another.
Result<api::FeedCall>&& by(std::string_view profile, Result<api::FeedCall>&& call) {
    if (call.ok() && call->profile.empty() && call->experiment.empty()) call->profile = profile;
    return std::move(call);
}

/// By `trending`, a search as well.
Result<api::FeedCall>&& of_feed(Result<api::FeedCall>&& call) {
    return call.ok() && call->query ? by("trending", std::move(call)) : std::move(call);
}

}  // namespace

void Door::answer_feed(Result<api::FeedCall>&& call, const Request& request, Responder responder) {
    if (!call.ok()) return responder.fail(call.error());
    if (auto here = check_region(*call); !here) return responder.fail(here.error());
    if (auto writes = check_impressions(*call, request); !writes)
        return responder.fail(writes.error());
    add_headers(request, &*call);
    database_.feed(std::move(*call), send_feed(request, std::move(responder)));
}

/// GET /items/{id}/related and the parameters of /feed: what is like the item or liked with it.
void Door::answer_related(const Request& request, Responder responder) {
    Result<api::FeedCall> call = by("related", feed_call(request));
    if (call.ok() && call->similar_to)
        return responder.fail(
            Error(ErrorCode::kInvalidArgument, "the path names the item").with_field("similar_to"));
    if (call.ok()) call->similar_to = api::IdInput(request.parameters.text("id"));
    answer_feed(std::move(call), request, std::move(responder));
}

/// GET /feed/compare?profile=a&with=b and the parameters of /feed.
void Door::answer_comparison(const Request& request, Responder responder) {
    std::string other;
    Result<api::FeedCall> call = of_feed(feed_call(request, &other));
    if (!call.ok()) return responder.fail(call.error());
    if (auto here = check_region(*call); !here) return responder.fail(here.error());
    if (other.empty())
        return responder.fail(
            Error(ErrorCode::kInvalidArgument, "with= names the profile to compare with")
                .with_field("with"));
    if (call->log_impressions)
        return responder.fail(
            Error(ErrorCode::kInvalidArgument, "a comparison is shown to nobody: it counts none")
                .with_field("log_impressions"));
    add_headers(request, &*call);
    database_.compare(std::move(*call), std::move(other),
                      [responder = std::move(responder), staleness_ms = request.staleness_ms](
                          Result<api::FeedComparison> reply) mutable {
                          if (!reply.ok()) return responder.fail(reply.error());
                          responder.send(with_staleness(
                              Response::json(comparison_json(*reply, staleness_ms)), staleness_ms));
                      });
}

/// {"query": "RETRIEVE items ..."}
void Door::answer_query(const Request& request, Responder responder) {
    auto text = [&]() -> Result<std::string> {
        TIDAL_TRY(check_parameters(request, kReadParameters));
        TIDAL_TRY(check_json(request));
        return JsonReader().query(request.body);
    }();
    if (!text.ok()) return responder.fail(text.error());
    if (request.access < Access::kWrite) {
        const auto parsed = query::parse_query(*text);
        if (parsed.ok() && parsed->log_impressions)
            return responder.fail(check_counting(request).error());
    }
    api::FeedCall call;
    add_headers(request, &call);
    database_.query(
        std::move(*text), std::move(call),
        [responder = std::move(responder),
         staleness_ms = request.staleness_ms](Result<api::QueryReply> reply) mutable {
            if (!reply.ok()) return responder.fail(reply.error());
            const auto* const feed = std::get_if<api::FeedReply>(&*reply);
            responder.send(with_staleness(
                Response::json(feed != nullptr ? feed_json(*feed, staleness_ms)
                                               : suggest_json(std::get<api::SuggestReply>(*reply),
                                                              staleness_ms)),
                staleness_ms));
        });
}

/// A feed of what a query finds: the parameters and keys of /feed, and `query`.
void Door::answer_search(const Request& request, Responder responder) {
    auto call = [&]() -> Result<api::FeedCall> {
        if (request.method == Method::kGet) return feed_call(request);
        TIDAL_TRY(check_parameters(request, kReadParameters));
        TIDAL_TRY(check_json(request));
        return JsonReader().feed(request.body);
    }();
    if (call.ok() && !call->query)
        return responder.fail(Error(ErrorCode::kInvalidArgument, "query= says what to search for")
                                  .with_field("query")
                                  .with_hint("/search?query=jazz%20piano")
                                  .with_reason("missing_query"));
    answer_feed(std::move(call), request, std::move(responder));
}

void Door::add_feed_routes() {
    for (const Method method : {Method::kGet, Method::kPost})
        whole_.add(method, "/search", [this](Request&& request, Responder&& responder) {
            once_fresh(std::move(request), std::move(responder), {},
                       [this](const Request& visible, Responder to) {
                           answer_search(visible, std::move(to));
                       });
        });
    whole_.add(Method::kPost, "/query", [this](Request&& request, Responder&& responder) {
        once_fresh(
            std::move(request), std::move(responder), {},
            [this](const Request& visible, Responder to) { answer_query(visible, std::move(to)); });
    });
    whole_.add(Method::kGet, "/items/{id}/related",
               [this](Request&& request, Responder&& responder) {
                   once_fresh(std::move(request), std::move(responder), {},
                              [this](const Request& visible, Responder to) {
                                  answer_related(visible, std::move(to));
                              });
               });
    whole_.add(Method::kGet, "/feed/compare", [this](Request&& request, Responder&& responder) {
        once_fresh(std::move(request), std::move(responder), {},
                   [this](const Request& visible, Responder to) {
                       answer_comparison(visible, std::move(to));
                   });
    });
    whole_.add(Method::kGet, "/feed", [this](Request&& request, Responder&& responder) {
        once_fresh(std::move(request), std::move(responder), {},
                   [this](const Request& visible, Responder to) {
                       answer_feed(of_feed(feed_call(visible)), visible, std::move(to));
                   });
    });
    whole_.add(Method::kPost, "/feed", [this](Request&& request, Responder&& responder) {
        once_fresh(std::move(request), std::move(responder), {},
                   [this](const Request& visible, Responder to) {
                       auto call = [&]() -> Result<api::FeedCall> {
                           TIDAL_TRY(check_parameters(visible, kReadParameters));
                           TIDAL_TRY(check_json(visible));
                           return JsonReader().feed(visible.body);
                       }();
                       answer_feed(of_feed(std::move(call)), visible, std::move(to));
                   });
    });
}

}  // namespace tidal::http
