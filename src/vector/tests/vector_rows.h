// Vectors as rows hold them, for tests.
#pragma once

#include <span>
#include <string>

#include "base/codec.h"
#include "entity/vector_codec.h"

namespace tidal::vector {

inline schema::EmbeddingSpec spec_of(std::uint32_t dimensions, schema::Metric metric,
                                     schema::VectorStorage storage) {
    return {.id = EmbeddingSlotId(0),
            .name = "default",
            .dimensions = dimensions,
            .metric = metric,
            .storage = storage};
}

inline std::string row_of(const schema::EmbeddingSpec& spec, std::span<const float> values) {
    Encoder out;
    entity::encode_vector(spec, HybridTime::from_bits(1), values, &out);
    return std::string(out.view());
}

}  // namespace tidal::vector
