// relationship: whom and what a user hides, saves, follows, blocks, mutes and is friends with.
#include <boost/json.hpp>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

const char* target_of(const std::string& kind) {
    if (kind == "friends") return "friend_id";
    return kind == "hides" || kind == "saves" ? "item_id" : "creator_id";
}

Result<void> change(const Options& options, Client::Method method) {
    const json::object body{{"user_id", options.user_id},
                            {"kind", options.kind},
                            {target_of(options.kind), options.target}};
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(method, "/relationships", "application/json", json::serialize(body)));
    return print_reply(reply, options.json);
}

}  // namespace

Result<void> relationship_list(const Options& options) {
    std::string path = "/users/" + percent_encode(options.user_id) + "/relationships";
    if (!options.kind.empty()) path += "?kind=" + percent_encode(options.kind);
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key, options.token).get(path));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::vector<Row> rows{{"kind", "of", "id", "since"}};
    for (const json::value& each : object.at("relationships").as_array()) {
        const json::object& one = each.as_object();
        const std::string key = target_of(std::string(one.at("kind").as_string()));
        const std::string kind = key == "friend_id" ? "user" : key.substr(0, key.find('_'));
        rows.push_back({shown(one.at("kind")), kind, shown(one.at(key)), shown(one.at("since"))});
    }
    print_table(rows);
    return {};
}

Result<void> relationship_add(const Options& options) {
    return change(options, Client::Method::kPost);
}

Result<void> relationship_end(const Options& options) {
    return change(options, Client::Method::kDelete);
}

}  // namespace tidal::ctl
