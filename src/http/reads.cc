// What every read has in common: how new it is, and that it may be answered elsewhere.
#include "http/call.h"
#include "http/door.h"
#include "http/json_write.h"
#include "http/problem.h"

namespace tidal::http {
namespace {

/// The one entity that a write is about; an undo or a signal is about what the schema says.
api::EntityRequest entity_of(const api::Write& write, const schema::Schema& schema) {
    const auto target = [&](const std::string& signal) {
        const schema::SignalSpec* spec = signal.empty() ? nullptr : schema.find_signal(signal);
        return spec == nullptr ? EntityKind::kItem : spec->target;
    };
    struct Visitor {
        decltype(target)& target_of;
        api::EntityRequest operator()(const api::EntityWrite& w) const { return {w.kind, w.id}; }
        api::EntityRequest operator()(const api::EntityDelete& w) const { return {w.kind, w.id}; }
        api::EntityRequest operator()(const api::EmbeddingWrite& w) const { return {w.kind, w.id}; }
        api::EntityRequest operator()(const api::SignalWrite& w) const {
            return {target_of(w.signal), w.id};
        }
        api::EntityRequest operator()(const api::SignalUndo& w) const {
            return {target_of(w.signal), w.id};
        }
        api::EntityRequest operator()(const api::PreparedWrite&) const { return {}; }
        api::EntityRequest operator()(const api::RelationshipWrite& w) const {
            if (record::is_of_items(w.kind)) return {EntityKind::kItem, w.target};
            return {EntityKind::kUser, w.user_id};
        }
        api::EntityRequest operator()(const api::SessionWrite&) const { return {}; }
        api::EntityRequest operator()(const api::CollectionMemberWrite& w) const {
            return {EntityKind::kItem, w.id};
        }
        api::EntityRequest operator()(const api::SavedSearchWrite& w) const {
            return {EntityKind::kUser, w.user_id};
        }
    };
    return std::visit(Visitor{target}, write);
}

}  // namespace

void Door::once_fresh(Request&& request, Responder&& responder, const api::FenceScope& scope,
                      LaterAnswer answer) {
    const auto fence = read_fence(request);
    if (!fence.ok()) return responder.fail(fence.error());
    if (database_.cluster() == nullptr && fence->token.empty()) {
        request.staleness_ms = 0;
        return answer(request, std::move(responder));
    }
    // Fences are passed on threads that others need; what reads a shard goes on where it began.
    database_.fence(
        *fence, scope, api::CallContext().timeout_ms,
        [request = std::move(request), responder = std::move(responder),
         answer = std::move(answer)](Result<api::FenceReply> fresh) mutable {
            if (!fresh.ok()) return responder.fail(fresh.error());
            request.staleness_ms = fresh->staleness_ms;
            responder.go_on([request = std::move(request), answer = std::move(answer)](
                                Responder to) mutable { answer(request, std::move(to)); });
        },
        api::FenceAnswer::kOnLoop);
}

void Door::when_fresh(Request&& request, Responder&& responder, const api::FenceScope& scope,
                      absl::AnyInvocable<Response(const Request&)> answer) {
    once_fresh(std::move(request), std::move(responder), scope,
               [answer = std::move(answer)](const Request& fresh, Responder to) mutable {
                   to.send(with_staleness(answer(fresh), fresh.staleness_ms));
               });
}

void Door::read_entity(
    EntityKind kind, Request request, Responder responder,
    absl::AnyInvocable<Response(const Request&, const api::EntityRequest&)> answer) {
    if (auto known = check_parameters(request, kEntityReadParameters); !known.ok())
        return responder.fail(known.error());
    api::EntityRequest entity{kind, request.parameters.text("id")};
    if (auto elsewhere = redirected(request, entity)) return responder.send(std::move(*elsewhere));
    when_fresh(std::move(request), std::move(responder), {entity},
               [entity, answer = std::move(answer)](const Request& fresh) mutable {
                   return answer(fresh, entity);
               });
}

std::optional<Response> Door::redirected(const Request& request, const api::EntityRequest& entity) {
    const auto wanted = wants_redirect(request);
    if (!wanted.ok()) return problem_response(wanted.error());
    if (!*wanted) return std::nullopt;
    const auto leader = database_.leader_of(entity);
    if (!leader.ok()) return problem_response(leader.error());
    if (!leader->has_value())
        return problem_response(
            Error(ErrorCode::kUnavailable, "nobody is known to lead this entity's shard now")
                .with_reason("no_leader"));
    // A leader that takes no clients is asked by this node.
    if ((*leader)->here || (*leader)->http_address.empty()) return std::nullopt;
    Response response;
    response.status = 307;  // method and body stay
    response.headers.push_back(
        {"Location", "http://" + (*leader)->http_address + request.raw_path +
                         (request.raw_query.empty() ? "" : "?" + request.raw_query)});
    return response;
}

std::optional<Response> Door::redirected(const Request& request, const api::Write& write) {
    if (request.query.find("redirect") == nullptr) return std::nullopt;
    return redirected(request, entity_of(write, *database_.schema()));
}

}  // namespace tidal::http
