// entity/vector_codec.h: what a vector must satisfy, and its bytes in a row.
// Format: docs/formats/entity_rows.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "base/hlc.h"
#include "base/result.h"
#include "schema/schema.h"

namespace tidal::entity {

/// @return kInvalidArgument (field = the embedding's name): wrong length, NaN or infinity, beyond
///         the range of f16 storage, or of zero norm (as stored) under cosine.
Result<void> check_vector(const schema::EmbeddingSpec& spec, std::span<const float> values);

struct StoredVector {
    HybridTime stamp;           ///< Newest write wins.
    std::vector<float> values;  ///< As stored: f16 and int8 have lost precision.
};

/// f16 rounds to nearest even. int8 is symmetric with one scale per vector: max |v| / 127.
void encode_vector(const schema::EmbeddingSpec& spec, HybridTime stamp,
                   std::span<const float> values, Encoder* out);
/// Reads any storage type, whatever the schema says now. kCorruption.
Result<StoredVector> decode_vector(std::string_view bytes);
/// A stored vector where it lies.
struct VectorBytes {
    HybridTime stamp;
    schema::VectorStorage storage = schema::VectorStorage::kF32;
    std::uint32_t dimensions = 0;
    float scale = 1;              ///< Of int8: what a component is multiplied with.
    std::string_view components;  ///< Little-endian, one after the other; of any alignment.
};
/// Borrows `bytes`. kCorruption.
Result<VectorBytes> view_vector(std::string_view bytes);
/// The stamp alone.
Result<HybridTime> decode_vector_stamp(std::string_view bytes);

/// IEEE 754 binary16, round to nearest even; infinity beyond 65504 + half a step.
std::uint16_t float_to_half(float value);
float half_to_float(std::uint16_t bits);

}  // namespace tidal::entity
