#include "http/json_read.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/stream_parser.hpp>
#include <charconv>
#include <map>
#include <span>

#include "api/resolve.h"
#include "base/edit_distance.h"
#include "base/time_text.h"
#include "http/call.h"

namespace tidal::http {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

Error wrong_type(std::string_view field, std::string_view right) {
    return Error(ErrorCode::kInvalidArgument, "wrong type")
        .with_reason("wrong_type")
        .with_field(field)
        .with_hint("send " + std::string(right));
}

Error missing(std::string_view field) {
    return Error(ErrorCode::kInvalidArgument, "a required field is missing")
        .with_reason("missing_field")
        .with_field(field);
}

/// simdjson does not say where the text went wrong; the slower parser does, and runs on errors
/// only.
Error not_json(std::string_view json, simdjson::error_code code) {
    if (code == simdjson::DEPTH_ERROR)
        return Error(ErrorCode::kInvalidArgument, "JSON nested too deep")
            .with_reason("too_deep")
            .with("depth_max", JsonReader::kDepthMax);
    if (code == simdjson::NUMBER_ERROR)
        return Error(ErrorCode::kInvalidArgument, "a number that is none, or does not fit")
            .with_reason("bad_number")
            .with_hint("integers within 64 bits, finite doubles; larger ids are decimal strings");
    boost::json::stream_parser parser;
    boost::json::error_code error;
    const std::size_t offset = parser.write_some(json.data(), json.size(), error);
    return Error(ErrorCode::kInvalidArgument,
                 std::string("not JSON: ") + simdjson::error_message(code))
        .with_reason("not_json")
        .with("offset", std::min(offset, json.size()));
}

/// Visits an object's members; each must be one of `known` and come once.
template <std::size_t n, typename Visit>
Result<void> members(const element& json, const std::array<std::string_view, n>& known,
                     Visit visit) {
    object members;
    if (json.get(members) != simdjson::SUCCESS) return wrong_type("", "a JSON object");
    std::array<bool, n> seen{};
    for (const auto& [key, value] : members) {
        const auto found = std::find(known.begin(), known.end(), key);
        if (found == known.end())
            return Error(ErrorCode::kUnknownName, "unknown field '" + std::string(key) + "'")
                .with_reason("unknown_field")
                .with_field(key)
                .with_hint(name_hint(key, known));
        if (std::exchange(seen[static_cast<std::size_t>(found - known.begin())], true))
            return Error(ErrorCode::kInvalidArgument, "field given twice").with_field(key);
        TIDAL_TRY(visit(key, value));
    }
    return {};
}

Result<std::string> text(const element& json, std::string_view field) {
    std::string_view out;
    if (json.get(out) != simdjson::SUCCESS) return wrong_type(field, "a string");
    return std::string(out);
}

Result<double> number(const element& json, std::string_view field) {
    double out = 0;
    if (json.get(out) != simdjson::SUCCESS) return wrong_type(field, "a number");
    return out;
}

Result<api::IdInput> id(const element& json, std::string_view field) {
    std::uint64_t whole = 0;
    if (json.get(whole) == simdjson::SUCCESS) return api::IdInput(whole);
    std::string_view name;
    if (json.get(name) == simdjson::SUCCESS) return api::IdInput(std::string(name));
    const bool number = json.is_number();
    return Error(ErrorCode::kInvalidArgument,
                 number ? "not an id: " + simdjson::minify(json) : "not an id")
        .with_reason("bad_id")
        .with_field(field)
        .with_hint("an unsigned 64-bit number, or a string");
}

Result<UnixMillis> time(const element& json, std::string_view field) {
    std::int64_t ms = 0;
    if (json.get(ms) == simdjson::SUCCESS) return UnixMillis{ms};
    std::string_view rfc3339;
    if (json.get(rfc3339) == simdjson::SUCCESS) return parse_time(rfc3339, field);
    return wrong_type(field, "an RFC 3339 time or integer Unix milliseconds");
}

Result<EntityKind> kind(const element& json) {
    TIDAL_ASSIGN(const std::string name, text(json, "kind"));
    return api::kind_named(name);
}

Result<std::vector<std::string>> texts(const element& json, std::string_view field) {
    simdjson::dom::array array;
    if (json.get(array) != simdjson::SUCCESS) return wrong_type(field, "an array of strings");
    std::vector<std::string> out;
    for (const element each : array) {
        TIDAL_ASSIGN(std::string one, text(each, field));
        out.push_back(std::move(one));
    }
    return out;
}

/// Kept as text: an object as its shortest one.
Result<std::string> context(const element& json) {
    if (json.is_object()) return std::string(simdjson::minify(json));
    std::string_view text;
    if (json.get(text) == simdjson::SUCCESS) return std::string(text);
    return wrong_type("context", "a string or an object");
}

api::FieldInput object_input(const element& json) {
    object members;
    if (json.get(members) != simdjson::SUCCESS) return {};
    double lat = 0, lon = 0;
    if (members.size() == 2 && members["lat"].get(lat) == simdjson::SUCCESS &&
        members["lon"].get(lon) == simdjson::SUCCESS)
        return record::GeoPoint{lat, lon};
    return api::JsonText{simdjson::minify(json)};
}

/// Any JSON value; the schema says later which ones a field takes.
api::FieldInput field_input(const element& json) {
    switch (json.type()) {
        case element_type::NULL_VALUE:
            return std::monostate();
        case element_type::BOOL:
            return bool(json);
        case element_type::INT64:
            return std::int64_t(json);
        case element_type::UINT64:
            return std::uint64_t(json);
        case element_type::DOUBLE:
            return double(json);
        case element_type::STRING:
            return std::string(std::string_view(json));
        case element_type::OBJECT:
            return object_input(json);
        case element_type::ARRAY:
            break;
    }
    auto strings = texts(json, "");
    if (strings.ok()) return std::move(*strings);
    return api::JsonText{simdjson::minify(json)};
}

Result<std::vector<std::pair<std::string, api::FieldInput>>> metadata(const element& json) {
    object members;
    if (json.get(members) != simdjson::SUCCESS)
        return wrong_type("metadata", "an object of fields");
    std::vector<std::pair<std::string, api::FieldInput>> out;
    for (const auto& [key, value] : members) {
        const auto same = [key = key](const auto& field) { return field.first == key; };
        if (std::any_of(out.begin(), out.end(), same))
            return Error(ErrorCode::kInvalidArgument, "field given twice")
                .with_field("metadata." + std::string(key));
        out.emplace_back(key, field_input(value));
    }
    return out;
}

template <typename T, typename Read>
Result<void> change(const element& json, std::optional<std::optional<T>>* out, Read read) {
    out->emplace();
    if (json.is_null()) return {};
    TIDAL_ASSIGN(*out, read());
    return {};
}

constexpr std::array<std::string_view, 7> kEntityKeys = {
    "kind", "entity_id", "metadata", "creator_id", "created_at", "publish_at", "expires_at"};
constexpr std::array<std::string_view, 4> kVectorKeys = {"entity_id", "kind", "slot", "values"};
/// Of a line of an import, which may be both.
constexpr std::array<std::string_view, 9> kLineKeys = {"kind",       "entity_id",  "metadata",
                                                       "creator_id", "created_at", "publish_at",
                                                       "expires_at", "slot",       "values"};

template <std::size_t n>
Result<api::EntityWrite> read_entity(const element& json, EntityKind kind,
                                     const api::IdInput* path_id,
                                     const std::array<std::string_view, n>& keys) {
    constexpr bool kOfLine = n == kLineKeys.size();
    api::EntityWrite write;
    write.kind = kind;
    bool has_id = path_id != nullptr;
    if (path_id != nullptr) write.id = *path_id;
    TIDAL_TRY(members(json, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "slot" || key == "values") return {};  // the vector's
        if (key == "kind") {
            if (kOfLine) return {};
            return Error(ErrorCode::kUnknownName, "the path names the kind already")
                .with_reason("unknown_field")
                .with_field(key);
        }
        if (key == "entity_id") {
            if (path_id != nullptr)
                return Error(ErrorCode::kInvalidArgument, "the path names the entity already")
                    .with_field("entity_id");
            TIDAL_ASSIGN(write.id, id(value, key));
            has_id = true;
        } else if (key == "metadata") {
            TIDAL_ASSIGN(write.metadata, metadata(value));
        } else if (key == "creator_id") {
            return change(value, &write.creator_id, [&] { return id(value, key); });
        } else {
            auto* out = key == "created_at"   ? &write.created_at_ms
                        : key == "publish_at" ? &write.publish_at_ms
                                              : &write.expires_at_ms;
            return change(value, out, [&] { return time(value, key); });
        }
        return {};
    }));
    if (!has_id) return missing("entity_id");
    return write;
}

