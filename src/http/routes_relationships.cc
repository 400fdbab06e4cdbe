// How users stand to items, to creators and to each other.
#include <boost/json.hpp>

#include "base/time_text.h"
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_text.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

/// Ids above 2^53 as texts, since JavaScript loses their last bits.
Result<api::RelationshipsRequest> request_of(const Request& request) {
    static constexpr std::string_view kParameters[] = {"token", "read_consistency", "kind"};
    TIDAL_TRY(check_parameters(request, kParameters));
    api::RelationshipsRequest out;
    out.user_id = request.parameters.text("id");
    for (const auto& [name, value] : request.query.all()) {
        if (name != "kind") continue;
        TIDAL_ASSIGN(out.kind, api::parse_relationship(value));
    }
    return out;
}

Response response_of(const Result<api::RelationshipsReply>& reply) {
    if (!reply.ok()) return problem_response(reply.error());
    json::array list;
    for (const auto& one : reply->relationships)
        list.push_back(json::object{{"kind", api::relationship_name(one.kind)},
                                    {api::relationship_target(one.kind), id_value(one.target)},
                                    {"since", format_time(one.since_ms)}});
    return Response::json(json::serialize(json::object{{"user_id", id_value(reply->user)},
                                                       {"relationships", std::move(list)},
                                                       {"more", reply->more}}));
}

}  // namespace

void Door::add_relationship_routes() {
    for (const Method method : {Method::kPost, Method::kDelete})
        add_write(method, "/relationships",
                  [ends = method == Method::kDelete](JsonReader& reader,
                                                     const Request& request) -> Result<api::Write> {
                      TIDAL_TRY(check_json(request));
                      return reader.relationship(request.body, ends);
                  });
    whole_.add(Method::kGet, "/users/{id}/relationships",
               [this](Request request, Responder responder) {
                   auto wanted = request_of(request);
                   if (!wanted.ok()) return responder.fail(wanted.error());
                   // Those to items lie in every shard.
                   when_fresh(std::move(request), std::move(responder), {},
                              [this, wanted = std::move(*wanted)](const Request&) {
                                  return response_of(database_.relationships(wanted));
                              });
               });
}

}  // namespace tidal::http
