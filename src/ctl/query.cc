// query and profile compare: pages as tables.
#include <boost/json.hpp>
#include <cstdio>

#include <algorithm>

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/output.h"
#include "ctl/page.h"
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

/// What a search says of its items beside their scores, as far as any has it.
std::vector<std::string> parts_of(const json::array& items) {
    std::vector<std::string> out;
    for (const char* const part : {"text_score", "vector_score", "fused_score"})
        if (std::ranges::any_of(
                items, [&](const json::value& item) { return item.as_object().contains(part); }))
            out.emplace_back(part);
    return out;
}

void print_items(const json::array& items) {
    const std::vector<std::string> parts = parts_of(items);
    std::vector<Row> rows{{"rank", "score"}};
    rows.front().insert(rows.front().end(), parts.begin(), parts.end());
    rows.front().insert(rows.front().end(), {"entity_id", "metadata"});
    for (const json::value& each : items) {
        const json::object& item = each.as_object();
        std::string metadata;
        for (const auto& [name, value] : item.at("metadata").as_object())
            metadata += (metadata.empty() ? "" : " ") + std::string(name) + "=" + shown(value);
        Row& row = rows.emplace_back();
        row = {shown(item.at("rank")), rounded(item.at("score"))};
        for (const std::string& part : parts)
            row.push_back(item.contains(part) ? rounded(item.at(part)) : "");
        row.insert(row.end(), {shown(item.at("entity_id")), std::move(metadata)});
    }
    print_table(rows);
}

/// Why each item has its score; the terms add up to it.
void print_explanations(const json::array& items) {
    std::vector<Row> terms{{"entity_id", "term", "value"}};
    std::vector<Row> features{{"entity_id", "feature", "value"}};
    for (const json::value& each : items) {
        const json::object& item = each.as_object();
        const json::value* const explain = item.if_contains("explain");
        if (explain == nullptr) continue;
        const std::string id = shown(item.at("entity_id"));
        for (const json::value& term : explain->at("terms").as_array())
            terms.push_back({id, shown(term.at("term")), rounded(term.at("value"))});
        terms.push_back({id, "= score", rounded(item.at("score"))});
        for (const json::value& feature : explain->at("features").as_array())
            features.push_back(
                {id, shown(feature.at("feature")),
                 rounded(feature.at("value")) +
                     (feature.at("missing").as_bool() ? " (the item has none)" : "")});
    }
    for (const std::vector<Row>& rows : {terms, features}) {
        if (rows.size() == 1) continue;
        std::printf("\n");
        print_table(rows);
    }
}

/// Which items are where they are for another reason than their score.
void print_places(const json::array& items) {
    std::vector<Row> rows{{"entity_id", "place"}};
    for (const json::value& each : items) {
        const json::object& item = each.as_object();
        const std::string id = shown(item.at("entity_id"));
        if (item.contains("pinned")) rows.push_back({id, "pinned"});
        if (const json::value* const group = item.if_contains("group"))
            rows.push_back({id, "group " + shown(*group)});
        if (const json::value* const why = item.if_contains("explored"))
            rows.push_back({id, "explored: " + rounded(why->at("positives")) + " positive of " +
                                    rounded(why->at("impressions")) + " impressions, drawn " +
                                    rounded(why->at("draw")) +
                                    (why->at("outside").as_bool() ? ", outside" : "")});
    }
    if (rows.size() == 1) return;
    std::printf("\n");
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

/// Which way each source took.
void print_sources(const json::array& sources) {
    std::vector<Row> rows{{"source", "path", "candidates", "why"}};
    for (const json::value& source : sources)
        rows.push_back({shown(source.at("source")), shown(source.at("path")),
                        shown(source.at("candidates")), shown(source.at("why"))});
    std::printf("\n");
    print_table(rows);
}

/// What stands at each rank of both.
void print_ranks(const json::object& left, const json::object& right) {
    const json::array &here = left.at("items").as_array(), &there = right.at("items").as_array();
    std::vector<Row> rows{{"rank", shown(left.at("profile")), shown(right.at("profile"))}};
    const auto cell = [](const json::array& items, std::size_t i) {
        return i < items.size() ? shown(items[i].at("entity_id")) : std::string();
    };
    for (std::size_t i = 0; i < std::max(here.size(), there.size()); ++i)
        rows.push_back({std::to_string(i + 1), cell(here, i), cell(there, i)});
    print_table(rows);
}

}  // namespace

Result<void> print_page(const std::string& reply, bool as_json) {
    if (as_json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object page, parse_reply(reply));
    const json::array& items = page.at("items").as_array();
    print_items(items);
    print_places(items);
    print_explanations(items);
    if (const auto* facets = page.if_contains("facets")) print_facets(facets->as_object());
    if (const auto* filter = page.if_contains("filter")) print_filter(filter->as_array());
    if (const auto* sources = page.if_contains("sources")) print_sources(sources->as_array());
    std::printf("\n%s of %s matched\n", shown(page.at("matched")).c_str(),
                shown(page.at("candidates")).c_str());
    if (const auto* text = page.if_contains("query"))
        std::printf("query: %s\n", shown(*text).c_str());
    if (const json::value& level = page.at("degradation"); shown(level) != "0")
        std::printf("under load, level %s\n", shown(level).c_str());
    if (const auto* impressions = page.if_contains("impressions")) {
        std::printf("%s impressions written\n", shown(impressions->at("written")).c_str());
        if (const auto* token = impressions->as_object().if_contains("token"))
            std::printf("token: %s\n", shown(*token).c_str());
    }
    for (const json::value& warning : page.at("warnings").as_array())
        std::printf("warning: %s\n", shown(warning).c_str());
    if (const json::value& cursor = page.at("next_cursor"); cursor.is_string())
        std::printf("next: AFTER '%s'\n", shown(cursor).c_str());
    return {};
}

Result<void> query(const Options& options) {
    std::string text = options.query;
    if (text == "-") {
        TIDAL_ASSIGN(text, read_text("-"));
    }
    Client client(options.url, options.key, options.token);
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
    return print_page(reply, false);
}

Result<void> profile_compare(const Options& options) {
    std::string path = "/feed/compare?profile=" + percent_encode(options.name) +
                       "&with=" + percent_encode(options.other);
    const std::pair<const char*, const std::string*> parameters[] = {
        {"user_id", &options.user_id}, {"filter", &options.filter}, {"limit", &options.limit}};
    for (const auto& [name, value] : parameters)
        if (!value->empty()) path += std::string("&") + name + "=" + percent_encode(*value);
    TIDAL_ASSIGN(const std::string reply,
                 Client(options.url, options.key, options.token).get(path));
    if (options.json) return print_reply(reply, true);
    TIDAL_ASSIGN(const json::object both, parse_reply(reply));
    print_ranks(both.at("left").as_object(), both.at("right").as_object());
    std::printf("\n%s on both, %zu of them at another rank\n", shown(both.at("common")).c_str(),
                both.at("moves").as_array().size());
    return {};
}

}  // namespace tidal::ctl
