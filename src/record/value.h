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

/// text, keyword, json -> string; keywords -> sorted unique strings; int, timestamp (Unix ms),
/// duration (ms) -> int64; float -> finite double; bool; geo -> GeoPoint.
using Value = std::variant<std::string, std::vector<std::string>, std::int64_t, double, bool, GeoPoint>;

/// kInvalidArgument (field = name) when the alternative does not fit the type or is out of range.
Result<void> check_value(const schema::FieldSpec& field, const Value& value);
void encode_value(const Value& value, Encoder* out);
Value decode_value(Decoder* in);  ///< Fails the decoder on an unknown alternative.

}  // namespace tidal::record
