// Suggestions: how what is being typed may go on.
#include "http/call.h"
#include "http/door.h"
#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {

void Door::answer_suggest(const Request& request, Responder responder) {
    auto call = [&]() -> Result<api::SuggestCall> {
        if (request.method == Method::kGet) return suggest_call(request);
        TIDAL_TRY(check_parameters(request, kReadParameters));
        TIDAL_TRY(check_json(request));
        return JsonReader().suggest(request.body);
    }();
    if (!call.ok()) return responder.fail(call.error());
    call->urgency = urgency_of(request);
    call->confirmed = request.staleness_ms == 0;
    database_.suggest(
        std::move(*call), [responder = std::move(responder), staleness_ms = request.staleness_ms](
                              Result<api::SuggestReply> reply) mutable {
            if (!reply.ok()) return responder.fail(reply.error());
            responder.send(
                with_staleness(Response::json(suggest_json(*reply, staleness_ms)), staleness_ms));
        });
}

void Door::add_suggest_routes() {
    for (const Method method : {Method::kGet, Method::kPost})
        whole_.add(method, "/suggest", [this](Request request, Responder responder) {
            once_fresh(std::move(request), std::move(responder), {},
                       [this](const Request& visible, Responder to) {
                           answer_suggest(visible, std::move(to));
                       });
        });
}

}  // namespace tidal::http
