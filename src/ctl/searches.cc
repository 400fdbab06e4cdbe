// search: those that a user keeps.
#include <boost/json.hpp>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/page.h"
#include "ctl/table.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

std::string searches_path(const Options& options) {
    return "/users/" + percent_encode(options.user_id) + "/searches";
}

std::string search_path(const Options& options) {
    return searches_path(options) + "/" + percent_encode(options.name);
}

}  // namespace

Result<void> search_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key, options.token).get(searches_path(options)));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::vector<Row> rows{{"name", "saved", "looked", "query"}};
    for (const json::value& each : object.at("searches").as_array())
        rows.push_back({shown(each.at("name")), shown(each.at("saved_at")),
                        shown(each.at("looked_at")), shown(each.at("query"))});
    print_table(rows);
    return {};
}

Result<void> search_save(const Options& options) {
    std::string text = options.query;
    if (text == "-") {
        TIDAL_ASSIGN(text, read_text("-"));
    }
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(Client::Method::kPut, search_path(options), "application/json",
                           json::serialize(json::object{{"query", text}})));
    return print_reply(reply, options.json);
}

Result<void> search_run(const Options& options) {
    std::string path = search_path(options) + (options.only_new ? "?new=true" : "?new=false");
    if (!options.limit.empty()) path += "&limit=" + percent_encode(options.limit);
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key, options.token).get(path));
    return print_page(reply, options.json);
}

Result<void> search_delete(const Options& options) {
    TIDAL_ASSIGN(
        const std::string reply,
        Client(options.url, options.key).send(Client::Method::kDelete, search_path(options)));
    return print_reply(reply, options.json);
}

}  // namespace tidal::ctl
