// What feeds and suggestions are asked for.
#include "api/resolve.h"
#include "http/call.h"
#include "http/internal/json_in.h"

namespace tidal::http {
namespace json_in {
namespace {

Result<api::FeedCall> read_feed(const element& json) {
    constexpr std::array<std::string_view, 30> keys = {
        "kind",      "cohort", "query",      "similar_to", "vector",       "user_id",
        "profile",   "params", "filter",     "facets",     "limit",        "cursor",
        "exclude",   "seed",   "region",     "explain",    "experiment",   "sort",
        "pin",       "bury",   "diversity",  "group_by",   "fields",       "log_impressions",
        "highlight", "effort", "session_id", "fresh",      "log_features", "stats"};
    api::FeedCall call;
    TIDAL_TRY(members(json, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "user_id") {
            TIDAL_ASSIGN(call.user_id, id(value, key));
        } else if (key == "kind") {
            TIDAL_ASSIGN(call.kind, kind(value));
        } else if (key == "session_id") {
            TIDAL_ASSIGN(const std::string id, session_id(value));
            TIDAL_ASSIGN(call.session, api::parse_session_id(id));
        } else if (key == "fresh") {
            TIDAL_ASSIGN(call.fresh, flag(value, key));
        } else if (key == "cohort") {
            TIDAL_ASSIGN(call.cohort, text(value, key));
        } else if (key == "similar_to") {
            TIDAL_ASSIGN(call.similar_to, id(value, key));
        } else if (key == "vector") {
            TIDAL_ASSIGN(call.vector, numbers(value, key));
        } else if (key == "profile" || key == "experiment") {
            std::string& name = key == "profile" ? call.profile : call.experiment;
            TIDAL_ASSIGN(name, text(value, key));
            if (name.empty()) return wrong_type(key, "a name");
        } else if (key == "query") {
            TIDAL_ASSIGN(call.query, text(value, key));
        } else if (key == "filter") {
            TIDAL_ASSIGN(call.filter, text(value, key));
        } else if (key == "facets") {
            TIDAL_ASSIGN(call.facets, text(value, key));
        } else if (key == "cursor") {
            TIDAL_ASSIGN(call.cursor, text(value, key));
        } else if (key == "region") {
            TIDAL_ASSIGN(call.region, text(value, key));
        } else if (key == "sort") {
            TIDAL_ASSIGN(call.sort, text(value, key));
        } else if (key == "diversity") {
            TIDAL_ASSIGN(call.diversity, text(value, key));
        } else if (key == "effort") {
            TIDAL_ASSIGN(call.effort, text(value, key));
        } else if (key == "stats") {
            TIDAL_ASSIGN(const std::string asked, text(value, key));
            return check_statistics(asked);
        } else if (key == "group_by") {
            TIDAL_ASSIGN(call.group_by, text(value, key));
        } else if (key == "fields") {
            TIDAL_ASSIGN(call.fields, texts(value, key));
        } else if (key == "highlight") {
            TIDAL_ASSIGN(call.highlight, texts(value, key));
        } else if (key == "explain" || key == "log_impressions" || key == "log_features") {
            bool& wish = key == "explain"           ? call.explain
                         : key == "log_impressions" ? call.log_impressions
                                                    : call.log_features;
            TIDAL_ASSIGN(wish, flag(value, key));
        } else if (key == "limit") {
            TIDAL_ASSIGN(call.limit, count(value, key, "an integer from 1 to 1000"));
        } else if (key == "seed") {
            std::uint64_t seed = 0;
            if (value.get(seed) != simdjson::SUCCESS) return wrong_type(key, "an unsigned integer");
            call.seed = seed;
        } else if (key == "params") {
            object params;
            if (value.get(params) != simdjson::SUCCESS)
                return wrong_type(key, "an object of numbers");
            for (const auto& [name, param] : params) {
                TIDAL_ASSIGN(call.params[std::string(name)],
                             number(param, "params." + std::string(name)));
            }
        } else {
            auto& ids = key == "pin" ? call.pin : key == "bury" ? call.bury : call.exclude;
            simdjson::dom::array array;
            if (value.get(array) != simdjson::SUCCESS) return wrong_type(key, "an array of ids");
            for (const element each : array) {
                TIDAL_ASSIGN(api::IdInput one, id(each, key));
                ids.push_back(std::move(one));
            }
        }
        return {};
    }));
    return call;
}

Result<api::SuggestCall> read_suggest(const element& json) {
    constexpr std::array<std::string_view, 4> keys = {"query", "limit", "user_id", "filter"};
    api::SuggestCall call;
    bool has_query = false;
    TIDAL_TRY(members(json, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "query") {
            TIDAL_ASSIGN(call.query, text(value, key));
            has_query = true;
        } else if (key == "filter") {
            TIDAL_ASSIGN(call.filter, text(value, key));
        } else if (key == "user_id") {
            TIDAL_ASSIGN(call.user_id, id(value, key));
        } else {
            TIDAL_ASSIGN(call.limit, count(value, key, "an integer from 1 to 100"));
        }
        return {};
    }));
    if (!has_query) return missing("query");
    return call;
}

}  // namespace
}  // namespace json_in

Result<api::SuggestCall> JsonReader::suggest(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_suggest(root);
}

Result<api::FeedCall> JsonReader::feed(std::string_view json) {
    TIDAL_ASSIGN(const auto root, parser_->parse(json));
    return json_in::read_feed(root);
}

}  // namespace tidal::http
