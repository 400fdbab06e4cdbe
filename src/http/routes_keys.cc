// API keys: made, listed, revoked; how they are asked for is in access.h.
#include <algorithm>
#include <boost/json.hpp>

#include "base/time_text.h"
#include "http/call.h"
#include "http/door.h"
#include "http/json_read.h"
#include "http/json_text.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

json::object key_object(const api::ApiKeyInfo& key) {
    return {{"name", key.name},
            {"role", api::key_role_name(key.role)},
            {"created_at", format_time(key.created_ms)}};
}

/// Whoever would be locked out by it could not undo it.
Result<void> check_first_key(const std::vector<api::ApiKeyInfo>& keys, api::KeyRole role) {
    if (!keys.empty() || role == api::KeyRole::kAdmin) return {};
    return Error(ErrorCode::kInvalidArgument, "the first key is an administrator's")
        .with_field("role")
        .with_hint(
            "with it every request needs a key: make one with the role admin, then this one");
}

Result<void> check_not_last_admin(const std::vector<api::ApiKeyInfo>& keys,
                                  const std::string& name) {
    const auto is_admin = [](const api::ApiKeyInfo& key) {
        return key.role == api::KeyRole::kAdmin;
    };
    const auto found = std::ranges::find(keys, name, &api::ApiKeyInfo::name);
    if (found == keys.end() || !is_admin(*found) || std::ranges::count_if(keys, is_admin) > 1)
        return {};
    return Error(ErrorCode::kConflict, "no other key is an administrator's")
        .with_reason("last_admin_key")
        .with_hint("make another one first");
}

}  // namespace

void Door::add_key_routes() {
    whole_.add(Method::kPost, "/keys", [this](Request request, Responder responder) {
        auto wanted = [&]() -> Result<api::ApiKeyInfo> {
            TIDAL_TRY(check_parameters(request, {}));
            TIDAL_TRY(check_json(request));
            TIDAL_ASSIGN(const KeyBody body, JsonReader().key(request.body));
            TIDAL_ASSIGN(const api::KeyRole role, api::parse_key_role(body.role));
            TIDAL_TRY(check_first_key(database_.api_keys(), role));
            return api::ApiKeyInfo{body.name, role, 0};
        }();
        if (!wanted.ok()) return responder.fail(wanted.error());
        database_.create_api_key(
            wanted->name, wanted->role,
            [responder = std::move(responder)](Result<api::NewApiKey> made) mutable {
                if (!made.ok()) return responder.fail(made.error());
                json::object out = key_object(made->info);
                out["key"] = made->key;
                responder.send(Response::json(json_text(out)));
            });
    });
    whole_.add(Method::kGet, "/keys", reading([this](const Request&) {
                   json::array keys;
                   for (const api::ApiKeyInfo& key : database_.api_keys())
                       keys.push_back(key_object(key));
                   return Response::json(json_text(json::object{{"keys", std::move(keys)}}));
               }));
    whole_.add(Method::kDelete, "/keys/{name}", [this](Request request, Responder responder) {
        const std::string& name = request.parameters.text("name");
        auto checked = [&]() -> Result<void> {
            TIDAL_TRY(check_parameters(request, {}));
            return check_not_last_admin(database_.api_keys(), name);
        }();
        if (!checked.ok()) return responder.fail(checked.error());
        database_.revoke_api_key(name,
                                 [responder = std::move(responder)](Result<void> done) mutable {
                                     if (!done.ok()) return responder.fail(done.error());
                                     responder.send(Response::json("{\"status\":\"ok\"}"));
                                 });
    });
}

}  // namespace tidal::http
