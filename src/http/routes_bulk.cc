// NDJSON bodies: many writes in one request.
#include "http/bulk.h"
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/refused_sink.h"

namespace tidal::http {
namespace {

StreamHandler bulk_handler(api::Database& database, ParseLine parse) {
    return [&database, parse](Request request, Responder responder) -> std::shared_ptr<BodySink> {
        auto context = [&]() -> Result<api::CallContext> {
            TIDAL_TRY(check_parameters(request, kBulkParameters));
            return write_context(request);
        }();
        if (context.ok()) return make_bulk_sink(database, *context, parse, std::move(responder));
        responder.fail(context.error());
        return std::make_shared<RefusedSink>();
    };
}

ParseLine entity_line(EntityKind kind) {
    return [kind](JsonReader& reader, std::string_view line) { return reader.entity(line, kind); };
}

}  // namespace

void Door::add_bulk_routes() {
    ndjson_.add_stream(Method::kPost, "/items",
                       bulk_handler(database_, entity_line(EntityKind::kItem)));
    ndjson_.add_stream(Method::kPost, "/users",
                       bulk_handler(database_, entity_line(EntityKind::kUser)));
    ndjson_.add_stream(Method::kPost, "/creators",
                       bulk_handler(database_, entity_line(EntityKind::kCreator)));
    ndjson_.add_stream(Method::kPost, "/embeddings",
                       bulk_handler(database_, [](JsonReader& reader, std::string_view line) {
                           return reader.embedding(line);
                       }));
    ndjson_.add_stream(Method::kPost, "/signals",
                       bulk_handler(database_, [](JsonReader& reader, std::string_view line) {
                           return reader.signal(line);
                       }));
}

}  // namespace tidal::http
