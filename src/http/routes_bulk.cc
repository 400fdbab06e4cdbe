// NDJSON bodies: many writes in one request.
#include "http/bulk.h"
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/refused_sink.h"

namespace tidal::http {
namespace {

ParseLine entity_line(EntityKind kind) {
    return [kind](JsonReader& reader, std::string_view line, api::Write* out) -> Result<void> {
        TIDAL_ASSIGN(*out, reader.entity(line, kind));
        return {};
    };
}

}  // namespace

StreamHandler Door::bulk_handler(ParseLine parse) {
    return bulk_handler_for([parse = std::move(parse)](const Request&) { return parse; });
}

StreamHandler Door::bulk_handler_for(ParseFor parse_for) {
    return [this, parse_for = std::move(parse_for)](
               Request request, Responder responder) -> std::shared_ptr<BodySink> {
        auto context = [&]() -> Result<api::CallContext> {
            TIDAL_TRY(check_parameters(request, kBulkParameters));
            return context_of(request);
        }();
        if (context.ok())
            return make_bulk_sink(database_, *context, parse_for(request), std::move(responder));
        responder.fail(context.error());
        return std::make_shared<RefusedSink>();
    };
}

void Door::add_bulk_routes() {
    ndjson_.add_stream(Method::kPost, "/items", bulk_handler(entity_line(EntityKind::kItem)));
    ndjson_.add_stream(Method::kPost, "/users", bulk_handler(entity_line(EntityKind::kUser)));
    ndjson_.add_stream(Method::kPost, "/creators", bulk_handler(entity_line(EntityKind::kCreator)));
    ndjson_.add_stream(Method::kPost, "/embeddings",
                       bulk_handler([](JsonReader& reader, std::string_view line,
                                       api::Write* out) -> Result<void> {
                           TIDAL_ASSIGN(*out, reader.embedding(line));
                           return {};
                       }));
    ndjson_.add_stream(
        Method::kPost, "/collections/{name}/items", bulk_handler_for([](const Request& request) {
            return [name = request.parameters.text("name")](
                       JsonReader& reader, std::string_view line, api::Write* out) -> Result<void> {
                TIDAL_ASSIGN(*out, reader.member(line, name));
                return {};
            };
        }));
    ndjson_.add_stream(Method::kPost, "/signals",
                       bulk_handler([](JsonReader& reader, std::string_view line, api::Write* out) {
                           return reader.signal(line, out);
                       }));
}

}  // namespace tidal::http
