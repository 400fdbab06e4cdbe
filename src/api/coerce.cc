// A client's value in the type that the schema gives the field.
#include <cmath>

#include "api/resolve.h"
#include "base/time_text.h"
#include "schema/duration.h"

namespace tidal::api {
namespace {

using schema::FieldSpec;
using schema::FieldType;

constexpr std::string_view type_name(FieldType type) {
    constexpr std::string_view names[] = {"text", "keyword",   "keywords", "int", "float",
                                          "bool", "timestamp", "duration", "geo", "json"};
    return names[static_cast<std::size_t>(type)];
}

Error mismatch(const FieldSpec& field, std::string_view right) {
    return Error(ErrorCode::kInvalidArgument,
                 "wrong type for a " + std::string(type_name(field.type)) + " field")
        .with_reason("wrong_type")
        .with_field("metadata." + field.name)
        .with_hint("send " + std::string(right));
}

/// A whole number, however JSON wrote it (7, 7.0); nullopt when it is none or does not fit.
std::optional<std::int64_t> whole(const FieldInput& input) {
    if (const auto* number = std::get_if<std::int64_t>(&input)) return *number;
    if (const auto* number = std::get_if<std::uint64_t>(&input))
        return *number <= INT64_MAX
                   ? std::optional<std::int64_t>(static_cast<std::int64_t>(*number))
                   : std::nullopt;
    if (const auto* number = std::get_if<double>(&input)) {
        if (*number == std::floor(*number) && std::abs(*number) < 9.2e18)
            return static_cast<std::int64_t>(*number);
    }
    return std::nullopt;
}

std::optional<double> real(const FieldInput& input) {
    if (const auto* number = std::get_if<double>(&input)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&input)) return static_cast<double>(*number);
    if (const auto* number = std::get_if<std::uint64_t>(&input))
        return static_cast<double>(*number);
    return std::nullopt;
}

Result<record::Value> coerce_time(const FieldSpec& field, const FieldInput& input) {
    if (const auto number = whole(input)) return record::Value(*number);
    if (const auto* text = std::get_if<std::string>(&input)) {
        TIDAL_ASSIGN(const UnixMillis time, parse_time(*text, "metadata." + field.name));
        return record::Value(std::int64_t{time});
    }
    return mismatch(field, "an RFC 3339 time or integer Unix milliseconds");
}

Result<record::Value> coerce_duration(const FieldSpec& field, const FieldInput& input) {
    if (const auto number = whole(input)) return record::Value(*number);
    if (const auto* text = std::get_if<std::string>(&input)) {
        auto parsed = schema::parse_duration_ms(*text);
        if (parsed) return record::Value(*parsed);
        return parsed.take_error().with_field("metadata." + field.name);
    }
    return mismatch(field, "a duration such as \"90s\" or integer milliseconds");
}

Result<record::Value> coerce_scalar(const FieldSpec& field, const FieldInput& input) {
    switch (field.type) {
        case FieldType::kText:
        case FieldType::kKeyword:
            if (const auto* text = std::get_if<std::string>(&input)) return record::Value(*text);
            return mismatch(field, "a string");
        case FieldType::kKeywords:
            if (const auto* texts = std::get_if<std::vector<std::string>>(&input)) {
                std::vector<std::string> sorted = *texts;
                std::sort(sorted.begin(), sorted.end());
                sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
                return record::Value(std::move(sorted));
            }
            if (const auto* text = std::get_if<std::string>(&input))
                return record::Value(std::vector<std::string>{*text});
            return mismatch(field, "an array of strings");
        case FieldType::kInt:
            if (const auto number = whole(input)) return record::Value(*number);
            return mismatch(field, "an integer within 64 bits");
        case FieldType::kFloat:
            if (const auto number = real(input); number && std::isfinite(*number))
                return record::Value(*number);
            return mismatch(field, "a finite number");
        case FieldType::kBool:
            if (const auto* flag = std::get_if<bool>(&input)) return record::Value(*flag);
            return mismatch(field, "true or false");
        case FieldType::kGeo:
            if (const auto* point = std::get_if<record::GeoPoint>(&input))
                return record::Value(*point);
            return mismatch(field, "{\"lat\": -90..90, \"lon\": -180..180}");
        case FieldType::kJson:
            if (const auto* json = std::get_if<JsonText>(&input)) return record::Value(json->text);
            return mismatch(field, "a JSON object or array");
        case FieldType::kTimestamp:
            return coerce_time(field, input);
        case FieldType::kDuration:
            return coerce_duration(field, input);
    }
    return Error(ErrorCode::kInternal, "field of a type this program does not know");
}

}  // namespace

Result<record::Value> coerce(const FieldSpec& field, const FieldInput& input) {
    TIDAL_ASSIGN(record::Value value, coerce_scalar(field, input));
    if (auto checked = record::check_value(field, value); !checked)
        return checked.take_error().with_field("metadata." + field.name);
    return value;
}

}  // namespace tidal::api
