// Searches that users keep.
#include <boost/json.hpp>

#include "base/time_text.h"
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_text.h"
#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

Response list_of(const Result<std::vector<api::SavedSearch>>& kept) {
    if (!kept.ok()) return problem_response(kept.error());
    json::array list;
    for (const api::SavedSearch& each : *kept)
        list.push_back(json::object{{"name", each.name},
                                    {"query", each.query},
                                    {"saved_at", format_time(each.saved_ms)},
                                    {"looked_at", format_time(each.looked_ms)}});
    return Response::json(json_text(json::object{{"searches", std::move(list)}}));
}

api::SavedSearchWrite write_of(const Request& request) {
    api::SavedSearchWrite write;
    write.user_id = request.parameters.text("id");
    write.name = request.parameters.text("name");
    return write;
}

}  // namespace

void Door::add_saved_search_routes() {
    const std::string one = "/users/{id}/searches/{name}";
    add_write(Method::kPut, one,
              [](JsonReader& reader, const Request& request) -> Result<api::Write> {
                  TIDAL_TRY(check_json(request));
                  api::SavedSearchWrite write = write_of(request);
                  TIDAL_ASSIGN(write.query, reader.query(request.body));
                  return api::Write(std::move(write));
              });
    add_write(Method::kDelete, one, [](JsonReader&, const Request& request) -> Result<api::Write> {
        return api::Write(write_of(request));
    });
    add_write(Method::kPost, one + "/look",
              [](JsonReader&, const Request& request) -> Result<api::Write> {
                  api::SavedSearchWrite write = write_of(request);
                  write.looked = true;
                  return api::Write(std::move(write));
              });
    whole_.add(Method::kGet, "/users/{id}/searches", reading([this](const Request& request) {
                   return list_of(database_.saved_searches(request.parameters.text("id")));
               }));
    whole_.add(Method::kGet, one, [this](Request request, Responder responder) {
        once_fresh(std::move(request), std::move(responder), {},
                   [this](const Request& visible, Responder to) {
                       answer_saved_search(visible, std::move(to));
                   });
    });
}

void Door::answer_saved_search(const Request& request, Responder responder) {
    auto wanted = saved_search_request(request);
    if (!wanted.ok()) return responder.fail(wanted.error());
    wanted->may_count = check_counting(request).ok();
    wanted->confirmed = request.staleness_ms == 0;
    database_.run_saved_search(
        *wanted, [responder = std::move(responder),
                  staleness_ms = request.staleness_ms](Result<api::FeedReply> reply) mutable {
            if (!reply.ok()) return responder.fail(reply.error());
            responder.send(
                with_staleness(Response::json(feed_json(*reply, staleness_ms)), staleness_ms));
        });
}

}  // namespace tidal::http
