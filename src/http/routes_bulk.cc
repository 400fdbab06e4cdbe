// NDJSON bodies: many writes in one request.
#include <charconv>

#include "http/bulk.h"
#include "http/call.h"
#include "http/door.h"
#include "http/import_sink.h"
#include "http/json_read.h"

namespace tidal::http {
namespace {

/// A stream that cannot begin is answered at once; its body is not wanted.
class RefusedSink final : public BodySink {
public:
    void on_chunk(std::string, ReadNext) override {}
    void on_end() override {}
    void on_error(const Error&) override {}
};

StreamHandler bulk_handler(api::Database& database, ParseLine parse) {
    return [&database, parse](Request request, Responder responder) -> std::shared_ptr<BodySink> {
        auto context = [&]() -> Result<api::CallContext> {
            TIDAL_TRY(check_parameters(request, {"w", "wtimeout_ms"}));
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

struct ImportCall {
    std::string id;
    std::int64_t shift_ms = 0;
};

Result<ImportCall> import_call(const Request& request) {
    TIDAL_TRY(check_parameters(request, {"id", "time_shift_ms"}));
    ImportCall call;
    const std::string* id = request.query.find("id");
    if (id == nullptr || id->empty() || id->size() > 200)
        return Error(ErrorCode::kInvalidArgument, "an import needs a name, 1 to 200 bytes")
            .with_field("id")
            .with_hint("the same id goes on where an interrupted import stopped");
    call.id = *id;
    if (const std::string* shift = request.query.find("time_shift_ms")) {
        const auto [end, error] =
            std::from_chars(shift->data(), shift->data() + shift->size(), call.shift_ms);
        if (error != std::errc() || end != shift->data() + shift->size())
            return Error(ErrorCode::kInvalidArgument, "not a number of milliseconds")
                .with_field("time_shift_ms");
    }
    return call;
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
    ndjson_.add_stream(Method::kPost, "/import",
                       [this](Request request, Responder responder) -> std::shared_ptr<BodySink> {
                           auto call = import_call(request);
                           if (call.ok())
                               return make_import_sink(database_, call->id, call->shift_ms,
                                                       std::move(responder));
                           responder.fail(call.error());
                           return std::make_shared<RefusedSink>();
                       });
    whole_.add(Method::kPost, "/import", [](Request, Responder responder) {
        responder.fail(Error(ErrorCode::kUnsupportedMedia, "an import is a stream of JSON lines")
                           .with_field("Content-Type")
                           .with_hint("application/x-ndjson; tidalctl import maps CSV to it"));
    });
}

}  // namespace tidal::http
