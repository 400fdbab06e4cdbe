#include "http/call.h"

#include <charconv>
#include <cmath>
#include <vector>

#include "api/query_gate.h"
#include "api/resolve.h"
#include "base/edit_distance.h"
#include "http/content_coding.h"

namespace tidal::http {
namespace {

constexpr std::uint64_t kTimeoutMsMax = 600'000;
constexpr std::string_view kParamPrefix = "params.";

template <typename Number>
Result<Number> parse(std::string_view name, const std::string& text, std::string_view right) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return value;
    return Error(ErrorCode::kInvalidArgument, "not " + std::string(right) + ": '" + text + "'")
        .with_field(name)
        .with_hint(right);
}

Result<bool> parse_flag(std::string_view name, std::string_view text) {
    if (text == "true" || text == "false") return text == "true";
    return Error(ErrorCode::kInvalidArgument, std::string(name) + " is true or false")
        .with_field(name);
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        if (comma > at) out.push_back(text.substr(at, comma - at));
        at = comma + 1;
    }
    return out;
}

std::vector<api::IdInput> split_ids(const std::string& text) {
    std::vector<api::IdInput> out;
    for (std::string& id : split(text)) out.emplace_back(std::move(id));
    return out;
}

Result<std::vector<double>> parse_numbers(std::string_view name, const std::string& text) {
    std::vector<double> out;
    for (const std::string& one : split(text)) {
        TIDAL_ASSIGN(const double number, parse<double>(name, one, "a number"));
        if (!std::isfinite(number))  // which C++ reads as numbers, and JSON does not have
            return Error(ErrorCode::kInvalidArgument, "not a finite number: '" + one + "'")
                .with_field(std::string(name) + "[" + std::to_string(out.size()) + "]")
                .with_hint("numbers with commas between them");
        out.push_back(number);
    }
    return out;
}

}  // namespace

Result<void> check_parameters(const Request& request, ParameterNames known) {
    for (const auto& [name, value] : request.query.all()) {
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        return Error(ErrorCode::kUnknownName, "unknown query parameter '" + name + "'")
            .with_reason("unknown_parameter")
            .with_field(name)
            .with_hint(name_hint(name, known));
    }
    return {};
}

Result<void> check_parameters(const Request& request,
                              std::initializer_list<std::string_view> known) {
    return check_parameters(request, ParameterNames(known.begin(), known.size()));
}

Result<api::CallContext> write_context(const Request& request) {
    api::CallContext context;
    context.idempotency_key = request.headers.find("Idempotency-Key").value_or("");
    if (const std::string* level = request.query.find("w")) {
        auto parsed = shard::parse_write_concern(*level);
        if (!parsed.ok()) return parsed.take_error().with_field("w");
        context.write_concern = *parsed;
    }
    if (const std::string* wait = request.query.find("wait"); wait != nullptr && *wait != "indexed")
        return Error(ErrorCode::kInvalidArgument, "wait is indexed, or not given")
            .with_field("wait")
            .with_hint("a write is found by searches once it is applied: wait=indexed");
    if (const std::string* timeout = request.query.find("wtimeout_ms")) {
        TIDAL_ASSIGN(context.timeout_ms,
                     parse<std::uint64_t>("wtimeout_ms", *timeout, "milliseconds, 1 to 600000"));
        if (context.timeout_ms == 0 || context.timeout_ms > kTimeoutMsMax)
            return Error(ErrorCode::kInvalidArgument, "time-out out of range")
                .with_field("wtimeout_ms")
                .with_hint("milliseconds, 1 to 600000");
    }
    return context;
}

std::string token_of(const Request& request) {
    if (const auto header = request.headers.find("Tidal-Token")) return std::string(*header);
    const std::string* parameter = request.query.find("token");
    return parameter == nullptr ? "" : *parameter;
}

Result<api::ReadFence> read_fence(const Request& request) {
    api::ReadFence fence;
    fence.token = token_of(request);
    const std::string* parameter = request.query.find("read_consistency");
    const auto header = request.headers.find("Tidal-Read-Consistency");
    if (parameter == nullptr && !header) return fence;
    auto parsed =
        api::parse_consistency(parameter != nullptr ? std::string_view(*parameter) : *header);
    if (!parsed.ok())
        return parsed.take_error().with_field(parameter != nullptr ? "read_consistency"
                                                                   : "Tidal-Read-Consistency");
    fence.consistency = *parsed;
    return fence;
}

Response with_staleness(Response response, std::optional<std::uint64_t> staleness_ms) {
    if (staleness_ms)
        response.headers.push_back({"Tidal-Staleness-Ms", std::to_string(*staleness_ms)});
    return response;
}

Result<bool> wants_redirect(const Request& request) {
    const std::string* redirect = request.query.find("redirect");
    if (redirect == nullptr || *redirect == "off") return false;
    if (*redirect == "on") return true;
    return Error(ErrorCode::kInvalidArgument, "redirect is on or off").with_field("redirect");
}

