// http/internal/json_in.h: what the files that read JSON bodies (json_read*.cc) have in common:
// values of one kind each, with the errors that name their field.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/types.h"
#include "base/edit_distance.h"
#include "http/json_read.h"

namespace tidal::http {

/// One document at a time; keeps its buffers, which are made for the first.
struct JsonReader::Parser {
    simdjson::dom::parser parser;

    /// Valid until the next call. kInvalidArgument with the byte offset where it stops being JSON.
    Result<simdjson::dom::element> parse(std::string_view json);
};

namespace json_in {

using simdjson::dom::element;
using simdjson::dom::object;

/// kInvalidArgument, reason "wrong_type", with the hint to send what is `right`.
Error wrong_type(std::string_view field, std::string_view right);
/// kInvalidArgument, reason "missing_field".
Error missing(std::string_view field);

Result<std::string> text(const element& json, std::string_view field);
Result<double> number(const element& json, std::string_view field);
Result<bool> flag(const element& json, std::string_view field);
/// @param right  What it may be, for the error.
Result<std::uint32_t> count(const element& json, std::string_view field, std::string_view right);
/// A number or a text.
Result<api::IdInput> id(const element& json, std::string_view field);
/// Unix milliseconds, or RFC 3339.
Result<UnixMillis> time(const element& json, std::string_view field);
/// Of field "kind".
Result<EntityKind> kind(const element& json);
Result<std::vector<std::string>> texts(const element& json, std::string_view field);
Result<std::vector<double>> numbers(const element& json, std::string_view field);
/// From 1.
Result<std::uint64_t> sequence(const element& json);
/// Of imports any text; otherwise checked when it is resolved.
Result<std::string> session_id(const element& json);

/// The fields of an entity; the schema says later which values each takes.
Result<std::vector<std::pair<std::string, api::FieldInput>>> metadata(const element& json);
/// One signal or undo. `out` is anything on an error.
Result<void> read_signal(const element& json, api::Write* out);

/// Visits an object's members; each must be one of `known` and come once.
/// @param visit  Result<void>(std::string_view key, const element& value)
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

}  // namespace json_in
}  // namespace tidal::http
