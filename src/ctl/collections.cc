// collection: named sets of items, and what is in them.
#include <boost/json.hpp>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

std::string path_of(const Options& options) {
    return "/collections/" + percent_encode(options.name);
}

Result<void> send(const Options& options, Client::Method method, const std::string& path,
                  const std::string& body = "") {
    Client client(options.url, options.key);
    TIDAL_ASSIGN(const std::string reply,
                 body.empty() ? client.send(method, path)
                              : client.send(method, path, "application/json", body));
    return print_reply(reply, options.json);
}

}  // namespace

Result<void> collection_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/collections"));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::vector<Row> rows{{"name", "items", "description"}};
    for (const json::value& each : object.at("collections").as_array()) {
        const json::object& one = each.as_object();
        rows.push_back(
            {shown(one.at("name")), shown(one.at("items")), shown(one.at("description"))});
    }
    print_table(rows);
    return {};
}

Result<void> collection_show(const Options& options) {
    std::string path = path_of(options) + "/items";
    if (!options.position.empty()) path += "?cursor=" + percent_encode(options.position);
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get(path));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::vector<Row> rows{{"position", "id", "since"}};
    for (const json::value& each : object.at("items").as_array()) {
        const json::object& one = each.as_object();
        rows.push_back(
            {shown(one.at("position")), shown(one.at("entity_id")), shown(one.at("added_at"))});
    }
    print_table(rows);
    if (const json::value& next = object.at("next_cursor"); next.is_string())
        std::printf("more: --cursor %s\n", next.get_string().c_str());
    return {};
}

Result<void> collection_put(const Options& options) {
    return send(options, Client::Method::kPut, path_of(options),
                json::serialize(json::object{{"description", options.description}}));
}

Result<void> collection_delete(const Options& options) {
    return send(options, Client::Method::kDelete, path_of(options));
}

Result<void> collection_add(const Options& options) {
    return send(
        options, Client::Method::kPost, path_of(options) + "/items",
        json::serialize(json::object{{"entity_id", options.target}, {"position", options.place}}));
}

Result<void> collection_remove(const Options& options) {
    return send(options, Client::Method::kDelete,
                path_of(options) + "/items/" + percent_encode(options.target));
}

}  // namespace tidal::ctl