Result<std::vector<double>> numbers(const element& value, std::string_view key) {
    simdjson::dom::array array;
    if (value.get(array) != simdjson::SUCCESS) return wrong_type(key, "an array of numbers");
    std::vector<double> out;
    for (const element each : array) {
        TIDAL_ASSIGN(const double one,
                     number(each, std::string(key) + "[" + std::to_string(out.size()) + "]"));
        out.push_back(one);
    }
    return out;
}

bool has_more_than(const object& members, std::span<const std::string_view> keys) {
    for (const auto& member : members)
        if (std::find(keys.begin(), keys.end(), member.key) == keys.end()) return true;
    return false;
}

/// @param keys  kVectorKeys, or those of a line, of which the others are the entity's.
template <std::size_t n>
Result<api::EmbeddingWrite> read_embedding(const element& json,
                                           const std::array<std::string_view, n>& keys) {
    api::EmbeddingWrite write;
    bool has_id = false, has_values = false;
    TIDAL_TRY(members(json, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "entity_id") {
            TIDAL_ASSIGN(write.id, id(value, key));
            has_id = true;
        } else if (key == "kind") {
            TIDAL_ASSIGN(write.kind, kind(value));
        } else if (key == "slot") {
            TIDAL_ASSIGN(write.slot, text(value, key));
        } else if (key == "values") {
            TIDAL_ASSIGN(write.values, numbers(value, key));
            has_values = true;
        }
        return {};
    }));
    if (!has_id) return missing("entity_id");
    if (!has_values) return missing("values");
    return write;
}

