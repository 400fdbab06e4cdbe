// schema, profile, experiment, cohort and model: what a running server has declared.
#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <utility>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, const char* key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

/// The text alone, so that it can go into a file and back.
Result<void> print_text(const std::string& reply, const char* key, bool as_json) {
    if (as_json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    std::fputs(text_of(object, key).c_str(), stdout);
    return {};
}

Result<void> put_text(const Options& options, const std::string& path,
                      Client::Method method = Client::Method::kPost) {
    TIDAL_ASSIGN(const std::string text, read_text(options.file));
    const std::string body =
        json::serialize(json::object{{"text", text}, {"dry_run", options.dry_run}});
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key).send(method, path, "application/json", body));
    return print_reply(reply, options.json);
}

Result<void> retire(const Options& options, const std::string& path) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(Client::Method::kDelete, path + "/" + percent_encode(options.name)));
    return print_reply(reply, options.json);
}

}  // namespace

Result<void> schema_show(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/schema"));
    return print_text(reply, "schema", options.json);
}

Result<void> schema_add(const Options& options) {
    TIDAL_ASSIGN(const std::string yaml, read_text(options.file));
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key)
                     .send(Client::Method::kPut, "/schema", "application/yaml", yaml));
    return print_text(reply, "schema", options.json);
}

Result<void> profile_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/profiles"));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    for (const json::value& each : object.at("profiles").as_array()) {
        const json::object& profile = each.as_object();
        const bool available = profile.at("available").as_bool();
        const std::string name =
            text_of(profile, "name") + "@" + json::serialize(profile.at("version"));
        std::printf(
            "%-28s %-9s %s\n", name.c_str(), profile.at("built_in").as_bool() ? "built in" : "own",
            (available ? text_of(profile, "about") : "not available: " + text_of(profile, "reason"))
                .c_str());
    }
    return {};
}

Result<void> profile_show(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key).get("/profiles/" + percent_encode(options.name)));
    return print_text(reply, options.normalized ? "normalized" : "text", options.json);
}

Result<void> profile_put(const Options& options) {
    return put_text(options, "/profiles");
}

Result<void> profile_retire(const Options& options) {
    return retire(options, "/profiles");
}

Result<void> experiment_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/experiments"));
    return print_reply(reply, options.json);
}

Result<void> experiment_put(const Options& options) {
    return put_text(options, "/experiments");
}

Result<void> experiment_retire(const Options& options) {
    return retire(options, "/experiments");
}

namespace {

/// "0.125", or with its interval "0.125 (0.1..0.15)": four digits are more than any sample has.
std::string rounded(const json::value& value, const json::value& interval) {
    if (value.is_null()) return "-";
    const auto digits = [](const json::value& number) {
        std::array<char, 32> text;  // NOLINT: written by snprintf
        std::snprintf(text.data(), text.size(), "%.4g", number.to_number<double>());
        return std::string(text.data());
    };
    std::string out = digits(value);
    if (!interval.is_null())
        out += " (" + digits(interval.at(0)) + ".." + digits(interval.at(1)) + ")";
    return out;
}

void print_results(const json::object& results) {
    std::vector<Row> rows{
        {"profile", "users", "impressions", "open", "positive", "ctr (95 %)", "reward (95 %)"}};
    for (const json::value& each : results.at("arms").as_array()) {
        const json::object& arm = each.as_object();
        rows.push_back({shown(arm.at("profile")), shown(arm.at("users")),
                        shown(arm.at("impressions")), shown(arm.at("open")),
                        shown(arm.at("positive")), rounded(arm.at("ctr"), arm.at("ctr_interval")),
                        rounded(arm.at("reward"), arm.at("reward_interval"))});
    }
    print_table(rows);
    if (const json::value& others = results.at("other_impressions"); others != 0)
        std::printf("%s impressions of no arm\n", shown(others).c_str());
}

}  // namespace

Result<void> experiment_results(const Options& options) {
    std::string path = "/experiments/" + percent_encode(options.name) + "/results";
    const std::pair<const char*, const std::string*> parameters[] = {
        {"from", &options.from}, {"until", &options.until}, {"within", &options.within}};
    char separator = '?';
    const auto add = [&](const std::string& parameter) {
        path += std::exchange(separator, '&') + parameter;
    };
    for (const auto& [name, value] : parameters)
        if (!value->empty()) add(std::string(name) + "=" + percent_encode(*value));
    if (options.gaps) add("gaps=on");
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get(path));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object results, parse_reply(reply));
    print_results(results);
    return {};
}

Result<void> cohort_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/cohorts"));
    return print_reply(reply, options.json);
}

Result<void> cohort_show(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key).get("/cohorts/" + percent_encode(options.name)));
    return print_text(reply, "text", options.json);
}

Result<void> cohort_put(const Options& options) {
    return put_text(options, "/cohorts");
}

Result<void> cohort_retire(const Options& options) {
    return retire(options, "/cohorts");
}

Result<void> model_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/models"));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    for (const json::value& each : object.at("models").as_array()) {
        const json::object& model = each.as_object();
        std::string inputs;
        for (const json::value& input : model.at("inputs").as_array())
            inputs += " " + std::string(input.as_string());
        std::printf("%-28s %4s trees of%s\n",
                    (text_of(model, "name") + "@" + json::serialize(model.at("version"))).c_str(),
                    json::serialize(model.at("trees")).c_str(), inputs.c_str());
    }
    return {};
}

Result<void> model_show(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key).get("/models/" + percent_encode(options.name)));
    return print_text(reply, "text", options.json);
}

Result<void> model_put(const Options& options) {
    return put_text(options, "/models/" + percent_encode(options.name), Client::Method::kPut);
}

Result<void> model_retire(const Options& options) {
    return retire(options, "/models");
}

Result<void> synonyms_list(const Options& options) {
    TIDAL_ASSIGN(const std::string reply, Client(options.url, options.key).get("/synonyms"));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object object, parse_reply(reply));
    for (const json::value& each : object.at("synonyms").as_array()) {
        const json::object& set = each.as_object();
        std::printf("%-28s %s bytes\n",
                    (text_of(set, "name") + "@" + json::serialize(set.at("version"))).c_str(),
                    json::serialize(set.at("bytes")).c_str());
    }
    return {};
}

Result<void> synonyms_show(const Options& options) {
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key).get("/synonyms/" + percent_encode(options.name)));
    return print_text(reply, "text", options.json);
}

Result<void> synonyms_put(const Options& options) {
    return put_text(options, "/synonyms/" + percent_encode(options.name), Client::Method::kPut);
}

Result<void> synonyms_retire(const Options& options) {
    return retire(options, "/synonyms");
}

}  // namespace tidal::ctl
