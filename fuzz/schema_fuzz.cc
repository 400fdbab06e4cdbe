// Any text through the YAML reader, any bytes through the schema decoder. What reads must print,
// encode and read again as the same schema.

#include <cstdint>
#include <cstdlib>

#include "schema/schema.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void round_trip(const tidal::schema::Schema& schema) {
    using namespace tidal::schema;
    require(validate(schema).ok());
    const auto decoded = decode_schema(encode_schema(schema));
    require(decoded.ok() && *decoded == schema);
    auto parsed = parse_schema(print_schema(schema));
    // A schema that came as bytes may print longer than a text may be.
    if (!parsed) return require(parsed.error().code() == tidal::ErrorCode::kTooLarge);
    parsed->version = schema.version;
    require(*parsed == schema);
    require(*check_addition(schema, schema) == schema);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto schema = tidal::schema::parse_schema(input)) round_trip(*schema);
    if (const auto schema = tidal::schema::decode_schema(input)) round_trip(*schema);
    return 0;
}