constexpr std::array<std::string_view, 11> kSignalKeys = {
    "entity_id",  "signal",  "weight",          "at",   "user_id", "creator_id",
    "session_id", "context", "idempotency_key", "undo", "sequence"};

Result<std::uint64_t> sequence(const element& json) {
    std::uint64_t out = 0;
    if (json.get(out) == simdjson::SUCCESS && out > 0) return out;
    return wrong_type("sequence", "a whole number from 1");
}

/// Of imports any text; otherwise checked when it is resolved.
Result<std::string> session_id(const element& json) {
    std::uint64_t number = 0;
    if (json.get(number) == simdjson::SUCCESS) return std::to_string(number);
    return text(json, "session_id");
}

Result<std::map<std::string, std::string>> annotations(const element& json) {
    object all;
    if (json.get(all) != simdjson::SUCCESS) return wrong_type("annotations", "an object of texts");
    std::map<std::string, std::string> out;
    for (const auto& [key, value] : all) {
        TIDAL_ASSIGN(std::string one, text(value, "annotations." + std::string(key)));
        if (!out.emplace(key, std::move(one)).second)
            return Error(ErrorCode::kInvalidArgument, "an annotation is given twice")
                .with_field("annotations." + std::string(key));
    }
    return out;
}

/// @param out  Made in its place: a signal is large, and a body has many.
Result<void> read_signal(const element& json, api::Write* out) {
    auto& write = out->emplace<api::SignalWrite>();
    std::string undo;
    bool has_id = false;
    std::string_view beside_undo;
    TIDAL_TRY(
        members(json, kSignalKeys, [&](std::string_view key, const element& value) -> Result<void> {
            if (key == "entity_id") {
                TIDAL_ASSIGN(write.id, id(value, key));
                has_id = true;
                return {};
            }
            if (key == "undo") {
                TIDAL_ASSIGN(undo, text(value, key));
                if (undo.empty()) return missing("undo");
                return {};
            }
            if (key == "signal") {
                TIDAL_ASSIGN(write.signal, text(value, key));
                return {};
            }
            if (key == "session_id") {
                TIDAL_ASSIGN(write.session_id, session_id(value));
                return {};
            }
            beside_undo = key;
            if (key == "weight") {
                TIDAL_ASSIGN(write.weight, number(value, key));
            } else if (key == "at") {
                TIDAL_ASSIGN(write.at_ms, time(value, key));
            } else if (key == "user_id") {
                TIDAL_ASSIGN(write.user_id, id(value, key));
            } else if (key == "creator_id") {
                TIDAL_ASSIGN(write.creator_id, id(value, key));
            } else if (key == "sequence") {
                TIDAL_ASSIGN(write.sequence, sequence(value));
            } else if (key == "context") {
                TIDAL_ASSIGN(write.context, context(value));
            } else {
                TIDAL_ASSIGN(write.idempotency_key, text(value, key));
            }
            return {};
        }));
    if (!has_id) return missing("entity_id");
    if (!undo.empty()) {
        if (!beside_undo.empty())
            return Error(ErrorCode::kInvalidArgument,
                         "an undo takes `undo`, `entity_id`, `signal` and `session_id` only")
                .with_field(beside_undo);
        out->emplace<api::SignalUndo>(
            api::SignalUndo{write.id, undo, write.signal, write.session_id});
        return {};
    }
    if (write.signal.empty()) return missing("signal");
    return {};
}

