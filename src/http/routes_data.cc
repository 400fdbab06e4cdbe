// Entities, vectors and signals: one at a time.
#include "http/bulk.h"
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

Response entity_response(const Request& request, const Result<api::EntityReply>& reply) {
    if (!reply.ok()) return problem_response(reply.error());
    const std::string tag = etag(reply->version);
    Response response;
    if (is_known_to_client(request, tag)) {
        response.status = 304;
    } else {
        response = Response::json(entity_json(*reply));
    }
    response.headers.push_back({"ETag", tag});
    return response;
}

Response signals_response(const Result<api::SignalReadings>& readings) {
    if (!readings.ok()) return problem_response(readings.error());
    return Response::json(signals_json(*readings));
}

}  // namespace

void Door::add_entity_routes(EntityKind kind, const std::string& path) {
    add_write(Method::kPost, path,
              [kind](JsonReader& reader, const Request& request) -> Result<api::Write> {
                  TIDAL_TRY(check_json(request));
                  TIDAL_ASSIGN(api::Write entity, reader.entity(request.body, kind));
                  TIDAL_ASSIGN(std::get<api::EntityWrite>(entity).if_match, if_match(request));
                  std::get<api::EntityWrite>(entity).must_exist = must_exist(request);
                  return entity;
              });
    add_write(Method::kPatch, path + "/{id}",
              [kind](JsonReader& reader, const Request& request) -> Result<api::Write> {
                  TIDAL_TRY(check_json(request));
                  TIDAL_ASSIGN(
                      api::Write entity,
                      reader.entity_patch(request.body, kind, request.parameters.text("id")));
                  TIDAL_ASSIGN(std::get<api::EntityWrite>(entity).if_match, if_match(request));
                  return entity;
              });
    add_write(
        Method::kDelete, path + "/{id}",
        [kind](JsonReader&, const Request& request) -> Result<api::Write> {
            TIDAL_ASSIGN(const auto expected, if_match(request));
            return api::Write(api::EntityDelete{kind, request.parameters.text("id"), expected});
        });
    whole_.add(Method::kGet, path + "/{id}", [this, kind](Request request, Responder responder) {
        read_entity(kind, std::move(request), std::move(responder),
                    [this](const Request& visible, const api::EntityRequest& entity) {
                        return entity_response(visible, database_.get(entity));
                    });
    });
    whole_.add(Method::kGet, path + "/{id}/signals",
               [this, kind](Request request, Responder responder) {
                   read_entity(kind, std::move(request), std::move(responder),
                               [this](const Request&, const api::EntityRequest& entity) {
                                   return signals_response(database_.signals(entity));
                               });
               });
}

void Door::add_signal_routes() {
    add_write(Method::kPost, "/embeddings",
              [](JsonReader& reader, const Request& request) -> Result<api::Write> {
                  TIDAL_TRY(check_json(request));
                  return reader.embedding(request.body);
              });
    // An array is answered line by line, like a stream.
    add_write(
        Method::kPost, "/signals",
        [](JsonReader& reader, const Request& request) -> Result<api::Write> {
            TIDAL_TRY(check_json(request));
            return reader.signal(request.body);
        },
        [this](Request request, Responder responder) {
            answer_array(
                request,
                [](JsonReader& reader, const Request& of) { return reader.signals(of.body); },
                std::move(responder));
        });
}

void Door::answer_array(const Request& request, const ReadWrites& read, Responder responder) {
    auto parsed = [&]() -> Result<std::vector<Result<api::Write>>> {
        TIDAL_TRY(check_parameters(request, kBulkParameters));
        TIDAL_TRY(check_json(request));
        JsonReader reader;
        return read(reader, request);
    }();
    if (!parsed.ok()) return responder.fail(parsed.error());
    auto context = context_of(request);
    if (!context.ok()) return responder.fail(context.error());
    BulkLines lines;
    lines.writes.reserve(parsed->size());
    for (auto& line : *parsed) lines.add(std::move(line));
    write_bulk(database_, std::move(lines), *context, 1,
               [responder = std::move(responder)](BulkAnswer answer) mutable {
                   Response response;
                   response.content_type = "application/x-ndjson";
                   response.body =
                       std::move(answer.lines) + bulk_summary(answer.accepted, answer.rejected);
                   responder.send(std::move(response));
               });
}

}  // namespace tidal::http
