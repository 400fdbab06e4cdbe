#include "http/session_json.h"

#include <boost/json.hpp>

#include "base/time_text.h"
#include "http/json_text.h"
#include "schema/duration.h"

namespace tidal::http {
namespace {

namespace json = boost::json;

json::value id_value(const EntityId& id) {
    if (id.is_text()) return json::value(id.text());
    if (id.number() > kExactIdMax) return json::value(std::to_string(id.number()));
    return json::value(id.number());
}

json::array ids(const std::vector<EntityId>& all) {
    json::array out;
    for (const EntityId& id : all) out.push_back(id_value(id));
    return out;
}

std::string_view state_name(audience::SessionEnd end) {
    switch (end) {
        case audience::SessionEnd::kOpen:
            return "open";
        case audience::SessionEnd::kClosed:
            return "closed";
        case audience::SessionEnd::kExpired:
            return "expired";
    }
    return "";
}

json::object session_object(const api::SessionReply& session) {
    json::object counts, annotations;
    for (const auto& [signal, count] : session.counts) counts[signal] = count;
    for (const auto& [key, value] : session.annotations) annotations[key] = value;
    json::object out{{"session_id", session.id},
                     {"user_id", id_value(session.user)},
                     {"policy", session.policy},
                     {"state", state_name(session.end)},
                     {"opened_at", format_time(session.opened_ms)},
                     {"expires_at", format_time(session.expires_ms)}};
    if (!session.agent.empty()) out["agent"] = session.agent;
    if (session.end != audience::SessionEnd::kOpen) out["ended_at"] = format_time(session.ended_ms);
    out["last_sequence"] = session.last_sequence;
    out["tokens"] = session.tokens;
    out["reward"] = session.reward;
    out["counts"] = std::move(counts);
    out["annotations"] = std::move(annotations);
    out["liked"] = ids(session.liked);
    out["shown"] = ids(session.shown);
    return out;
}

json::object policy_object(const api::StoredPolicy& policy) {
    const auto duration_ms = static_cast<std::int64_t>(policy.rules.duration_ms);
    json::object out{{"name", policy.name},
                     {"version", policy.version},
                     {"built_in", policy.put_ms == 0},
                     {"per_minute", policy.rules.per_minute},
                     {"burst", policy.rules.burst},
                     {"duration", schema::print_duration(duration_ms)}};
    if (policy.put_ms != 0) out["put_at"] = format_time(policy.put_ms);
    if (!policy.rules.signals.empty())
        out["signals"] = json::array(policy.rules.signals.begin(), policy.rules.signals.end());
    return out;
}

}  // namespace

std::string session_json(const api::SessionReply& session) {
    return json_text(session_object(session));
}

std::string written_session_json(const api::SessionReply& session) {
    json::object out = session_object(session);
    out["status"] = "ok";
    out["token"] = session.token;
    if (session.repeated) out["repeated"] = true;
    return json_text(out);
}

std::string sessions_json(const std::vector<api::SessionReply>& sessions) {
    json::array out;
    for (const api::SessionReply& each : sessions) out.push_back(session_object(each));
    return json_text(json::object{{"sessions", std::move(out)}});
}

std::string policies_json(const std::vector<api::StoredPolicy>& policies) {
    json::array out;
    for (const api::StoredPolicy& each : policies) out.push_back(policy_object(each));
    return json_text(json::object{{"policies", std::move(out)}});
}

std::string policy_json(const api::StoredPolicy& policy) {
    json::object out = policy_object(policy);
    out["text"] = policy.text;
    return json_text(out);
}

}  // namespace tidal::http
