// query: a page as a table.
#include <boost/json.hpp>
#include <cstdio>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/table.h"

namespace tidal::ctl {
namespace {

namespace json = boost::json;

/// For reading; --json has every digit.
std::string rounded(const json::value& value) {
    if (!value.is_number()) return shown(value);
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value.to_number<double>());
    return text;
}

void print_items(const json::array& items) {
    std::vector<Row> rows{{"rank", "score", "entity_id", "metadata"}};
    for (const json::value& each : items) {
        const json::object& item = each.as_object();
        std::string metadata;
        for (const auto& [name, value] : item.at("metadata").as_object())
            metadata += (metadata.empty() ? "" : " ") + std::string(name) + "=" + shown(value);
        rows.push_back({shown(item.at("rank")), rounded(item.at("score")),
                        shown(item.at("entity_id")), std::move(metadata)});
    }
    print_table(rows);
}

void print_suggestions(const json::array& suggestions) {
    std::vector<Row> rows{{"text", "kind", "entity_id", "score"}};
    for (const json::value& each : suggestions) {
        const json::object& one = each.as_object();
        const json::value* const id = one.if_contains("entity_id");
        rows.push_back({shown(one.at("text")), shown(one.at("kind")),
                        id != nullptr ? shown(*id) : "", rounded(one.at("score"))});
    }
    print_table(rows);
}

void print_facets(const json::object& facets) {
    for (const auto& [name, facet] : facets) {
        std::vector<Row> rows{{"facet " + std::string(name), "count"}};
        const json::object& object = facet.as_object();
        if (const auto* values = object.if_contains("values"))
            for (const json::value& value : values->as_array())
                rows.push_back({shown(value.at("value")), shown(value.at("count"))});
        if (const auto* ranges = object.if_contains("ranges"))
            for (const json::value& range : ranges->as_array()) {
                const auto* from = range.as_object().if_contains("from");
                const auto* to = range.as_object().if_contains("to");
                rows.push_back({(from != nullptr ? shown(*from) : "") + ".." +
                                    (to != nullptr ? shown(*to) : ""),
                                shown(range.at("count"))});
            }
        std::printf("\n");
        print_table(rows);
    }
}

void print_filter(const json::array& nodes) {
    std::vector<Row> rows{{"filter", "estimated", "examined", "matched"}};
    for (const json::value& node : nodes)
        rows.push_back({std::string(2 * node.at("depth").to_number<std::size_t>(), ' ') +
                            shown(node.at("text")),
                        std::to_string(node.at("estimated").to_number<std::int64_t>()),
                        shown(node.at("examined")), shown(node.at("matched"))});
    std::printf("\n");
    print_table(rows);
}

}  // namespace

Result<void> query(const Options& options) {
    std::string text = options.query;
    if (text == "-") {
        TIDAL_ASSIGN(text, read_text("-"));
    }
    Client client(options.url, options.key);
    if (!options.idempotency_key.empty())
        client.set_header("Idempotency-Key", options.idempotency_key);
    TIDAL_ASSIGN(const std::string reply,
                 client.send(Client::Method::kPost, "/query", "application/json",
                             json::serialize(json::object{{"query", text}})));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object page, parse_reply(reply));
    if (const auto* suggestions = page.if_contains("suggestions")) {
        print_suggestions(suggestions->as_array());
        return {};
    }
    print_items(page.at("items").as_array());
    if (const auto* facets = page.if_contains("facets")) print_facets(facets->as_object());
    if (const auto* filter = page.if_contains("filter")) print_filter(filter->as_array());
    std::printf("\n%s of %s matched\n", shown(page.at("matched")).c_str(),
                shown(page.at("candidates")).c_str());
    if (const auto* impressions = page.if_contains("impressions"))
        std::printf("%s impressions written\n", shown(impressions->at("written")).c_str());
    for (const json::value& warning : page.at("warnings").as_array())
        std::printf("warning: %s\n", shown(warning).c_str());
    if (const json::value& cursor = page.at("next_cursor"); cursor.is_string())
        std::printf("next: AFTER '%s'\n", shown(cursor).c_str());
    return {};
}

}  // namespace tidal::ctl
