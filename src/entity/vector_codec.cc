#include "entity/vector_codec.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tidal::entity {
namespace {

constexpr std::uint8_t kVectorVersion = 1;
constexpr float kHalfMax = 65504.0F;
constexpr std::uint32_t kDimensionsMax = 4096;

Error refused(const schema::EmbeddingSpec& spec, const std::string& message) {
    return Error(ErrorCode::kInvalidArgument, "embedding '" + spec.name + "': " + message)
        .with_field(spec.name);
}

std::size_t component_bytes(schema::VectorStorage storage) {
    switch (storage) {
        case schema::VectorStorage::kF32:
            return 4;
        case schema::VectorStorage::kF16:
            return 2;
        case schema::VectorStorage::kInt8:
            return 1;
    }
    return 0;
}

float largest_magnitude(std::span<const float> values) {
    float largest = 0;
    for (const float v : values) largest = std::max(largest, std::fabs(v));
    return largest;
}

bool is_zero_as_stored(schema::VectorStorage storage, std::span<const float> values) {
    if (storage == schema::VectorStorage::kInt8) return largest_magnitude(values) / 127.0F == 0.0F;
    return std::all_of(values.begin(), values.end(), [storage](float v) {
        if (storage != schema::VectorStorage::kF16) return v == 0.0F;
        return half_to_float(float_to_half(v)) == 0.0F;
    });
}

void encode_int8(std::span<const float> values, Encoder* out) {
    // A scale of 0 would be 0/0: all-zero vectors (l2, dot) keep scale 0 and components 0.
    const float scale = largest_magnitude(values) / 127.0F;
    out->f32(scale);
    for (const float v : values) {
        const float step = scale > 0 ? std::nearbyint(v / scale) : 0.0F;
        out->u8(
            static_cast<std::uint8_t>(static_cast<std::int8_t>(std::clamp(step, -127.0F, 127.0F))));
    }
}

void decode_components(const VectorBytes& vector, std::vector<float>* values) {
    Decoder in(vector.components);
    for (float& v : *values) {
        switch (vector.storage) {
            case schema::VectorStorage::kF32:
                v = in.f32();
                break;
            case schema::VectorStorage::kF16:
                v = half_to_float(in.u16());
                break;
            case schema::VectorStorage::kInt8:
                v = vector.scale * static_cast<float>(static_cast<std::int8_t>(in.u8()));
                break;
        }
    }
}

}  // namespace

Result<void> check_vector(const schema::EmbeddingSpec& spec, std::span<const float> values) {
    if (values.size() != spec.dimensions)
        return refused(spec, "wrong number of values")
            .with("values", values.size())
            .with_hint("give " + std::to_string(spec.dimensions) + " numbers");
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i]))
            return refused(spec, "value is NaN or infinite").with("position", i);
        if (spec.storage == schema::VectorStorage::kF16 && std::fabs(values[i]) > kHalfMax)
            return refused(spec, "value is out of range for f16 storage")
                .with("position", i)
                .with_hint("keep values within -65504..65504, or declare storage f32");
    }
    if (spec.metric == schema::Metric::kCosine && is_zero_as_stored(spec.storage, values))
        return refused(spec, "a vector of zero norm has no direction")
            .with_hint("leave the vector out, or declare metric l2 or dot");
    return {};
}

void encode_vector(const schema::EmbeddingSpec& spec, HybridTime stamp,
                   std::span<const float> values, Encoder* out) {
    out->u8(kVectorVersion);
    out->u8(static_cast<std::uint8_t>(spec.storage));
    out->u64(stamp.bits());
    out->varint(values.size());
    switch (spec.storage) {
        case schema::VectorStorage::kF32:
            for (const float v : values) out->f32(v);
            break;
        case schema::VectorStorage::kF16:
            for (const float v : values) out->u16(float_to_half(v));
            break;
        case schema::VectorStorage::kInt8:
            encode_int8(values, out);
            break;
    }
}

Result<VectorBytes> view_vector(std::string_view bytes) {
    Decoder in(bytes);
    const std::uint8_t version = in.u8();
    const std::uint8_t storage = in.u8();
    if (version != kVectorVersion ||
        storage > static_cast<std::uint8_t>(schema::VectorStorage::kInt8))
        return Error(ErrorCode::kCorruption, "vector row: unknown version or storage type");
    VectorBytes vector;
    vector.storage = static_cast<schema::VectorStorage>(storage);
    vector.stamp = HybridTime::from_bits(in.u64());
    const std::size_t each = component_bytes(vector.storage);
    const std::size_t count = in.count(each);
    if (count > kDimensionsMax)
        return Error(ErrorCode::kCorruption, "vector row: too many components");
    vector.dimensions = static_cast<std::uint32_t>(count);
    if (vector.storage == schema::VectorStorage::kInt8) vector.scale = in.f32();
    vector.components = in.raw(count * each);
    TIDAL_TRY(in.finish("vector row"));
    return vector;
}

Result<StoredVector> decode_vector(std::string_view bytes) {
    TIDAL_ASSIGN(const VectorBytes view, view_vector(bytes));
    StoredVector vector{.stamp = view.stamp, .values = {}};
    vector.values.resize(view.dimensions);
    decode_components(view, &vector.values);
    return vector;
}

Result<HybridTime> decode_vector_stamp(std::string_view bytes) {
    Decoder in(bytes);
    const std::uint8_t version = in.u8();
    in.u8();
    const std::uint64_t stamp = in.u64();
    if (in.failed() || version != kVectorVersion)
        return Error(ErrorCode::kCorruption, "vector row: truncated or unknown version");
    return HybridTime::from_bits(stamp);
}

std::uint16_t float_to_half(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000);
    const std::uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7e00;   // NaN
    if (magnitude >= 0x477ff000) return sign | 0x7c00;  // rounds to 65536 or more
    if (magnitude < 0x38800000) {
        // Subnormal: adding 0.5 lines the last kept bit up with the last bit of a float, so the
        // processor's own rounding to nearest even does the work.
        const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
        return sign |
               static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(shifted) - 0x3f000000);
    }
    const std::uint32_t round = 0xfff + ((magnitude >> 13) & 1);
    return sign | static_cast<std::uint16_t>((magnitude - 0x38000000 + round) >> 13);
}

float half_to_float(std::uint16_t bits) {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
    const std::uint32_t magnitude = bits & 0x7fff;
    if (magnitude >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (magnitude << 13));
    if (magnitude < 0x0400) {
        const float subnormal = static_cast<float>(magnitude) * 0x1p-24F;
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(subnormal));
    }
    return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000));
}

}  // namespace tidal::entity
