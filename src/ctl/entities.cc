// get, put, delete, signal, undo: one item, user or creator, and what is done with it.
#include <boost/json.hpp>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

std::string entity_path(const Options& options) {
    return "/" + options.kind + "s/" + percent_encode(options.target);
}

Result<json::object> entity_body(const Options& options) {
    std::string text = options.body;
    if (text == "-") {
        TIDAL_ASSIGN(text, read_text("-"));
    }
    json::error_code failed;
    json::value value = json::parse(text, failed);
    if (failed || !value.is_object())
        return Error(ErrorCode::kInvalidArgument, "not one JSON object")
            .with_field("json")
            .with_hint(R"({"metadata":{"title":"Jazz Piano"}})");
    if (value.as_object().contains("entity_id"))
        return Error(ErrorCode::kInvalidArgument, "the id is said before the JSON")
            .with_field("entity_id");
    return std::move(value.as_object());
}

}  // namespace

Result<void> get(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key, options.token)
                     .get(entity_path(options) + (options.counters ? "/signals" : "")));
    return print_reply(reply, options.json);
}

Result<void> put(const Options& options) {
    TIDAL_ASSIGN(json::object body, entity_body(options));
    body["entity_id"] = options.target;
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key)
                                              .send(Client::Method::kPost, "/" + options.kind + "s",
                                                    "application/json", json::serialize(body)));
    return print_reply(reply, options.json);
}

Result<void> erase(const Options& options) {
    if (options.kind == "user" && !options.yes)
        return Error(ErrorCode::kInvalidArgument,
                     "what user " + options.target + " did and likes goes with them, for good")
            .with_field("yes")
            .with_hint("--yes");
    TIDAL_ASSIGN(
        const std::string reply,
        Client(options.url, options.key).send(Client::Method::kDelete, entity_path(options)));
    return print_reply(reply, options.json);
}

namespace {

Result<void> send_signal(const Options& options, const json::object& body) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key)
                                              .send(Client::Method::kPost, "/signals",
                                                    "application/json", json::serialize(body)));
    return print_reply(reply, options.json);
}

}  // namespace

Result<void> signal(const Options& options) {
    json::object body{{"signal", options.name}, {"entity_id", options.target}};
    if (!options.user_id.empty()) body["user_id"] = options.user_id;
    if (!options.idempotency_key.empty()) body["idempotency_key"] = options.idempotency_key;
    if (options.weight != 1) body["weight"] = options.weight;
    return send_signal(options, body);
}

Result<void> undo(const Options& options) {
    json::object body{{"undo", options.idempotency_key}, {"entity_id", options.target}};
    if (!options.session.id.empty()) body["session_id"] = options.session.id;
    return send_signal(options, body);
}

}  // namespace tidal::ctl
