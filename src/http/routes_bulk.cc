// NDJSON bodies: many writes in one request.
#include "http/bulk.h"
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/refused_sink.h"

namespace tidal::http {
namespace {

ParseLine entity_line(EntityKind kind) {
    return [kind](JsonReader& reader, std::string_view line) { return reader.entity(line, kind); };
}

}  // namespace

StreamHandler Door::bulk_handler(ParseLine parse) {
    return [this, parse](Request request, Responder responder) -> std::shared_ptr<BodySink> {
        auto context = [&]() -> Result<api::CallContext> {
            TIDAL_TRY(check_parameters(request, kBulkParameters));
            return context_of(request);
        }();
        if (context.ok()) return make_bulk_sink(database_, *context, parse, std::move(responder));
        responder.fail(context.error());
        return std::make_shared<RefusedSink>();
    };
}

void Door::add_bulk_routes() {
    ndjson_.add_stream(Method::kPost, "/items", bulk_handler(entity_line(EntityKind::kItem)));
    ndjson_.add_stream(Method::kPost, "/users", bulk_handler(entity_line(EntityKind::kUser)));
    ndjson_.add_stream(Method::kPost, "/creators", bulk_handler(entity_line(EntityKind::kCreator)));
    ndjson_.add_stream(Method::kPost, "/embeddings",
                       bulk_handler([](JsonReader& reader, std::string_view line) {
                           return reader.embedding(line);
                       }));
    ndjson_.add_stream(Method::kPost, "/signals",
                       bulk_handler([](JsonReader& reader, std::string_view line) {
                           return reader.signal(line);
                       }));
}

}  // namespace tidal::http