Result<api::Write> read_signal(const element& json) {
    api::Write out;
    TIDAL_TRY(read_signal(json, &out));
    return out;
}

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
            if (value.get(call.fresh) != simdjson::SUCCESS) return wrong_type(key, "true or false");
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
            bool& flag = key == "explain"           ? call.explain
                         : key == "log_impressions" ? call.log_impressions
                                                    : call.log_features;
            if (value.get(flag) != simdjson::SUCCESS) return wrong_type(key, "true or false");
        } else if (key == "limit") {
            std::uint64_t limit = 0;
            if (value.get(limit) != simdjson::SUCCESS || limit > UINT32_MAX)
                return wrong_type(key, "an integer from 1 to 1000");
            call.limit = static_cast<std::uint32_t>(limit);
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
            std::uint64_t limit = 0;
            if (value.get(limit) != simdjson::SUCCESS || limit > UINT32_MAX)
                return wrong_type(key, "an integer from 1 to 100");
            call.limit = static_cast<std::uint32_t>(limit);
        }
        return {};
    }));
    if (!has_query) return missing("query");
    return call;
}

Result<api::Write> read_member(const element& json, const std::string& collection) {
    api::CollectionMemberWrite write;
    write.collection = collection;
    std::optional<api::IdInput> item;
    constexpr std::array<std::string_view, 2> keys = {"entity_id", "position"};
    TIDAL_TRY(members(json, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "entity_id") {
            TIDAL_ASSIGN(item, id(value, key));
            return {};
        }
        if (value.get(write.position) != simdjson::SUCCESS) return wrong_type(key, "a number");
        return {};
    }));
    if (!item) return missing("entity_id");
    write.id = *std::move(item);
    return api::Write(std::move(write));
}

}  // namespace

struct JsonReader::Parser {
    simdjson::dom::parser parser;

    Result<element> parse(std::string_view json) {
        if (parser.capacity() < json.size() || parser.max_depth() != kDepthMax) {
            const std::size_t capacity = std::max<std::size_t>(json.size(), 4096);
            if (const auto error = parser.allocate(capacity, kDepthMax); error != simdjson::SUCCESS)
                return Error(ErrorCode::kTooLarge, simdjson::error_message(error));
        }
        element root;
        if (json.data() == nullptr) json = "";  // which its copy may not be
        const auto error = parser.parse(json.data(), json.size()).get(root);
        if (error != simdjson::SUCCESS) return not_json(json, error);
        return root;
    }
};

JsonReader::JsonReader() : parser_(std::make_unique<Parser>()) {}
JsonReader::~JsonReader() = default;
JsonReader::JsonReader(JsonReader&&) noexcept = default;
JsonReader& JsonReader::operator=(JsonReader&&) noexcept = default;

JsonReader JsonReaders::take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return JsonReader();
    JsonReader reader = std::move(free_.back());
    free_.pop_back();
    return reader;
}

void JsonReaders::give_back(JsonReader reader) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(reader));
}

Result<api::Write> JsonReader::entity(std::string_view json, EntityKind kind) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    TIDAL_ASSIGN(auto write, read_entity(root, kind, nullptr, kEntityKeys));
    return api::Write(std::move(write));
}

