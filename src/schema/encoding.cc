// The binary form of a schema: docs/formats/schema.md.

#include <algorithm>
#include <cassert>

#include "base/codec.h"
#include "base/hash.h"
#include "schema/internal/names.h"
#include "schema/schema.h"

namespace tidal::schema {
namespace {

constexpr std::string_view kMagic = "TSCH";
constexpr std::uint8_t kFormat = 2;
/// What has no field with kHasText is written so, as earlier versions read it.
constexpr std::uint8_t kFormatWithoutText = 1;
constexpr std::uint8_t kHasText = 0x80;  ///< In the type of a field.

template <typename E>
void encode_enum(E e, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(e));
}
template <typename E>
E decode_enum(Decoder* in) {
    const std::uint8_t value = in->u8();
    if (value >= Names<E>::value.size()) {
        in->fail();
        return E{};
    }
    return static_cast<E>(value);
}
bool decode_bool(Decoder* in) {
    const std::uint8_t value = in->u8();
    if (value > 1) in->fail();
    return value == 1;
}
std::string decode_string(Decoder* in) {
    return std::string(in->bytes());
}

/// One bit per window: bit 0 is 1h.
void encode_windows(const std::vector<Window>& windows, Encoder* out) {
    std::uint8_t bits = 0;
    for (const Window window : windows)
        bits = static_cast<std::uint8_t>(bits | (1U << static_cast<unsigned>(window)));
    out->u8(bits);
}
std::vector<Window> decode_windows(Decoder* in) {
    const std::uint8_t bits = in->u8();
    if (bits >> kWindowCount != 0) in->fail();
    std::vector<Window> windows;
    for (std::size_t w = 0; w < kWindowCount; ++w)
        if ((bits >> w & 1) != 0) windows.push_back(static_cast<Window>(w));
    return windows;
}

void encode(const TextSpec& text, Encoder* out) {
    for (const double weight : {text.k1, text.b, text.boost}) out->f64(weight);
    out->varint(text.stop_words.size());
    for (const std::string& word : text.stop_words) out->bytes(word);
}
void decode(TextSpec* text, Decoder* in) {
    for (double* const weight : {&text->k1, &text->b, &text->boost}) *weight = in->f64();
    const std::size_t words = in->count(1);
    for (std::size_t i = 0; i < words && !in->failed(); ++i)
        text->stop_words.push_back(decode_string(in));
}

bool weighs_texts(const Schema& schema) {
    return std::ranges::any_of(schema.kinds, [](const KindSchema& kind) {
        return std::ranges::any_of(kind.fields,
                                   [](const FieldSpec& field) { return field.text != TextSpec(); });
    });
}

void encode(const FieldSpec& field, Encoder* out) {
    out->bytes(field.name);
    const bool has_text = field.text != TextSpec();
    out->u8(
        static_cast<std::uint8_t>(static_cast<unsigned>(field.type) | (has_text ? kHasText : 0U)));
    out->u8(field.default_value.has_value() ? 1 : 0);
    if (field.default_value) out->f64(*field.default_value);
    out->bytes(field.language);
    if (has_text) encode(field.text, out);
}
void decode(FieldSpec* field, Decoder* in) {
    field->name = decode_string(in);
    const std::uint8_t type = in->u8();
    const bool has_text = (type & kHasText) != 0;
    const auto known = static_cast<std::uint8_t>(type & ~kHasText);
    if (known >= Names<FieldType>::value.size()) return in->fail();
    field->type = static_cast<FieldType>(known);
    if (decode_bool(in)) field->default_value = in->f64();
    field->language = decode_string(in);
    if (has_text) decode(&field->text, in);
    if (has_text && field->text == TextSpec()) in->fail();  // One schema has one form.
}

void encode(const EmbeddingSpec& slot, Encoder* out) {
    out->bytes(slot.name);
    out->varint(slot.dimensions);
    encode_enum(slot.metric, out);
    encode_enum(slot.storage, out);
}
void decode(EmbeddingSpec* slot, Decoder* in) {
    slot->name = decode_string(in);
    const std::uint64_t dimensions = in->varint();
    if (dimensions > kDimensionsMax) in->fail();
    slot->dimensions = static_cast<std::uint32_t>(dimensions);
    slot->metric = decode_enum<Metric>(in);
    slot->storage = decode_enum<VectorStorage>(in);
}

void encode(const SignalSpec& signal, Encoder* out) {
    out->bytes(signal.name);
    encode_enum(signal.target, out);
    encode_enum(signal.polarity, out);
    encode_enum(signal.decay, out);
    out->svarint(signal.half_life_ms);
    encode_windows(signal.windows, out);
    out->u8(signal.unique ? static_cast<std::uint8_t>(1 + static_cast<int>(signal.unique->window))
                          : 0);
    out->varint(signal.sets_state.size());
    for (const std::string& state : signal.sets_state) out->bytes(state);
    out->u8(0);  // reserved
}
void decode(SignalSpec* signal, Decoder* in) {
    signal->name = decode_string(in);
    signal->target = decode_enum<EntityKind>(in);
    signal->polarity = decode_enum<Polarity>(in);
    signal->decay = decode_enum<DecayKind>(in);
    signal->half_life_ms = in->svarint();
    signal->windows = decode_windows(in);
    const std::uint8_t unique = in->u8();
    if (unique > kWindowCount) in->fail();
    if (unique > 0 && !in->failed()) signal->unique = UniqueSpec{static_cast<Window>(unique - 1)};
    const std::size_t states = in->count(1);
    for (std::size_t i = 0; i < states; ++i) signal->sets_state.push_back(decode_string(in));
    if (in->u8() != 0) in->fail();
}

template <typename Spec>
void encode_all(const std::vector<Spec>& specs, Encoder* out) {
    out->varint(specs.size());
    for (const Spec& spec : specs) encode(spec, out);
}
template <typename Spec>
std::vector<Spec> decode_all(std::size_t max, Decoder* in) {
    const std::size_t count = in->count(4);
    if (count > max) in->fail();
    std::vector<Spec> specs;
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        Spec& spec = specs.emplace_back();
        spec.id = decltype(spec.id)(static_cast<std::uint16_t>(i));
        decode(&spec, in);
    }
    return specs;
}

