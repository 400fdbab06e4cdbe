// record/value.h: a field's value, typed by the schema.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/codec.h"
#include "schema/schema.h"

namespace tidal::record {

struct GeoPoint {
    double latitude = 0;   ///< -90..90
    double longitude = 0;  ///< -180..180
    bool operator==(const GeoPoint&) const = default;
};

inline constexpr std::size_t kTextBytesMax = 1024 * 1024;  ///< text, json.
inline constexpr std::size_t kKeywordBytesMax = 1024;      ///< keyword, each of keywords.
inline constexpr std::size_t kKeywordsMax = 1024;          ///< Of one keywords field.

/// text, keyword, json -> string (UTF-8); keywords -> sorted unique strings; int, timestamp (Unix
/// ms, years 1..9999), duration (ms) -> int64; float -> finite double; bool; geo -> GeoPoint.
using Value =
    std::variant<std::string, std::vector<std::string>, std::int64_t, double, bool, GeoPoint>;

/// kInvalidArgument (field = name) when the alternative does not fit the type or is out of range.
Result<void> check_value(const schema::FieldSpec& field, const Value& value);
void encode_value(const Value& value, Encoder* out);
Value decode_value(Decoder* in);  ///< Fails the decoder on an unknown alternative.

}  // namespace tidal::record