Result<api::Write> JsonReader::entity_patch(std::string_view json, EntityKind kind,
                                            api::IdInput id) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    TIDAL_ASSIGN(auto write, read_entity(root, kind, &id, kEntityKeys));
    write.must_exist = true;
    return api::Write(std::move(write));
}

Result<api::Write> JsonReader::embedding(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    TIDAL_ASSIGN(auto write, read_embedding(root, kVectorKeys));
    return api::Write(std::move(write));
}

Result<api::Write> JsonReader::signal(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    return read_signal(root);
}

Result<void> JsonReader::signal(std::string_view json, api::Write* out) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    return read_signal(root, out);
}

Result<api::SessionOpen> JsonReader::session(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    api::SessionOpen out;
    bool has_user = false;
    constexpr std::array<std::string_view, 4> keys = {"user_id", "agent", "policy", "annotations"};
    TIDAL_TRY(members(root, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "user_id") {
            TIDAL_ASSIGN(out.user_id, id(value, key));
            has_user = true;
        } else if (key == "agent") {
            TIDAL_ASSIGN(out.agent, text(value, key));
        } else if (key == "policy") {
            TIDAL_ASSIGN(out.policy, text(value, key));
        } else {
            TIDAL_ASSIGN(out.annotations, http::annotations(value));
        }
        return {};
    }));
    if (!has_user) return missing("user_id");
    return out;
}

Result<api::SessionAnnotate> JsonReader::annotations(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    api::SessionAnnotate out;
    bool has_any = false;
    constexpr std::array<std::string_view, 2> keys = {"annotations", "sequence"};
    TIDAL_TRY(members(root, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "sequence") {
            TIDAL_ASSIGN(out.sequence, sequence(value));
        } else {
            TIDAL_ASSIGN(out.annotations, http::annotations(value));
            has_any = true;
        }
        return {};
    }));
    if (!has_any) return missing("annotations");
    return out;
}

Result<api::Write> JsonReader::relationship(std::string_view json, bool ends) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    api::RelationshipWrite write;
    write.ends = ends;
    std::map<std::string, std::optional<api::IdInput>, std::less<>> ids;
    std::optional<record::RelationshipKind> kind;
    constexpr std::array<std::string_view, 5> keys = {"user_id", "kind", "item_id", "creator_id",
                                                      "friend_id"};
    TIDAL_TRY(members(root, keys, [&](std::string_view key, const element& value) -> Result<void> {
        if (key == "kind") {
            TIDAL_ASSIGN(const std::string name, text(value, key));
            TIDAL_ASSIGN(kind, api::parse_relationship(name));
            return {};
        }
        TIDAL_ASSIGN(ids[std::string(key)], id(value, key));
        return {};
    }));
    auto& user = ids["user_id"];
    if (!user) return missing("user_id");
    if (!kind) return missing("kind");
    const std::string_view name = api::relationship_target(*kind);
    for (const auto& [key, stray] : ids)
        if (stray && key != "user_id" && key != name)
            return Error(ErrorCode::kInvalidArgument,
                         "`" + std::string(api::relationship_name(*kind)) + "` takes `" +
                             std::string(name) + "`")
                .with_field(key);
    auto& target = ids[std::string(name)];
    if (!target) return missing(name);
    write.user_id = *std::move(user);
    write.kind = *kind;
    write.target = *std::move(target);
    return api::Write(std::move(write));
}

Result<api::Write> JsonReader::member(std::string_view json, const std::string& collection) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    return read_member(root, collection);
}

Result<std::vector<Result<api::Write>>> JsonReader::members_of(std::string_view json,
                                                               const std::string& collection) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    std::vector<Result<api::Write>> out;
    simdjson::dom::array array;
    if (root.get(array) != simdjson::SUCCESS) {
        out.push_back(read_member(root, collection));
        return out;
    }
    for (const element each : array) out.push_back(read_member(each, collection));
    return out;
}

Result<std::string> JsonReader::description(std::string_view json) {
    std::string out;
    if (json.empty()) return out;
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    TIDAL_TRY(members(root, std::array<std::string_view, 1>{"description"},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          TIDAL_ASSIGN(out, text(value, key));
                          return {};
                      }));
    return out;
}