/// Everything but the version: what the fingerprint is of.
void encode_meaning(const Schema& schema, Encoder* out) {
    for (const KindSchema& kind : schema.kinds) {
        out->u8(static_cast<std::uint8_t>((kind.string_ids ? 1 : 0) | (kind.dynamic ? 2 : 0)));
        encode_all(kind.fields, out);
        encode_all(kind.embeddings, out);
    }
    encode_all(schema.signals, out);
}

}  // namespace

std::string encode_schema(const Schema& schema) {
    assert(validate(schema).ok());
    Encoder out;
    out.raw(kMagic);
    out.u8(weighs_texts(schema) ? kFormat : kFormatWithoutText);
    out.varint(schema.version.value());
    encode_meaning(schema, &out);
    return out.take();
}

Result<Schema> decode_schema(std::string_view bytes) {
    Decoder in(bytes);
    if (in.raw(kMagic.size()) != kMagic)
        return Error(ErrorCode::kCorruption, "schema: wrong magic");
    const std::uint8_t format = in.u8();
    if (!in.failed() && format != kFormat && format != kFormatWithoutText)
        return Error(ErrorCode::kIncompatible, "schema: unknown format version")
            .with("given", format)
            .with("known", kFormat);
    Schema schema;
    const std::uint64_t version = in.varint();
    if (version == 0 || version > UINT32_MAX) in.fail();
    schema.version = SchemaVersion(static_cast<std::uint32_t>(version));
    for (KindSchema& kind : schema.kinds) {
        const std::uint8_t flags = in.u8();
        if (flags > 3) in.fail();
        kind.string_ids = (flags & 1) != 0;
        kind.dynamic = (flags & 2) != 0;
        kind.fields = decode_all<FieldSpec>(kFieldsMax, &in);
        kind.embeddings = decode_all<EmbeddingSpec>(kEmbeddingsMax, &in);
    }
    schema.signals = decode_all<SignalSpec>(kSignalsMax, &in);
    TIDAL_TRY(in.finish("schema"));
    if ((format == kFormat) != weighs_texts(schema))
        return Error(ErrorCode::kCorruption, "schema: the format is not that of its fields");
    if (auto valid = validate(schema); !valid)
        return Error(ErrorCode::kCorruption, "schema: " + valid.error().message());
    return schema;
}

std::string fingerprint(const Schema& schema) {
    Encoder out;
    encode_meaning(schema, &out);
    return hash128(out.view()).to_hex();
}

}  // namespace tidal::schema
