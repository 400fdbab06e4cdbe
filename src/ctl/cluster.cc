// node, shard and key: a cluster, through any of its nodes.
#include <boost/json.hpp>
#include <charconv>
#include <cstdio>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

/// Members of each object of `reply[list]` as a table; those that are not there stay empty.
Result<void> print_list(const std::string& reply, const char* list,
                        const std::vector<const char*>& columns, bool as_json) {
    if (as_json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::vector<Row> rows{Row(columns.begin(), columns.end())};
    for (const json::value& each : object.at(list).as_array()) {
        Row row;
        for (const char* column : columns) {
            const auto* found = each.as_object().if_contains(column);
            row.push_back(found != nullptr ? shown(*found) : "");
        }
        rows.push_back(std::move(row));
    }
    print_table(rows);
    return {};
}

Result<void> send_and_print(const Options& options, Client::Method method, const std::string& path,
                            const json::object& body = {}) {
    const bool has_body = method != Client::Method::kDelete;
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(method, path, has_body ? "application/json" : "",
                           has_body ? json::serialize(body) : ""));
    return print_reply(reply, options.json);
}

/// "90s", "30m", "1h", "7d", in seconds.
Result<std::uint64_t> parse_span(const std::string& text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(end, text.data() + text.size());
    const std::uint64_t seconds = unit == "s"   ? 1
                                  : unit == "m" ? 60
                                  : unit == "h" ? 3600
                                  : unit == "d" ? 86400
                                                : 0;
    if (error == std::errc() && number > 0 && number <= 1'000'000 && seconds != 0)
        return number * seconds;
    return Error(ErrorCode::kInvalidArgument, "not a span of time: '" + text + "'")
        .with_field("expires")
        .with_hint("such as 90s, 30m, 1h or 7d");
}

Result<std::uint64_t> parse_number(const std::string& text, const char* field) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return number;
    return Error(ErrorCode::kInvalidArgument, "not a number: '" + text + "'").with_field(field);
}

}  // namespace

Result<void> node_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/cluster/nodes"));
    return print_list(
        reply, "nodes",
        {"node", "state", "up", "leads", "peer_address", "http_address", "round_trip_ms"},
        options.json);
}

Result<void> node_token(const Options& options) {
    TIDAL_ASSIGN(const std::uint64_t seconds, parse_span(options.expires));
    const std::string body = json::serialize(json::object{{"expires_in_s", seconds}});
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(Client::Method::kPost, "/cluster/tokens", "application/json", body));
    if (options.json) return print_reply(reply, true);
    // Alone, so that a script can take it.
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::printf("%s\n", shown(object.at("token")).c_str());
    return {};
}

Result<void> node_remove(const Options& options) {
    TIDAL_ASSIGN(const std::uint64_t node, parse_number(options.number, "node"));
    return send_and_print(options, Client::Method::kDelete,
                          "/cluster/nodes/" + std::to_string(node));
}

Result<void> shard_list(const Options& options) {
    TIDAL_ASSIGN(
        const std::string reply,
        Client(options.url, options.key)
            .get(options.content_hash ? "/cluster/shards?content_hash=on" : "/cluster/shards"));
    std::vector<const char*> columns{"shard",        "leader",        "term",
                                     "commit_index", "applied_index", "durable_index",
                                     "lag_entries",  "staleness_ms"};
    if (options.content_hash) columns.insert(columns.end(), {"content_index", "content_hash"});
    return print_list(reply, "shards", columns, options.json);
}

Result<void> shard_transfer(const Options& options) {
    TIDAL_ASSIGN(const std::uint64_t shard, parse_number(options.number, "shard"));
    json::object body;
    if (!options.to.empty()) {
        TIDAL_ASSIGN(body["node"], parse_number(options.to, "node"));
    }
    return send_and_print(options, Client::Method::kPost,
                          "/cluster/shards/" + std::to_string(shard) + "/transfer", body);
}

Result<void> key_create(const Options& options) {
    const std::string body =
        json::serialize(json::object{{"name", options.name}, {"role", options.role}});
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(Client::Method::kPost, "/keys", "application/json", body));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::printf("%s\n", shown(object.at("key")).c_str());
    return {};
}

Result<void> key_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/keys"));
    return print_list(reply, "keys", {"name", "role", "created_at"}, options.json);
}

Result<void> key_revoke(const Options& options) {
    return send_and_print(options, Client::Method::kDelete,
                          "/keys/" + percent_encode(options.name));
}

}  // namespace tidal::ctl