Result<std::vector<api::Write>> JsonReader::import_line(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    object members;
    if (root.get(members) != simdjson::SUCCESS) return wrong_type("", "a JSON object");
    element found;
    const auto has = [&](std::string_view key) {
        return members[key].get(found) == simdjson::SUCCESS;
    };
    std::vector<api::Write> writes;
    if (has("signal") || has("undo")) {
        TIDAL_ASSIGN(auto signal, read_signal(root));
        writes.push_back(std::move(signal));
        return writes;
    }
    const bool has_vector = has("values") || has("slot");
    if (!has_vector || has_more_than(members, kVectorKeys)) {
        EntityKind entity_kind = EntityKind::kItem;
        if (has("kind")) {
            TIDAL_ASSIGN(entity_kind, kind(found));
        }
        TIDAL_ASSIGN(auto entity, read_entity(root, entity_kind, nullptr, kLineKeys));
        writes.emplace_back(std::move(entity));
    }
    if (has_vector) {
        TIDAL_ASSIGN(auto vector, read_embedding(root, kLineKeys));
        writes.emplace_back(std::move(vector));
    }
    return writes;
}

Result<std::vector<Result<api::Write>>> JsonReader::signals(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    std::vector<Result<api::Write>> out;
    simdjson::dom::array array;
    if (root.get(array) != simdjson::SUCCESS) {
        out.push_back(read_signal(root));
        return out;
    }
    for (const element each : array) out.push_back(read_signal(each));
    return out;
}

Result<api::SuggestCall> JsonReader::suggest(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    return read_suggest(root);
}

Result<api::FeedCall> JsonReader::feed(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    return read_feed(root);
}

Result<std::string> JsonReader::schema(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    std::string yaml;
    TIDAL_TRY(members(root, std::array<std::string_view, 1>{"schema"},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          TIDAL_ASSIGN(yaml, text(value, key));
                          return {};
                      }));
    if (yaml.empty()) return missing("schema");
    return yaml;
}

Result<std::string> JsonReader::query(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    std::string query;
    TIDAL_TRY(members(root, std::array<std::string_view, 1>{"query"},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          TIDAL_ASSIGN(query, text(value, key));
                          return {};
                      }));
    if (query.empty()) return missing("query");
    return query;
}

Result<std::string> JsonReader::name(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    std::string name;
    TIDAL_TRY(members(root, std::array<std::string_view, 1>{"name"},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          TIDAL_ASSIGN(name, text(value, key));
                          return {};
                      }));
    if (name.empty()) return missing("name");
    return name;
}

Result<KeyBody> JsonReader::key(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    KeyBody out;
    TIDAL_TRY(members(root, std::array<std::string_view, 2>{"name", "role"},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          TIDAL_ASSIGN((key == "name" ? out.name : out.role), text(value, key));
                          return {};
                      }));
    if (out.name.empty()) return missing("name");
    if (out.role.empty()) return missing("role");
    return out;
}

Result<std::optional<std::uint64_t>> JsonReader::optional_number(std::string_view json,
                                                                 std::string_view member) {
    std::optional<std::uint64_t> out;
    if (json.empty()) return out;
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    TIDAL_TRY(members(root, std::array<std::string_view, 1>{member},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          std::uint64_t number = 0;
                          if (value.get(number) != simdjson::SUCCESS)
                              return wrong_type(key, "an unsigned integer");
                          out = number;
                          return {};
                      }));
    return out;
}

Result<CatalogText> JsonReader::catalog_text(std::string_view json) {
    TIDAL_ASSIGN(const element root, parser_->parse(json));
    CatalogText out;
    TIDAL_TRY(members(root, std::array<std::string_view, 2>{"text", "dry_run"},
                      [&](std::string_view key, const element& value) -> Result<void> {
                          if (key == "dry_run") {
                              if (value.get(out.dry_run) != simdjson::SUCCESS)
                                  return wrong_type(key, "true or false");
                          } else {
                              TIDAL_ASSIGN(out.text, text(value, key));
                          }
                          return {};
                      }));
    if (out.text.empty()) return missing("text");
    return out;
}

Result<UnixMillis> read_time_text(std::string_view text, std::string_view field) {
    UnixMillis ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return ms;
    return parse_time(text, field);
}

}  // namespace tidal::http
