// session, policy: what users and agents do in one sitting, and what they may.
#include <boost/json.hpp>
#include <cstdio>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

/// "goal=a present" as {"goal": "a present"}.
Result<json::object> annotations_of(const std::vector<std::string>& pairs) {
    json::object out;
    for (const std::string& pair : pairs) {
        const std::size_t equals = pair.find('=');
        if (equals == 0 || equals == std::string::npos)
            return Error(ErrorCode::kInvalidArgument, "`" + pair + "` is no annotation")
                .with_hint("--annotate key=value");
        out[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    return out;
}

std::string path_of(const Options& options) {
    return "/sessions/" + percent_encode(options.session.id);
}

Result<json::object> body_of(const Options& options) {
    json::object out;
    if (options.session.sequence != 0) out["sequence"] = options.session.sequence;
    TIDAL_ASSIGN(json::object annotations, annotations_of(options.session.annotations));
    if (!annotations.empty()) out["annotations"] = std::move(annotations);
    return out;
}

Result<void> send(const Options& options, Client::Method method, const std::string& path,
                  const json::object& body) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(method, path, "application/json", json::serialize(body)));
    return print_reply(reply, options.json);
}

}  // namespace

Result<void> session_open(const Options& options) {
    TIDAL_ASSIGN(json::object body, body_of(options));
    body["user_id"] = options.user_id;
    if (!options.session.agent.empty()) body["agent"] = options.session.agent;
    if (!options.session.policy.empty()) body["policy"] = options.session.policy;
    return send(options, Client::Method::kPost, "/sessions", body);
}

Result<void> session_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .get("/users/" + percent_encode(options.user_id) + "/sessions"));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::vector<Row> rows{{"session", "state", "policy", "agent", "opened", "reward"}};
    for (const json::value& each : object.at("sessions").as_array()) {
        const json::object& one = each.as_object();
        const json::value* const agent = one.if_contains("agent");
        rows.push_back({shown(one.at("session_id")), shown(one.at("state")),
                        shown(one.at("policy")), agent != nullptr ? shown(*agent) : "-",
                        shown(one.at("opened_at")), shown(one.at("reward"))});
    }
    print_table(rows);
    return {};
}

Result<void> session_show(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get(path_of(options)));
    return print_reply(reply, options.json);
}

Result<void> session_signal(const Options& options) {
    json::object body{{"entity_id", options.target}, {"signal", options.name}};
    if (options.session.sequence != 0) body["sequence"] = options.session.sequence;
    if (options.weight != 1) body["weight"] = options.weight;
    if (!options.idempotency_key.empty()) body["idempotency_key"] = options.idempotency_key;
    return send(options, Client::Method::kPost, path_of(options) + "/signals", body);
}

Result<void> session_annotate(const Options& options) {
    TIDAL_ASSIGN(const json::object body, body_of(options));
    return send(options, Client::Method::kPatch, path_of(options), body);
}

Result<void> session_close(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key).send(Client::Method::kDelete, path_of(options)));
    return print_reply(reply, options.json);
}

Result<void> policy_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/policies"));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::vector<Row> rows{{"policy", "a minute", "burst", "duration"}};
    for (const json::value& each : object.at("policies").as_array()) {
        const json::object& one = each.as_object();
        rows.push_back({shown(one.at("name")) + "@" + shown(one.at("version")),
                        shown(one.at("per_minute")), shown(one.at("burst")),
                        shown(one.at("duration"))});
    }
    print_table(rows);
    return {};
}

Result<void> policy_show(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key).get("/policies/" + percent_encode(options.name)));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::fputs(std::string(object.at("text").as_string()).c_str(), stdout);
    return {};
}

Result<void> policy_put(const Options& options) {
    TIDAL_ASSIGN(const std::string text, read_text(options.file));
    return send(options, Client::Method::kPut, "/policies/" + percent_encode(options.name),
                {{"text", text}, {"dry_run", options.dry_run}});
}

Result<void> policy_retire(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(Client::Method::kDelete, "/policies/" + percent_encode(options.name)));
    return print_reply(reply, options.json);
}

}  // namespace tidal::ctl
