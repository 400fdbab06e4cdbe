#include "http/internal/json_in.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/stream_parser.hpp>

#include "api/resolve.h"
#include "base/time_text.h"

namespace tidal::http {
namespace {

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

}  // namespace

Result<simdjson::dom::element> JsonReader::Parser::parse(std::string_view json) {
    if (parser.capacity() < json.size() || parser.max_depth() != kDepthMax) {
        const std::size_t capacity = std::max<std::size_t>(json.size(), 4096);
        if (const auto error = parser.allocate(capacity, kDepthMax); error != simdjson::SUCCESS)
            return Error(ErrorCode::kTooLarge, simdjson::error_message(error));
    }
    simdjson::dom::element root;
    if (json.data() == nullptr) json = "";  // which its copy may not be
    const auto error = parser.parse(json.data(), json.size()).get(root);
    if (error != simdjson::SUCCESS) return not_json(json, error);
    return root;
}

namespace json_in {

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

Result<bool> flag(const element& json, std::string_view field) {
    bool out = false;
    if (json.get(out) != simdjson::SUCCESS) return wrong_type(field, "true or false");
    return out;
}

Result<std::uint32_t> count(const element& json, std::string_view field, std::string_view right) {
    std::uint64_t out = 0;
    if (json.get(out) != simdjson::SUCCESS || out > UINT32_MAX) return wrong_type(field, right);
    return static_cast<std::uint32_t>(out);
}

Result<api::IdInput> id(const element& json, std::string_view field) {
    std::uint64_t whole = 0;
    if (json.get(whole) == simdjson::SUCCESS) return api::IdInput(whole);
    std::string_view name;
    if (json.get(name) == simdjson::SUCCESS) return api::IdInput(std::string(name));
    return Error(ErrorCode::kInvalidArgument,
                 json.is_number() ? "not an id: " + simdjson::minify(json) : "not an id")
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

}  // namespace json_in
}  // namespace tidal::http
