// node, shard and key: a cluster, through any of its nodes.
#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdio>
#include <map>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

/// Members of each of the objects as a table; those that are not there stay empty.
void print_objects(const json::array& objects, const std::vector<const char*>& columns) {
    std::vector<Row> rows{Row(columns.begin(), columns.end())};
    for (const json::value& each : objects) {
        Row row;
        for (const char* column : columns) {
            const auto* found = each.as_object().if_contains(column);
            row.push_back(found != nullptr ? shown(*found) : "");
        }
        rows.push_back(std::move(row));
    }
    print_table(rows);
}

/// The objects of `reply[list]`.
Result<void> print_list(const std::string& reply, const char* list,
                        const std::vector<const char*>& columns, bool as_json) {
    if (as_json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    print_objects(object.at(list).as_array(), columns);
    return {};
}

/// How far replicas are behind. Who leads a shard knows, so of others nothing is known.
struct Lag {
    bool known = false;
    std::int64_t entries = 0;
    double seconds = 0;

    void add(const json::object& replica) {
        known = true;
        entries = std::max(entries, replica.at("lag_entries").to_number<std::int64_t>());
        seconds = std::max(seconds, replica.at("lag_s").to_number<double>());
    }
    void write_to(json::object* row) const {
        if (!known) return;
        (*row)["replica_lag"] = entries;
        (*row)["replica_lag_s"] = seconds;
    }
};

const json::array* replicas_of(const json::value& shard) {
    const auto* found = shard.as_object().if_contains("replicas");
    return found != nullptr ? &found->as_array() : nullptr;
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
    Client client(options.url, options.key);
    TIDAL_ASSIGN(const std::string reply, client.get("/cluster/nodes"));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(json::object nodes, parse_reply(reply));
    TIDAL_ASSIGN(const std::string shards_reply, client.get("/cluster/shards"));
    TIDAL_ASSIGN(const json::object shards, parse_reply(shards_reply));
    std::map<std::int64_t, Lag> lags;
    for (const json::value& shard : shards.at("shards").as_array())
        if (const json::array* replicas = replicas_of(shard))
            for (const json::value& replica : *replicas)
                lags[replica.at("node").to_number<std::int64_t>()].add(replica.as_object());
    for (json::value& node : nodes.at("nodes").as_array())
        lags[node.at("node").to_number<std::int64_t>()].write_to(&node.as_object());
    print_objects(nodes.at("nodes").as_array(),
                  {"node", "state", "up", "leads", "replica_lag", "replica_lag_s", "peer_address",
                   "http_address", "round_trip_ms"});
    return {};
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
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(json::object shards, parse_reply(reply));
    for (json::value& shard : shards.at("shards").as_array()) {
        Lag lag;
        if (const json::array* replicas = replicas_of(shard))
            for (const json::value& replica : *replicas) lag.add(replica.as_object());
        lag.write_to(&shard.as_object());
    }
    std::vector<const char*> columns{
        "shard",         "leader",      "term",         "commit_index", "applied_index",
        "durable_index", "lag_entries", "staleness_ms", "replica_lag",  "replica_lag_s"};
    if (options.content_hash) columns.insert(columns.end(), {"content_index", "content_hash"});
    print_objects(shards.at("shards").as_array(), columns);
    return {};
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