Result<std::optional<HybridTime>> if_match(const Request& request) {
    if (request.headers.find("If-None-Match"))
        return Error(ErrorCode::kInvalidArgument, "If-None-Match is for reads")
            .with_field("If-None-Match")
            .with_hint("If-Match with the ETag that a GET gave");
    const auto header = request.headers.find("If-Match");
    if (!header || *header == "*") return std::optional<HybridTime>();
    std::uint64_t bits = 0;
    std::string buffer;
    const std::string_view tag = unpacked_etag(*header, &buffer);
    if (tag.size() > 2 && tag.front() == '"' && tag.back() == '"') {
        const auto [end, error] =
            std::from_chars(tag.data() + 1, tag.data() + tag.size() - 1, bits);
        if (error == std::errc() && end == tag.data() + tag.size() - 1)
            return std::optional(HybridTime::from_bits(bits));
    }
    return Error(ErrorCode::kInvalidArgument, "If-Match is not an ETag of this database")
        .with_field("If-Match")
        .with_hint("send the ETag of a GET unchanged");
}

bool must_exist(const Request& request) {
    return request.headers.find("If-Match") == "*";
}

std::uint8_t urgency_of(const Request& request) {
    std::string_view rest = request.headers.find("Priority").value_or("");
    while (!rest.empty()) {
        std::string_view one = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(one.size() + 1, rest.size()));
        while (one.starts_with(' ')) one.remove_prefix(1);
        if (one.size() >= 3 && one.starts_with("u=") && one[2] >= '0' && one[2] <= '7' &&
            (one.size() == 3 || one[3] == ';' || one[3] == ' '))
            return static_cast<std::uint8_t>(one[2] - '0');
    }
    return api::kUrgencyDefault;
}

bool is_known_to_client(const Request& request, std::string_view etag) {
    std::string_view list = request.headers.find("If-None-Match").value_or("");
    while (!list.empty()) {
        std::string_view one = list.substr(0, list.find(','));
        list.remove_prefix(std::min(one.size() + 1, list.size()));
        while (one.starts_with(' ')) one.remove_prefix(1);
        while (one.ends_with(' ')) one.remove_suffix(1);
        if (one == "*") return true;
        if (one.starts_with("W/")) one.remove_prefix(2);
        std::string buffer;
        if (unpacked_etag(one, &buffer) == etag) return true;
    }
    return false;
}

Result<void> check_json(const Request& request) {
    const std::string type = request.content_type();
    if (type == "application/json" || type.empty()) return {};
    return Error(ErrorCode::kUnsupportedMedia, "not a content type of this route: '" + type + "'")
        .with_field("Content-Type")
        .with_hint("application/json");
}

Result<void> check_statistics(std::string_view asked) {
    if (asked == "exact") return {};
    return Error(ErrorCode::kInvalidArgument, "stats is exact, or not given")
        .with_field("stats")
        .with_hint("every search counts its words on all shards when it is asked: stats=exact");
}

Result<api::FeedCall> feed_call(const Request& request, std::string* compare_with) {
    api::FeedCall call;
    static constexpr std::string_view known[] = {
        "user_id",    "session_id", "fresh",           "kind",         "cohort",
        "similar_to", "vector",     "profile",         "query",        "filter",
        "facets",     "limit",      "cursor",          "exclude",      "seed",
        "region",     "explain",    "token",           "experiment",   "sort",
        "pin",        "bury",       "group_by",        "fields",       "highlight",
        "diversity",  "effort",     "log_impressions", "log_features", "read_consistency",
        "stats"};
    for (const auto& [parameter, value] : request.query.all()) {
        const std::string_view name = parameter;  // which compares lengths first
        if (name == "user_id") {
            call.user_id = api::IdInput(value);
        } else if (name == "session_id") {
            TIDAL_ASSIGN(call.session, api::parse_session_id(value));
        } else if (name == "fresh") {
            TIDAL_ASSIGN(call.fresh, parse_flag(name, value));
        } else if (name == "kind") {
            TIDAL_ASSIGN(call.kind, api::kind_named(value));
        } else if (name == "cohort") {
            call.cohort = value;
        } else if (name == "similar_to") {
            call.similar_to = api::IdInput(value);
        } else if (name == "vector") {
            TIDAL_ASSIGN(call.vector, parse_numbers(name, value));
        } else if (name == "profile" || name == "experiment") {
            if (value.empty())
                return Error(ErrorCode::kInvalidArgument, parameter + "= names none")
                    .with_field(name);
            (name == "profile" ? call.profile : call.experiment) = value;
        } else if (name == "query") {
            call.query = value;
        } else if (name == "with" && compare_with != nullptr) {
            *compare_with = value;
        } else if (name == "filter") {
            call.filter = value;
        } else if (name == "facets") {
            call.facets = value;
        } else if (name == "cursor") {
            call.cursor = value;
        } else if (name == "region") {
            call.region = value;
        } else if (name == "exclude") {
            call.exclude = split_ids(value);
        } else if (name == "sort") {
            call.sort = value;
        } else if (name == "diversity") {
            call.diversity = value;
        } else if (name == "effort") {
            call.effort = value;
        } else if (name == "stats") {
            TIDAL_TRY(check_statistics(value));
        } else if (name == "group_by") {
            call.group_by = value;
        } else if (name == "pin") {
            call.pin = split_ids(value);
        } else if (name == "bury") {
            call.bury = split_ids(value);
        } else if (name == "fields") {
            call.fields = split(value);
        } else if (name == "highlight") {
            call.highlight = split(value);
        } else if (name == "limit") {
            TIDAL_ASSIGN(call.limit,
                         parse<std::uint32_t>(name, value, "an integer from 1 to 1000"));
        } else if (name == "seed") {
            TIDAL_ASSIGN(call.seed, parse<std::uint64_t>(name, value, "an unsigned integer"));
        } else if (name == "explain") {
            TIDAL_ASSIGN(call.explain, parse_flag(name, value));
        } else if (name == "log_impressions") {
            TIDAL_ASSIGN(call.log_impressions, parse_flag(name, value));
        } else if (name == "log_features") {
            TIDAL_ASSIGN(call.log_features, parse_flag(name, value));
        } else if (name.starts_with(kParamPrefix)) {
            TIDAL_ASSIGN(call.params[std::string(name.substr(kParamPrefix.size()))],
                         parse<double>(name, value, "a number"));
        } else if (std::ranges::find(kReadParameters, name) == std::end(kReadParameters)) {
            return Error(ErrorCode::kUnknownName, "unknown query parameter '" + parameter + "'")
                .with_reason("unknown_parameter")
                .with_field(name)
                .with_hint(name_hint(name, known));
        }
    }
    return call;
}

