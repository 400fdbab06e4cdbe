// What is kept of an item, a user or a creator, and its end.
#include "record/internal/body_codec.h"

namespace tidal::record {
namespace {

constexpr unsigned kOfTextErased = 1, kOfVersion = 2;

// Upsert flags; each changed envelope field has one bit for "named" and the next for "set".
constexpr unsigned kMustExist = 1, kIfMatch = 2, kCreator = 4, kCreated = 16, kPublish = 64,
                   kExpires = 256, kUpsertFlags = 1024;

template <typename T>
unsigned change_flags(const Change<T>& change, unsigned named) {
    if (!change) return 0;
    return *change ? named | named << 1 : named;
}
/// nullopt when not named; otherwise an empty inner optional, filled by the caller when set.
template <typename T>
bool decode_change(unsigned flags, unsigned named, Change<T>* change, Decoder* in) {
    const bool set = (flags & named << 1) != 0;
    if ((flags & named) == 0) {
        if (set) in->fail();
        return false;
    }
    change->emplace();
    return set;
}

void encode_time(const Change<UnixMillis>& change, Encoder* out) {
    if (change && *change) out->svarint(**change);
}
void decode_time(unsigned flags, unsigned named, Change<UnixMillis>* change, Decoder* in) {
    if (decode_change(flags, named, change, in)) *change = in->svarint();
}

void decode_fields(std::vector<FieldChange>* fields, Decoder* in) {
    const std::size_t count = in->count(1);
    if (count > schema::kFieldsMax) return in->fail();
    fields->reserve(count);
    for (std::size_t i = 0; i < count && !in->failed(); ++i) {
        const std::uint64_t head = in->varint();
        if (head >> 1 > UINT16_MAX) return in->fail();
        FieldChange& change = fields->emplace_back();
        change.field = FieldId(static_cast<std::uint16_t>(head >> 1));
        if ((head & 1) != 0) change.value = decode_value(in);
    }
}

}  // namespace

void encode(const UpsertBody& body, Encoder* out) {
    encode_target(body.kind, body.id, out);
    out->varint(flag(body.must_exist, kMustExist) | flag(body.if_match.has_value(), kIfMatch) |
                change_flags(body.creator, kCreator) | change_flags(body.created_at, kCreated) |
                change_flags(body.publish_at, kPublish) | change_flags(body.expires_at, kExpires));
    if (body.if_match) out->u64(body.if_match->bits());
    if (body.creator && *body.creator) {
        out->u8((*body.creator)->is_text() ? 1 : 0);
        encode_entity(**body.creator, out);
    }
    encode_time(body.created_at, out);
    encode_time(body.publish_at, out);
    encode_time(body.expires_at, out);
    out->varint(body.fields.size());
    for (const FieldChange& change : body.fields) {
        out->varint(static_cast<std::uint64_t>(change.field.value()) << 1 | (change.value ? 1 : 0));
        if (change.value) encode_value(*change.value, out);
    }
}
void decode(UpsertBody* body, Decoder* in) {
    decode_target(in, &body->kind, &body->id);
    const std::uint64_t bits = in->varint();
    if (bits >= kUpsertFlags) return in->fail();
    const auto flags = static_cast<unsigned>(bits);
    body->must_exist = (flags & kMustExist) != 0;
    if ((flags & kIfMatch) != 0) body->if_match = HybridTime::from_bits(in->u64());
    if (decode_change(flags, kCreator, &body->creator, in)) {
        const std::uint8_t is_text = in->u8();
        if (is_text > 1) return in->fail();
        body->creator = decode_entity(is_text == 1, in);
    }
    decode_time(flags, kCreated, &body->created_at, in);
    decode_time(flags, kPublish, &body->publish_at, in);
    decode_time(flags, kExpires, &body->expires_at, in);
    decode_fields(&body->fields, in);
}

void encode(const DeleteBody& body, Encoder* out) {
    encode_target(body.kind, body.id, out);
    out->u8(body.if_match ? 1 : 0);
    if (body.if_match) out->u64(body.if_match->bits());
}
void decode(DeleteBody* body, Decoder* in) {
    decode_target(in, &body->kind, &body->id);
    const std::uint8_t has_match = in->u8();
    if (has_match > 1) return in->fail();
    if (has_match == 1) body->if_match = HybridTime::from_bits(in->u64());
}

void encode(const EmbeddingBody& body, Encoder* out) {
    encode_target(body.kind, body.id, out);
    out->varint(body.slot.value());
    out->varint(body.values.size());
    for (const float value : body.values) out->f32(value);
}
void decode(EmbeddingBody* body, Decoder* in) {
    decode_target(in, &body->kind, &body->id);
    body->slot = decode_id_number<EmbeddingSlotId>(in);
    const std::size_t count = in->count(sizeof(float));
    if (count > schema::kDimensionsMax) return in->fail();
    body->values.reserve(count);
    for (std::size_t i = 0; i < count; ++i) body->values.push_back(in->f32());
}

void encode(const EraseUserBody& body, Encoder* out) {
    out->u8(static_cast<std::uint8_t>(flag(body.user.is_text(), kOfTextErased) |
                                      flag(body.if_match.has_value(), kOfVersion)));
    encode_entity(body.user, out);
    if (body.if_match) out->u64(body.if_match->bits());
    out->varint(body.others.size());
    for (const VShard other : body.others) out->varint(other.value());
}
void decode(EraseUserBody* body, Decoder* in) {
    const unsigned flags = in->u8();
    if (flags > 3) return in->fail();
    body->user = decode_entity((flags & kOfTextErased) != 0, in);
    if ((flags & kOfVersion) != 0) body->if_match = HybridTime::from_bits(in->u64());
    const std::size_t count = in->count(1);
    if (count > kVShardCount) return in->fail();
    for (std::size_t i = 0; i < count && !in->failed(); ++i)
        body->others.push_back(decode_id_number<VShard>(in));
}

}  // namespace tidal::record
