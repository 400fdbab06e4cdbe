// Collections: their names and descriptions, and the items that are in them.
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {
void Door::add_collection_routes() {
    const std::string one = "/collections/{name}";
    whole_.add(Method::kGet, "/collections", reading([this](const Request&) {
                   const auto all = database_.collection_list();
                   if (!all.ok()) return problem_response(all.error());
                   return Response::json(collections_json(*all));
               }));
    whole_.add(Method::kGet, one, reading([this](const Request& request) {
                   const auto found = database_.collection(request.parameters.text("name"));
                   if (!found.ok()) return problem_response(found.error());
                   return Response::json(collection_json(*found));
               }));
    whole_.add(Method::kPut, one, [this](Request request, Responder responder) {
        auto description = [&]() -> Result<std::string> {
            TIDAL_TRY(check_parameters(request, {}));
            if (!request.body.empty()) TIDAL_TRY(check_json(request));
            return JsonReader().description(request.body);
        }();
        if (!description.ok()) return responder.fail(description.error());
        database_.put_collection(
            request.parameters.text("name"), std::move(*description),
            [responder = std::move(responder)](Result<api::CatalogReply> reply) mutable {
                if (!reply.ok()) return responder.fail(reply.error());
                responder.send(Response::json(catalog_json(*reply)));
            });
    });
    whole_.add(Method::kDelete, one, [this](Request request, Responder responder) {
        if (auto known = check_parameters(request, {}); !known.ok())
            return responder.fail(known.error());
        database_.delete_collection(
            request.parameters.text("name"),
            [responder = std::move(responder)](Result<void> deleted) mutable {
                if (!deleted.ok()) return responder.fail(deleted.error());
                responder.send(Response::json("{\"status\":\"ok\"}"));
            });
    });
    const std::string items = one + "/items";
    add_write(
        Method::kPost, items,
        [](JsonReader& reader, const Request& request) -> Result<api::Write> {
            TIDAL_TRY(check_json(request));
            return reader.member(request.body, request.parameters.text("name"));
        },
        [this](Request request, Responder responder) {
            answer_array(
                request,
                [](JsonReader& reader, const Request& of) {
                    return reader.members_of(of.body, of.parameters.text("name"));
                },
                std::move(responder));
        });
    add_write(Method::kDelete, items + "/{id}",
              [](JsonReader&, const Request& request) -> Result<api::Write> {
                  api::CollectionMemberWrite write;
                  write.collection = request.parameters.text("name");
                  write.id = request.parameters.text("id");
                  write.ends = true;
                  return api::Write(std::move(write));
              });
    whole_.add(Method::kGet, items, [this](Request request, Responder responder) {
        auto wanted = collection_items_request(request);
        if (!wanted.ok()) return responder.fail(wanted.error());
        when_fresh(std::move(request), std::move(responder), {},
                   [this, wanted = std::move(*wanted)](const Request&) {
                       const auto found = database_.collection_items(wanted);
                       if (!found.ok()) return problem_response(found.error());
                       return Response::json(collection_items_json(wanted.name, *found));
                   });
    });
}

}  // namespace tidal::http
