// Any bytes as a row, a vector row and a key of one: read, or refused as damage; what reads is
// written back to bytes that read the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "entity/internal/row.h"
#include "entity/vector_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace tidal;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    entity::Row row;
    if (entity::decode_row(bytes, &row).ok()) {
        Encoder again;
        entity::encode_row(row, &again);
        entity::Row read;
        if (!entity::decode_row(again.view(), &read).ok() || !(read == row)) std::abort();
    }
    if (const auto vector = entity::decode_vector(bytes); vector.ok())
        if (entity::decode_vector_stamp(bytes)->bits() != vector->stamp.bits()) std::abort();
    if (const auto id = entity::parse_id_key(bytes); id.ok()) {
        std::string key;
        entity::append_id_key(*id, &key);
        if (key != bytes) std::abort();
    }
    return 0;
}