Result<api::SuggestCall> suggest_call(const Request& request) {
    TIDAL_TRY(check_parameters(
        request, {"query", "limit", "user_id", "filter", "token", "read_consistency"}));
    api::SuggestCall call;
    const std::string* const query = request.query.find("query");
    if (query == nullptr)
        return Error(ErrorCode::kInvalidArgument, "query= says what was typed so far")
            .with_field("query")
            .with_hint("/suggest?query=jaz")
            .with_reason("missing_query");
    call.query = *query;
    if (const auto* limit = request.query.find("limit")) {
        TIDAL_ASSIGN(call.limit, parse<std::uint32_t>("limit", *limit, "an integer from 1 to 100"));
    }
    if (const auto* user = request.query.find("user_id")) call.user_id = api::IdInput(*user);
    if (const auto* filter = request.query.find("filter")) call.filter = *filter;
    return call;
}

Result<api::CollectionItemsRequest> collection_items_request(const Request& request) {
    TIDAL_TRY(check_parameters(request, {"limit", "cursor", "token", "read_consistency"}));
    api::CollectionItemsRequest out;
    out.name = request.parameters.text("name");
    if (const auto* limit = request.query.find("limit")) {
        TIDAL_ASSIGN(out.limit, parse<std::uint32_t>("limit", *limit, "an integer from 1 to 1000"));
    }
    if (const auto* cursor = request.query.find("cursor")) out.cursor = *cursor;
    return out;
}

/// A GET is what an image of a foreign page can send, without an Origin that would tell.
Result<void> check_counting(const Request& request) {
    if (request.access < Access::kWrite)
        return Error(ErrorCode::kForbidden, "impressions are writes, and the key is a reader's")
            .with_field("log_impressions")
            .with_reason("role")
            .with_hint("a key with the role writer");
    if (request.method != Method::kGet && request.method != Method::kHead) return {};
    const std::string_view site = request.headers.find("Sec-Fetch-Site").value_or("none");
    if (site == "none" || site == "same-origin") return {};
    return Error(ErrorCode::kForbidden, "the request comes from a page of another site")
        .with_field("Sec-Fetch-Site")
        .with_reason("foreign_origin")
        .with_hint("POST /feed from a program, or from a page of this server");
}

Result<api::SavedSearchRequest> saved_search_request(const Request& request) {
    TIDAL_TRY(check_parameters(request, {"new", "limit", "cursor", "token", "read_consistency"}));
    api::SavedSearchRequest out;
    out.user_id = request.parameters.text("id");
    out.name = request.parameters.text("name");
    out.urgency = urgency_of(request);
    if (const auto* only_new = request.query.find("new")) {
        TIDAL_ASSIGN(out.only_new, parse_flag("new", *only_new));
    }
    if (const auto* limit = request.query.find("limit")) {
        TIDAL_ASSIGN(out.limit, parse<std::uint32_t>("limit", *limit, "an integer from 1 to 1000"));
    }
    if (const auto* cursor = request.query.find("cursor")) out.cursor = *cursor;
    return out;
}

}  // namespace tidal::http
