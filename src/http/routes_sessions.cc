// Sessions, their signals, and the policies that say what they may do.
#include "api/resolve.h"
#include "http/bulk.h"
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/problem.h"
#include "http/refused_sink.h"
#include "http/session_json.h"

namespace tidal::http {
namespace {

Result<std::uint64_t> session_of(const Request& request) {
    return api::parse_session_id(request.parameters.text("id"));
}

/// The path says which session.
Result<api::Write> under(std::uint64_t session, Result<api::Write> line) {
    if (!line.ok()) return line;
    auto* const signal = std::get_if<api::SignalWrite>(&*line);
    std::string& named =
        signal != nullptr ? signal->session_id : std::get<api::SignalUndo>(*line).session_id;
    if (!named.empty())
        return Error(ErrorCode::kInvalidArgument, "the path names the session")
            .with_field("session_id");
    named = std::to_string(session);
    return line;
}

api::Database::SessionDone answer_session(Responder responder) {
    return [responder = std::move(responder)](Result<api::SessionReply> reply) mutable {
        if (!reply.ok()) return responder.fail(reply.error());
        Response response = Response::json(written_session_json(*reply));
        response.headers.push_back({"Tidal-Token", reply->token});
        responder.send(std::move(response));
    };
}

}  // namespace

void Door::add_session_routes() {
    whole_.add(Method::kPost, "/sessions", [this](Request request, Responder responder) {
        auto body = [&]() -> Result<api::SessionOpen> {
            TIDAL_TRY(check_parameters(request, kBulkParameters));
            TIDAL_TRY(check_json(request));
            return JsonReader().session(request.body);
        }();
        if (!body.ok()) return responder.fail(body.error());
        auto context = context_of(request);
        if (!context.ok()) return responder.fail(context.error());
        database_.open_session(std::move(*body), *context, answer_session(std::move(responder)));
    });
    whole_.add(Method::kPatch, "/sessions/{id}", [this](Request request, Responder responder) {
        auto body = [&]() -> Result<api::SessionAnnotate> {
            TIDAL_TRY(check_parameters(request, kBulkParameters));
            TIDAL_TRY(check_json(request));
            TIDAL_ASSIGN(api::SessionAnnotate out, JsonReader().annotations(request.body));
            TIDAL_ASSIGN(out.session, session_of(request));
            return out;
        }();
        if (!body.ok()) return responder.fail(body.error());
        auto context = context_of(request);
        if (!context.ok()) return responder.fail(context.error());
        database_.annotate_session(std::move(*body), *context,
                                   answer_session(std::move(responder)));
    });
    whole_.add(Method::kDelete, "/sessions/{id}", [this](Request request, Responder responder) {
        if (auto known = check_parameters(request, kBulkParameters); !known.ok())
            return responder.fail(known.error());
        const auto id = session_of(request);
        if (!id.ok()) return responder.fail(id.error());
        auto context = context_of(request);
        if (!context.ok()) return responder.fail(context.error());
        database_.close_session(*id, *context, answer_session(std::move(responder)));
    });
    whole_.add(Method::kGet, "/sessions/{id}", [this](Request request, Responder responder) {
        if (auto known = check_parameters(request, kReadParameters); !known.ok())
            return responder.fail(known.error());
        const auto id = session_of(request);
        if (!id.ok()) return responder.fail(id.error());
        when_fresh(std::move(request), std::move(responder), {.entity = {}, .session = *id},
                   [this, id = *id](const Request&) {
                       const auto session = database_.session(id);
                       if (!session.ok()) return problem_response(session.error());
                       return Response::json(session_json(*session));
                   });
    });
    whole_.add(Method::kGet, "/users/{id}/sessions", reading([this](const Request& request) {
                   const auto all = database_.sessions(request.parameters.text("id"));
                   if (!all.ok()) return problem_response(all.error());
                   return Response::json(sessions_json(*all));
               }));
    add_session_signal_routes();
    add_policy_routes();
}

void Door::add_session_signal_routes() {
    const std::string path = "/sessions/{id}/signals";
    add_write(
        Method::kPost, path,
        [](JsonReader& reader, const Request& request) -> Result<api::Write> {
            TIDAL_TRY(check_json(request));
            TIDAL_ASSIGN(const std::uint64_t session, session_of(request));
            return under(session, reader.signal(request.body));
        },
        [this](Request request, Responder responder) {
            const auto session = session_of(request);
            if (!session.ok()) return responder.fail(session.error());
            const auto read = [session = *session](
                                  JsonReader& reader,
                                  const Request& of) -> Result<std::vector<Result<api::Write>>> {
                TIDAL_ASSIGN(auto lines, reader.signals(of.body));
                for (Result<api::Write>& line : lines) line = under(session, std::move(line));
                return lines;
            };
            answer_array(request, read, std::move(responder));
        });
    ndjson_.add_stream(
        Method::kPost, path,
        [this](Request request, Responder responder) -> std::shared_ptr<BodySink> {
            const auto session = session_of(request);
            if (session.ok())
                return bulk_handler([session = *session](JsonReader& reader, std::string_view line,
                                                         api::Write* out) -> Result<void> {
                    TIDAL_ASSIGN(*out, under(session, reader.signal(line)));
                    return {};
                })(std::move(request), std::move(responder));
            responder.fail(session.error());
            return std::make_shared<RefusedSink>();
        });
}

/// The text itself, or as JSON.
void Door::add_policy_routes() {
    whole_.add(Method::kGet, "/policies", reading([this](const Request&) {
                   return Response::json(policies_json(*database_.policies()));
               }));
    whole_.add(Method::kGet, "/policies/{name}", reading([this](const Request& request) {
                   const std::string& name = request.parameters.text("name");
                   const auto policy = database_.policy(name);
                   if (policy.ok()) return Response::json(policy_json(*policy));
                   return problem_response(Error(ErrorCode::kNotFound, "no policy `" + name + "`")
                                               .with_field("name")
                                               .with_hint(policy.error().hint()));
               }));
    add_named_writes("/policies", record::CatalogKind::kPolicy);
}

}  // namespace tidal::http
